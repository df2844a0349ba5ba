export default {
  test: {
    include: ['vitest.mjs'],
    reporters: ['dot'],
    watch: false,
    // As for a package in node_modules: Node loads it, not Vite.
    server: { deps: { external: [/\/dist\//] } },
  },
};
