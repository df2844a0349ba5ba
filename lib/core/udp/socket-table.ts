import { isWildcard, sameAddress } from '../ip/address';
import { isAt } from '../ip/groups';
import { Word } from '../segment/layout';
import type { DatagramSocket } from '../socket/datagram-socket';
import { FourTuples } from '../stack/four-tuples';

/** What counts when a datagram could go to several sockets (Linux: compute_score). */
const enum Score {
  None = -1,
  /** A socket for IPv4 comes before one for both families. */
  Family = 1,
  Connected = 4,
  Address = 8,
}

/** The `localPort` of a socket on every port that no other is on. */
const ANY_PORT = 0;

/** The sockets of one port, the newest first. */
interface PortSockets {
  /** Those that are found by looking at each. */
  readonly open: DatagramSocket[];
  /** Those that are found by their four-tuple. */
  readonly connected: DatagramSocket[];
}

/** Which socket a datagram is for: the sockets of a stack by port, and by four-tuple. */
export class SocketTable {
  private readonly ports = new Map<number, PortSockets>();
  private readonly tuples: FourTuples;
  /** By row of `tuples` the sockets that are connected so, the newest first. */
  private readonly owners: DatagramSocket[][] = [];

  /** @param hashKey that received descriptors are hashed with */
  constructor(hashKey: Int32Array) {
    this.tuples = new FourTuples(hashKey);
  }

  /** Adds a socket that has a port; what it is found by must not change before `remove`. */
  add(socket: DatagramSocket): void {
    const { localPort } = socket;
    let sockets = this.ports.get(localPort);
    if (sockets === undefined) {
      sockets = { open: [], connected: [] };
      this.ports.set(localPort, sockets);
    }
    if (!hasTuple(socket)) {
      sockets.open.unshift(socket);
      return;
    }
    sockets.connected.unshift(socket);
    const { tuples } = this;
    const { localAddress, remoteAddress, remotePort } = socket;
    let row = tuples.lookup(localAddress, localPort, remoteAddress, remotePort);
    if (row < 0) row = tuples.add(localAddress, localPort, remoteAddress, remotePort);
    this.owners[row] = [socket, ...(this.owners[row] ?? [])];
  }

  remove(socket: DatagramSocket): void {
    const { localPort, localAddress, remoteAddress, remotePort } = socket;
    const sockets = this.ports.get(localPort);
    if (sockets === undefined) throw new Error(`no socket is on port ${localPort}`);
    const list = hasTuple(socket) ? sockets.connected : sockets.open;
    list.splice(list.indexOf(socket), 1);
    if (sockets.open.length + sockets.connected.length === 0) this.ports.delete(localPort);
    if (list === sockets.open) return;
    const row = this.tuples.lookup(localAddress, localPort, remoteAddress, remotePort);
    this.owners[row] = this.owners[row].filter((other) => other !== socket);
    if (this.owners[row].length === 0) this.tuples.remove(row);
  }

  /** All sockets that have a port, in no order. */
  *all(): Generator<DatagramSocket> {
    for (const { open, connected } of this.ports.values()) {
      yield* open;
      yield* connected;
    }
  }

  /** The socket that a received datagram to one host is for; null: none. */
  find(words: Int32Array, base: number): DatagramSocket | null {
    if (this.tuples.count > 0) {
      const row = this.tuples.find(words, base);
      if (row >= 0) return this.owners[row][0];
    }
    const port = words[base + Word.DestinationPort];
    // Nobody can send to port 0, which is no port (RFC 6335 §6).
    if (port === 0) return null;
    return (
      this.findOpen(this.ports.get(port), words, base) ??
      this.findOpen(this.ports.get(ANY_PORT), words, base)
    );
  }

  private findOpen(
    sockets: PortSockets | undefined,
    words: Int32Array,
    base: number,
  ): DatagramSocket | null {
    if (sockets === undefined) return null;
    let best: DatagramSocket | null = null;
    let most: number = Score.None;
    for (const socket of sockets.open) {
      const score = scoreOf(socket, words, base);
      if (score <= most) continue;
      best = socket;
      most = score;
    }
    if (best === null || best.options.reusePort === 0 || best.isConnected) return best;
    return share(sockets.open, best, words[base + Word.Hash]);
  }

  /** Calls `deliver` for each socket that a datagram to a group, or to all hosts, is for. */
  forMany(words: Int32Array, base: number, deliver: (socket: DatagramSocket) => void): void {
    const sockets = this.ports.get(words[base + Word.DestinationPort]);
    if (sockets === undefined) return;
    for (const list of [sockets.open, sockets.connected]) {
      for (const socket of list) {
        if (scoreOf(socket, words, base) < 0) continue;
        if (socket.groups.allows(words, base + Word.Destination)) deliver(socket);
      }
    }
  }
}

/** With remote port 0 it is connected to any port of that host. */
function hasTuple(socket: DatagramSocket): boolean {
  return socket.isConnected && socket.remotePort !== 0;
}

/** How well a socket on the datagram's port suits it; negative: not at all. */
function scoreOf(socket: DatagramSocket, words: Int32Array, base: number): number {
  const { localAddress } = socket;
  let score = 0;
  if (isWildcard(localAddress)) {
    const wanted = words[base + Word.Family] === 4 ? socket.acceptsIpv4 : socket.domain === 6;
    if (!wanted) return Score.None;
  } else {
    if (!isAt(localAddress, words, base + Word.Destination)) return Score.None;
    score += Score.Address;
  }
  if (socket.isConnected) {
    if (!isAt(socket.remoteAddress, words, base + Word.Source)) return Score.None;
    const { remotePort } = socket;
    if (remotePort !== 0 && remotePort !== words[base + Word.SourcePort]) return Score.None;
    score += Score.Connected;
  }
  return socket.domain === 4 ? score + Score.Family : score;
}

/** One of the sockets that share an endpoint by SO_REUSEPORT, the same for each four-tuple. */
function share(all: readonly DatagramSocket[], best: DatagramSocket, hash: number): DatagramSocket {
  const peers = all.filter(
    (other) =>
      other.options.reusePort !== 0 &&
      !other.isConnected &&
      other.acceptsIpv4 === best.acceptsIpv4 &&
      other.domain === best.domain &&
      sameAddress(other.localAddress, best.localAddress),
  );
  return peers[Math.floor(((hash >>> 0) * peers.length) / 2 ** 32)];
}
