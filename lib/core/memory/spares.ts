/** Objects that were used and are kept to be used again, so that busy connections allocate none. */
export class Spares<T> {
  private readonly spare: T[] = [];

  /** @param limit objects kept at most */
  constructor(
    private readonly make: () => T,
    private readonly limit: number,
  ) {}

  take(): T {
    return this.spare.pop() ?? this.make();
  }

  /** @param object as good as new */
  give(object: T): void {
    if (this.spare.length < this.limit) this.spare.push(object);
  }
}
