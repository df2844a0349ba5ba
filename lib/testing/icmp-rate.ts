/** Linux's net.ipv4.icmp_ratelimit, µs for each error, and how many may come at once. */
const INTERVAL = 1_000_000;
const BURST = 6;
/** Receivers that are kept in mind. */
const RECEIVERS = 1024;

/**
 * How often a receiver of errors is told that something can't be reached (RFC 1812 §4.3.2.8,
 * RFC 4443 §2.4 (f)): as Linux has it, once a second, after the first six.
 */
export class IcmpRate {
  /** By receiver: from when on there would be no error left that it has not been sent. */
  private readonly full = new Map<string, number>();

  /** Takes one from the receiver's budget. @param now µs */
  allows(receiver: string, now: number): boolean {
    const full = Math.max(this.full.get(receiver) ?? 0, now);
    if (full + INTERVAL > now + BURST * INTERVAL) return false;
    if (this.full.size >= RECEIVERS) this.full.clear();
    this.full.set(receiver, full + INTERVAL);
    return true;
  }
}
