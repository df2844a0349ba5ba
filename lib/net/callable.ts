/** Lets a class be called without `new`, as the classes of node:net and node:dgram can be. */
export function callable<Class extends object>(target: Class): Class {
  const both = new Proxy(target, {
    apply: (made, _this, args) => Reflect.construct(made as unknown as () => void, args) as unknown,
  });
  const { prototype } = target as { prototype?: object };
  if (prototype !== undefined) {
    const constructor = { value: both, configurable: true, writable: true };
    Object.defineProperty(prototype, 'constructor', constructor);
  }
  return both;
}
