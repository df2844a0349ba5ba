/**
 * What a connection remembers of the data that comes in while it does so: lent by the stack
 * (`Tcp.inbounds`) when first needed, so that an idle connection has none.
 */
export class Inbound {
  /** Edges of a duplicate to be reported; the same where there is none (`dsack.ts`). */
  duplicateLeft = 0;
  duplicateRight = 0;

  get hasDuplicate(): boolean {
    return this.duplicateLeft !== this.duplicateRight;
  }

  /** Whether it says nothing. */
  get isEmpty(): boolean {
    return !this.hasDuplicate;
  }

  clear(): void {
    this.duplicateLeft = this.duplicateRight = 0;
  }
}
