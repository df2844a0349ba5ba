/** What may count when memory gets scarce. */
export interface MemoryLimits {
  /** Pressure ends below this, bytes. */
  memoryLow: number;
  /** Pressure begins above this. */
  memoryPressure: number;
  /** Nothing is taken any more above this, but what each connection may have in any case. */
  memoryMax: number;
}

export interface MemoryCounters {
  TcpExtTCPMemoryPressures: number;
  TcpExtTCPMemoryPressuresChrono: number;
}

/**
 * Bytes that a stack buffers for all its connections, against their limits (Linux: tcp_mem). Under
 * pressure no buffer grows and windows shrink; at the limit data is refused.
 */
export class MemoryPressure {
  /** Payload that was received and has not been read. */
  received = 0;
  private since = -1;

  /**
   * @param sending bytes that are held for sending
   * @param nowMs the clock
   */
  constructor(
    private readonly limits: MemoryLimits,
    private readonly counters: MemoryCounters,
    private readonly sending: () => number,
    private readonly nowMs: () => number,
  ) {}

  get used(): number {
    return this.received + this.sending();
  }

  /** Linux: tcp_under_memory_pressure. */
  get isHigh(): boolean {
    const { used, limits } = this;
    if (this.since < 0) {
      if (used <= limits.memoryPressure) return false;
      this.since = this.nowMs();
      this.counters.TcpExtTCPMemoryPressures++;
    } else if (used < limits.memoryLow) {
      this.counters.TcpExtTCPMemoryPressuresChrono += this.nowMs() - this.since;
      this.since = -1;
    }
    return this.since >= 0;
  }

  /** Whether buffers may grow (Linux: below the first number of tcp_mem, and no pressure). */
  get mayGrow(): boolean {
    return this.used < this.limits.memoryLow && !this.isHigh;
  }

  /** Linux: above the third number of tcp_mem. */
  get isExhausted(): boolean {
    return this.isHigh && this.used >= this.limits.memoryMax;
  }
}
