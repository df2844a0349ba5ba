import { Errno } from '../../lib/core/errno';
import { ANY6, isIpv4, sameAddress, type IpAddress } from '../../lib/core/ip/address';
import { SocketOption } from '../../lib/core/socket/options';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { Connection } from '../../lib/core/tcp/connection';
import type { Host } from '../../lib/testing';
import type { Chance } from './chance';
import { End } from './end';
import { Task } from './task';
import { PORT, type Runner, type Workload } from './workload';
import type { World } from './world';

/** Where both ends call each other. */
const CROSSING_PORT = 5000;

/** A connection: who has called, and who was called. */
interface Pair {
  caller: End;
  callee: End;
  /** Of the caller: by it the callee's is found. */
  iss: number;
  port: number;
}

/** What is behind a socket. */
function connectionOf(socket: StreamSocket): Connection {
  return (socket as unknown as { connection: Connection }).connection;
}

/** What runs on the hosts beside. */
export interface Others {
  serve(host: Host): void;
  vanish(host: Host): void;
  kill(host: Host): void;
}

/** What runs on a host: a server, and the ends of its connections. */
class Site implements Runner {
  listener: StreamSocket | null = null;
  readonly ends: End[] = [];
  /** Nothing is started any more: the host shuts down, or it is all over. */
  private isClosed = false;
  others: Others | null = null;

  constructor(
    readonly host: Host,
    private readonly accepted: (socket: StreamSocket) => void,
    private readonly onError: (error: unknown) => void,
    private readonly backlog: number,
  ) {}

  /** Whether programs can run. */
  get isUp(): boolean {
    return this.host.state === 'up' && !this.isClosed;
  }

  start(): void {
    if (this.listener !== null || !this.isUp) return;
    this.host.enter();
    const socket = this.host.socket(6, { ready: () => this.ready() });
    socket.setOption(SocketOption.ReuseAddress, 1);
    const bound = socket.bind(ANY6, PORT);
    const listening = bound < 0 ? bound : socket.listen(this.backlog);
    if (listening < 0) throw new Error(`listen on ${this.host.name}: ${listening}`);
    this.listener = socket;
    this.host.flush();
    this.others?.serve(this.host);
  }

  /** No server any more. */
  stop(): void {
    this.isClosed = true;
    this.host.enter();
    this.listener?.close();
    this.listener = null;
    this.host.flush();
  }

  private ready(): void {
    try {
      for (;;) {
        const socket = this.listener?.accept() ?? -1;
        if (typeof socket === 'number') return;
        this.accepted(socket);
      }
    } catch (error) {
      this.onError(error);
    }
  }

  /**
   * The programs end: the system closes their sockets.
   * @param forGood none is started until the host has booted again
   */
  kill(forGood = false): void {
    this.isClosed ||= forGood;
    this.host.enter();
    for (const end of this.ends) end.kill();
    this.listener?.close();
    this.listener = null;
    this.others?.kill(this.host);
    this.host.flush();
  }

  /** The host has lost its memory. */
  vanish(): void {
    for (const end of this.ends) end.vanish();
    this.others?.vanish(this.host);
    this.listener = null;
    this.isClosed = false;
  }
}

/** All programs of a network, and the connections between them. */
export class Programs implements Workload {
  readonly pairs: Pair[] = [];
  /** Connections that were asked for; those that got no local port; and that were accepted. */
  asked = 0;
  refused = 0;
  accepted = 0;
  /** The first error that was thrown where nobody must throw. */
  failure: unknown = null;
  private readonly sites = new Map<Host, Site>();
  private readonly starts: Task[] = [];
  private readonly fail = (error: unknown): void => {
    this.failure ??= error;
  };

  constructor(
    private readonly world: World,
    private readonly chance: Chance,
  ) {
    for (const host of world.hosts) {
      const accepted = (socket: StreamSocket) => this.accept(host, socket);
      // With 0 and without cookies nobody would ever get in, as on Linux.
      const least = host.core.tcp.settings.syncookies === 0 ? 1 : 0;
      const backlog = Math.max(least, chance.pick([0, 1, 4, 100]));
      const site = new Site(host, accepted, this.fail, backlog);
      this.sites.set(host, site);
      site.start();
    }
  }

  /** Tells others, too, when a host's programs start and end. */
  alsoRuns(others: Others): void {
    for (const site of this.sites.values()) site.others = others;
  }

  site(host: Host): Site {
    return this.sites.get(host) as Site;
  }

  /** Connections that begin at some time within so many µs. */
  plan(count: number, within: number): void {
    const { chance, world } = this;
    for (let i = 0; i < count; i++) {
      const from = world.someHost();
      const others = world.hosts.filter((host) => host !== from);
      const to = chance.percent(4) ? from : chance.pick(others);
      const family = chance.pick(world.families);
      const crossing = from !== to && chance.percent(5);
      const start = crossing
        ? () => this.cross(from, to, family)
        : () => this.call(from, to, family);
      const at = chance.percent(40) ? 0 : chance.below(within);
      this.starts.push(new Task(world.network.simulation, start).after(at));
    }
  }

