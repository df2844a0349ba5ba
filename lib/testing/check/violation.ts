/** What is broken; `Checks` adds where and when. */
export class Violation extends Error {}

/**
 * An invariant.
 * @param what it is called when it doesn't hold
 * @throws Violation
 */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}
