declare module 'node-gyp-build' {
  /** Loads the addon of the package in `folder`: built there, or prebuilt. Throws without one. */
  function load<T>(folder: string): T;
  export = load;
}
