import { isWildcard, readAddress, sameAddress, type IpAddress } from '../ip/address';
import { Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import type { StreamSocket } from '../socket/stream-socket';
import { elapsedMs } from '../time/elapsed';
import { COOKIE_LIFETIME_MS } from './syn-cookies';

const MAPPED = 0xffff;

/** The `localPort` of a listener on every port that no other listens on. */
const ANY_PORT = 0;
const NOBODY: readonly StreamSocket[] = [];

/** The sockets in LISTEN, by port. */
export class Listeners {
  private readonly byPort = new Map<number, StreamSocket[]>();
  private readonly byId: (StreamSocket | null)[] = [];

  /** Enters a listener; its number stands for it in the SYN table. */
  add(listener: StreamSocket): number {
    const others = this.byPort.get(listener.localPort);
    if (others === undefined) this.byPort.set(listener.localPort, [listener]);
    else others.push(listener);
    const free = this.byId.indexOf(null);
    if (free < 0) return this.byId.push(listener) - 1;
    this.byId[free] = listener;
    return free;
  }

  remove(listener: StreamSocket, id: number): void {
    const left = (this.byPort.get(listener.localPort) ?? []).filter((other) => other !== listener);
    if (left.length === 0) this.byPort.delete(listener.localPort);
    else this.byPort.set(listener.localPort, left);
    this.byId[id] = null;
  }

  /** Those in LISTEN now. */
  all(): StreamSocket[] {
    return this.byId.filter((listener) => listener !== null);
  }

  /** The one that `add` has given this number, until it is removed. */
  get(id: number): StreamSocket {
    return this.byId[id] as StreamSocket;
  }

  /** Whether a listener on the segment's port has answered with a cookie that may be good yet. */
  sentCookies({ words, base }: Segment, nowMs: number): boolean {
    const mayHave = ({ listening }: StreamSocket): boolean => {
      const sent = listening?.cookieMs ?? null;
      return sent !== null && elapsedMs(nowMs, sent) <= COOKIE_LIFETIME_MS;
    };
    const port = words[base + Word.DestinationPort];
    return this.on(port).some(mayHave) || this.on(ANY_PORT).some(mayHave);
  }

  private on(port: number): readonly StreamSocket[] {
    return this.byPort.get(port) ?? NOBODY;
  }

  /**
   * The listener that a received segment is for: one on its port before one on any, then the most
   * specific address. Where several listen there (SO_REUSEPORT), the four-tuple's hash chooses,
   * always the same one.
   */
  find(words: Int32Array, base: number): StreamSocket | null {
    const port = words[base + Word.DestinationPort];
    // Nobody can ask for port 0, which is no port (RFC 6335 §6).
    if (port === 0) return null;
    return (
      this.findAmong(this.byPort.get(port), words, base) ??
      this.findAmong(this.byPort.get(ANY_PORT), words, base)
    );
  }

  private findAmong(
    candidates: readonly StreamSocket[] | undefined,
    words: Int32Array,
    base: number,
  ): StreamSocket | null {
    if (candidates === undefined) return null;
    const destination = readAddress(words, base + Word.Destination);
    let best: StreamSocket | null = null;
    let bestScore = 1;
    let equal = 0;
    for (const listener of candidates) {
      const score = match(listener, destination);
      if (score < bestScore) continue;
      equal = score === bestScore ? equal + 1 : 1;
      bestScore = score;
      best = listener;
    }
    if (equal < 2) return best;
    let chosen = Math.floor(((words[base + Word.Hash] >>> 0) / 2 ** 32) * equal);
    for (const listener of candidates) {
      if (match(listener, destination) === bestScore && chosen-- === 0) return listener;
    }
    return best;
  }
}

/** 0: not for it. A named address is worth more than a wildcard, the own family more than both. */
function match(listener: StreamSocket, destination: IpAddress): number {
  const ipv4 = destination.w0 === 0 && destination.w1 === 0 && destination.w2 === MAPPED;
  if (sameAddress(listener.localAddress, destination)) return 3;
  if (!isWildcard(listener.localAddress)) return 0;
  if (listener.domain === 4) return ipv4 ? 2 : 0;
  if (!ipv4) return 2;
  return listener.acceptsIpv4 ? 1 : 0;
}
