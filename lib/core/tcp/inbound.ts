/**
 * What a connection remembers of the data that comes in while it does so: lent by the stack
 * (`Tcp.inbounds`) when first needed, so that an idle connection has none. Times are µs as int32.
 */
export class Inbound {
  /** Edges of a duplicate to be reported; the same where there is none (`dsack.ts`). */
  duplicateLeft = 0;
  duplicateRight = 0;

  // Dynamic right-sizing (`receive-tuning.ts`).
  /** What the receive buffer has grown to, bytes; 0: it has not. */
  rcvBuf = 0;
  /** Bytes that the program read in the best round trip so far; 0: not measured. */
  space = 0;
  /** What it had read, and the time, when the present round trip began. */
  spaceSeq = 0;
  spaceStart = 0;
  /** The round trip as the receiver sees it, times 8; 0: unknown. */
  rtt = 0;
  /** A window is being timed, up to this sequence number, since then. */
  hasWindow = false;
  windowEnd = 0;
  windowStart = 0;
  /** The last echo of a timestamp of ours. */
  tsEcr = 0;
  /** The largest `space`, and the last `rtt`, of earlier measurements, to be told. */
  lastSpace = 0;
  lastRtt = 0;

  get hasDuplicate(): boolean {
    return this.duplicateLeft !== this.duplicateRight;
  }

  /** Whether it says nothing. */
  get isEmpty(): boolean {
    return !this.hasDuplicate && this.space === 0 && this.rcvBuf === 0;
  }

  /** Nothing is measured any more. */
  rest(): void {
    this.lastSpace = Math.max(this.space, this.lastSpace);
    this.lastRtt = this.rtt || this.lastRtt;
    this.space = this.rtt = this.tsEcr = 0;
    this.hasWindow = false;
  }

  clear(): void {
    this.rest();
    this.rcvBuf = this.lastSpace = this.lastRtt = 0;
    this.duplicateLeft = this.duplicateRight = 0;
  }
}