  /** No connection begins any more; those that there are shall end. */
  hurry(): void {
    for (const start of this.starts) start.after(Infinity);
    for (const host of this.world.hosts) {
      this.site(host).start();
      for (const end of this.site(host).ends) end.hurry();
    }
    this.hurried = true;
  }

  private hurried = false;

  /** Nobody uses a connection any more. */
  get areDone(): boolean {
    return [...this.sites.values()].every(({ ends }) =>
      ends.every((end) => end.closed || end.socket === null),
    );
  }

  private makePair(from: Host, to: Host): Pair {
    const id = this.pairs.length * 2;
    const end = (number: number, host: Host) => new End(number, host, this.chance, this.fail);
    return { caller: end(id, from), callee: end(id + 1, to), iss: 0, port: 0 };
  }

  private call(from: Host, to: Host, family: 4 | 6): void {
    if (!this.site(from).isUp) return;
    this.asked++;
    from.enter();
    const pair = this.makePair(from, to);
    const socket = from.socket(family, pair.caller);
    const result = socket.connect(addressOf(to, family), PORT);
    if (result === -Errno.EADDRNOTAVAIL) this.refused++;
    else if (result !== -Errno.EINPROGRESS) throw new Error(`connect: ${result}`);
    else this.enter(pair, socket);
    if (result !== -Errno.EINPROGRESS) socket.close();
    from.flush();
  }

  private enter(pair: Pair, socket: StreamSocket): void {
    pair.iss = connectionOf(socket).iss;
    pair.port = socket.localPort;
    this.pairs.push(pair);
    for (const end of [pair.caller, pair.callee]) this.site(end.host).ends.push(end);
    pair.caller.begin(socket);
  }

  /** Both call each other, from fixed ports, at once. */
  private cross(one: Host, other: Host, family: 4 | 6): void {
    if (!this.site(one).isUp || !this.site(other).isUp) return;
    const pair = this.makePair(one, other);
    const sockets = [pair.caller, pair.callee].map((end) => {
      end.host.enter();
      const socket = end.host.socket(family, end);
      return socket.bind(addressOf(end.host, family), CROSSING_PORT) < 0 ? null : socket;
    });
    const [ofOne, ofOther] = sockets;
    const peers = [other, one];
    const connected = sockets.map((socket, i) => {
      const result = socket?.connect(addressOf(peers[i], family), CROSSING_PORT) ?? 0;
      return result === -Errno.EINPROGRESS;
    });
    if (ofOne !== null && ofOther !== null && connected[0] && connected[1]) {
      this.asked++;
      this.enter(pair, ofOne);
      pair.callee.begin(ofOther);
    } else {
      for (const socket of sockets) socket?.abort();
    }
    one.flush();
    other.flush();
  }

  private accept(host: Host, socket: StreamSocket): void {
    const { irs } = connectionOf(socket);
    const pair = this.pairs.find(
      ({ caller, callee, iss, port }) =>
        callee.socket === null &&
        callee.host === host &&
        iss === irs &&
        port === socket.remotePort &&
        isOf(caller.host, socket.remoteAddress),
    );
    if (pair === undefined || pair.callee.lost) {
      // An old SYN's, or one of a host that has lost its memory.
      socket.abort();
      return;
    }
    this.accepted++;
    pair.callee.begin(socket);
    if (this.hurried) pair.callee.hurry();
  }

  /** The servers that don't run are started again. */
  restart(host: Host, after: number): void {
    new Task(this.world.network.simulation, () => this.site(host).start()).after(after);
  }

  /** Everything arrived once and in order, or somebody was told. */
  verify(): void {
    for (const { caller, callee } of this.pairs) {
      verifyDirection(caller, callee);
      verifyDirection(callee, caller);
    }
  }

  stopServers(): void {
    for (const site of this.sites.values()) site.stop();
  }

  /** Those who still use a connection, for messages. */
  get waiting(): string[] {
    const open = this.pairs.flatMap(({ caller, callee }) => [caller, callee]);
    return open.filter((end) => !end.closed && end.socket !== null).map(String);
  }
}

function verifyDirection(from: End, to: End): void {
  const name = `${String(from)} -> ${String(to)}`;
  if (to.received > from.sent) throw new Error(`more arrived than was sent: ${name}`);
  if (to.ended && to.received !== from.sent) throw new Error(`the end came early: ${name}`);
  if (to.received === from.sent && (to.ended || from.rude)) return;
  const told = from.error !== 0 || to.error !== 0;
  const excused = from.rude || to.rude || from.lost || to.lost;
  if (!told && !excused) throw new Error(`lost, and nobody was told: ${name}`);
}

function addressOf(host: Host, family: 4 | 6): IpAddress {
  const found = host.prefixes.find(({ address }) => isIpv4(address) === (family === 4));
  if (found === undefined) throw new Error(`${host.name} has no such address`);
  return found.address;
}

function isOf(host: Host, address: IpAddress): boolean {
  return host.prefixes.some((prefix) => sameAddress(prefix.address, address));
}
