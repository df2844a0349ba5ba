import type { Random } from '../environment';
import type { FourTuples } from '../stack/four-tuples';
import { writeAddress, type IpAddress } from '../ip/address';
import { SipHash } from '../random/sip-hash';

/** µs in a step of the clock that the initial sequence numbers follow (RFC 9293 §3.4.1). */
const STEP = 4;

const WORDS = 9;

/**
 * Initial sequence numbers that nobody can guess and that grow on each pair of endpoints (RFC 6528
 * §3): ISN = M + F(localip, localport, remoteip, remoteport, secretkey). M is a clock of 4 µs, F is
 * SipHash-2-4. In the same way the offset of the timestamps.
 */
export class InitialSequence {
  private readonly sequences: SipHash;
  private readonly timestamps: SipHash;
  private readonly words = new Int32Array(WORDS);

  /** @param random gives the secret keys */
  constructor(random: Random) {
    this.sequences = SipHash.random(random);
    this.timestamps = SipHash.random(random);
  }

  /**
   * ISN of a connection that is opened now.
   * @param now µs
   * @returns int32
   */
  isn(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    now: number,
  ): number {
    this.write(local, localPort, remote, remotePort);
    // `| 0` takes any integer modulo 2^32.
    return (Math.floor(now / STEP) + this.sequences.hash(this.words, WORDS)) | 0;
  }

  /** The same for a row of the four-tuples. */
  ofTuple(tuples: FourTuples, row: number, now: number): number {
    const [localPort, remotePort] = [tuples.localPort(row), tuples.remotePort(row)];
    return this.isn(tuples.local(row), localPort, tuples.remote(row), remotePort, now);
  }

  /**
   * What is added to the clock to give TSval, int32: always the same for a four-tuple, so that
   * PAWS and RFC 6191 hold from one connection to the next, and unrelated to that of another
   * (RFC 7323 §7.1; Linux's tcp_timestamps = 1).
   */
  timestampOffset(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): number {
    this.write(local, localPort, remote, remotePort);
    return this.timestamps.hash(this.words, WORDS);
  }

  /** The same for a row of the four-tuples. */
  offsetOfTuple(tuples: FourTuples, row: number): number {
    const [localPort, remotePort] = [tuples.localPort(row), tuples.remotePort(row)];
    return this.timestampOffset(tuples.local(row), localPort, tuples.remote(row), remotePort);
  }

  private write(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): void {
    writeAddress(local, this.words, 0);
    writeAddress(remote, this.words, 4);
    this.words[8] = (localPort << 16) | remotePort;
  }
}
