/** Lets a class be called without `new`, as the classes of node:net and node:dgram can be. */
export function callable<Class extends object>(target: Class): Class {
  return new Proxy(target, {
    apply: (made, _this, args) => Reflect.construct(made as unknown as () => void, args) as unknown,
  });
}
