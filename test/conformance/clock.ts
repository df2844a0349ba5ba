/** Where a session's time comes from: µs since the session began, and as the protocol writes it. */
export interface Clock {
  readonly now: number;
  /** Time in the protocol's events and replies, µs. */
  readonly stamp: number;
  /** Whether time moves only as requests say. */
  readonly isVirtual: boolean;
}

/** Time that requests set. */
export class VirtualClock implements Clock {
  readonly isVirtual = true;
  now = 0;

  /** @param start absolute virtual time of the beginning, µs */
  constructor(readonly start: number) {}

  get stamp(): number {
    return this.start + this.now;
  }

  /** The same moment on this clock. */
  fromStamp(stamp: number): number {
    return stamp - this.start;
  }
}

/** The machine's time; events bear that of the day. */
export class RealClock implements Clock {
  readonly isVirtual = false;
  private readonly begin = performance.now();

  get now(): number {
    return Math.floor((performance.now() - this.begin) * 1000);
  }

  get stamp(): number {
    return Math.floor((performance.timeOrigin + performance.now()) * 1000);
  }
}
