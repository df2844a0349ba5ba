import type { Random } from '../environment';
import { writeAddress, type IpAddress } from '../ip/address';
import { SipHash } from '../random/sip-hash';

const TABLE = 1024;
const WORDS = 9;

/**
 * Where the search for an ephemeral port begins: "double-hash port selection", RFC 6056 §3.3.4, as
 * Linux does it. Connections to one remote endpoint take one port after another; what others take
 * can't be told from that.
 */
export class PortChoice {
  private readonly hash: SipHash;
  private readonly words = new Int32Array(WORDS);
  /** Counters shared by the endpoints whose hash leads there; made when first needed. */
  private counters: Int32Array | null = null;
  private slot = 0;

  constructor(private readonly random: Random) {
    this.hash = SipHash.random(random);
  }

  /** Where to begin for a connection between these: an index from 0 to 2^32 - 1, to be reduced. */
  start(local: IpAddress, remote: IpAddress, remotePort: number): number {
    this.counters ??= Int32Array.from({ length: TABLE }, () => this.random.next());
    writeAddress(local, this.words, 0);
    writeAddress(remote, this.words, 4);
    this.words[8] = remotePort;
    const offset = this.hash.hash(this.words, WORDS);
    this.slot = this.hash.high & (TABLE - 1);
    return (offset + this.counters[this.slot]) >>> 0;
  }

  /** The port `steps` after the start was taken. */
  taken(steps: number): void {
    if (this.counters === null) return;
    // A random increment hides how many connections others make (RFC 6056 §3.3.5).
    this.counters[this.slot] += steps + 1 + (this.random.next() & 7);
  }
}
