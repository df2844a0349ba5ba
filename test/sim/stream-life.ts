import type { Server } from '../../lib/net/server';
import type { Socket } from '../../lib/net/socket';
import type { Host } from '../../lib/testing';
import { Chance } from './chance';
import { isEmpty, stuck } from './empty';
import { DgramTalks } from './dgram-talks';
import { Faults, type FaultKind } from './faults';
import { makeReport, type Report } from './report';
import { StreamEnd } from './stream-end';
import { SECOND, Task } from './task';
import { PORT, type Runner, type Workload } from './workload';
import { World } from './world';

/** Bytes before the stream: its number. */
const HEAD = 4;

/** A host's server. */
class StreamSite implements Runner {
  readonly ends: StreamEnd[] = [];
  private server: Server | null = null;
  private isClosed = false;

  constructor(
    readonly host: Host,
    private readonly accepted: (socket: Socket) => void,
    private readonly fail: (error: unknown) => void,
    private readonly allowHalfOpen: boolean,
    private readonly talks: () => DgramTalks,
  ) {}

  get isUp(): boolean {
    return this.host.state === 'up' && !this.isClosed;
  }

  start(): void {
    if (this.server !== null || !this.isUp) return;
    const { allowHalfOpen } = this;
    const server = this.host.net.createServer({ allowHalfOpen }, this.accepted);
    server.on('error', this.fail);
    server.listen(PORT);
    this.server = server;
    this.talks().serve(this.host);
  }

  kill(forGood = false): void {
    this.isClosed ||= forGood;
    this.server = null;
    this.gone();
  }

  vanish(): void {
    this.server = null;
    this.isClosed = false;
    this.gone();
  }

  stop(): void {
    this.isClosed = true;
    this.server?.close();
    this.server = null;
  }

  private gone(): void {
    this.talks().vanish(this.host);
    for (const end of this.ends) end.vanish();
  }
}

interface Pair {
  caller: StreamEnd;
  callee: StreamEnd;
}

/**
 * One seed through the API that people use: streams of `Host.net` in `network.run`, where the
 * program's own timers, its promises and the network's events meet.
 */
export class StreamLife implements Workload {
  readonly world: World;
  private readonly chance: Chance;
  private readonly faults: Faults;
  private readonly storm: number;
  private readonly talks: DgramTalks;
  private readonly pairs: Pair[] = [];
  private readonly sites = new Map<Host, StreamSite>();
  private readonly sockets: Socket[] = [];
  private readonly starts: Task[] = [];
  private accepted = 0;
  private hurried = false;
  private failure: unknown = null;
  private readonly fail = (error: unknown): void => {
    this.failure ??= error;
  };

  constructor(
    readonly seed: number,
    kinds: readonly FaultKind[],
    trace = false,
  ) {
    const chance = (this.chance = new Chance(seed));
    this.world = new World(seed, chance, trace);
    for (const host of this.world.hosts) {
      const accepted = (socket: Socket) => this.accept(host, socket);
      this.sites.set(
        host,
        new StreamSite(host, accepted, this.fail, chance.percent(50), () => this.talks),
      );
    }
    this.faults = new Faults(this.world, this, chance);
    this.storm = chance.pick([5, 30, 60]);
    this.faults.plan(kinds, chance.pick([0, 1, 3, 6]), this.storm * SECOND);
    const longest = this.faults.maySpoil ? 150 : 3000;
    this.talks = new DgramTalks(seed, this.world, longest, this.fail);
  }

  site(host: Host): StreamSite {
    return this.sites.get(host) as StreamSite;
  }

  restart(host: Host, after: number): void {
    new Task(this.world.network.simulation, () => this.site(host).start()).after(after);
  }

  /** Lives it. @throws Error for what must not be */
  async run(): Promise<Report> {
    const { world, faults } = this;
    const { network } = world;
    await network.run(() => this.program());
    if (this.failure !== null) throw this.failure;
    for (const site of this.sites.values()) site.stop();
    this.talks.stop();
    for (let waited = 0; !isEmpty(world.hosts); waited += 1000) {
      if (waited > 2 * world.lastWait + 60_000) {
        throw new Error(stuck('is left when everything is over', network.now, world.hosts, []));
      }
      await network.advance(1000);
    }
    this.verify();
    for (const host of world.hosts) world.collect(host);
    const { pairs, accepted } = this;
    return makeReport(world, faults.counts, {
      connections: pairs.length,
      accepted,
      refused: 0,
      datagrams: this.talks.sent,
      received: this.talks.received,
      pings: 0,
    });
  }

  private async program(): Promise<void> {
    const { chance, storm, world } = this;
    for (const site of this.sites.values()) site.start();
    for (let i = chance.pick([1, 2, 5]); i > 0; i--) {
      const start = new Task(world.network.simulation, () => this.call());
      this.starts.push(start.after(chance.percent(50) ? 0 : chance.below(storm * SECOND)));
    }
    this.talks.plan(storm * 1000);
    await new Promise((resolve) => setTimeout(resolve, storm * 1000));
    this.talks.calm();
    this.faults.stop();
    world.calm();
    this.hurried = true;
    for (const start of this.starts) start.after(Infinity);
    for (const socket of this.sockets) socket.setKeepAlive(true, 5000);
    for (const { caller, callee } of this.pairs) {
      caller.hurry();
      callee.hurry();
    }
    for (const { caller, callee } of this.pairs) {
      await caller.over;
      if (callee.socket !== null) await callee.over;
    }
  }

  private call(): void {
    const { chance, world } = this;
    const from = world.someHost();
    const to = chance.pick(world.hosts.filter((host) => host !== from));
    if (!this.site(from).isUp) return;
    const id = 2 * this.pairs.length;
    const caller = new StreamEnd(id, from, chance, this.fail);
    const callee = new StreamEnd(id + 1, to, chance, this.fail);
    this.pairs.push({ caller, callee });
    const host = chance.pick(world.families) === 4 ? to.address : to.address6;
    const socket = from.net.connect({ host, port: PORT, allowHalfOpen: chance.percent(50) });
    const head = Buffer.alloc(HEAD);
    head.writeUInt32BE(id);
    socket.write(head);
    this.site(from).ends.push(caller);
    caller.begin(socket);
  }

  /** A connection arrives; its first bytes say which it is. */
  private accept(host: Host, socket: Socket): void {
    this.sockets.push(socket);
    if (this.hurried) socket.setKeepAlive(true, 5000);
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    let head = Buffer.alloc(0);
    const first = (piece: Buffer): void => {
      head = Buffer.concat([head, piece]);
      if (head.length < HEAD) return;
      socket.off('data', first);
      const pair = this.pairs[head.readUInt32BE() >> 1];
      if (
        pair.callee.host === host &&
        pair.callee.socket !== null &&
        host.counters.TcpExtSyncookiesRecv > 0
      ) {
        // Who has remembered nothing takes the third segment a second time, when the first
        // connection is over.
        socket.destroy();
        return;
      }
      if (pair.callee.host !== host || pair.callee.socket !== null) {
        this.fail(new Error(`a connection of another on ${host.name}`));
        return;
      }
      this.accepted++;
      this.site(host).ends.push(pair.callee);
      pair.callee.begin(socket);
      if (head.length > HEAD) pair.callee.take(head.subarray(HEAD));
    };
    socket.on('data', first);
    // One that ends before that is of no interest.
    socket.on('end', () => socket.end());
  }

  private verify(): void {
    for (const { caller, callee } of this.pairs) {
      verifyDirection(caller, callee);
      verifyDirection(callee, caller);
    }
  }
}

/** Everything that was written arrived, or a stream has told an error. */
function verifyDirection(from: StreamEnd, to: StreamEnd): void {
  if (from.rude || to.rude || from.lost || to.lost) return;
  const what = `${from.name} wrote ${from.sent}, ${to.name} got ${to.received}`;
  if (to.ended && to.received !== from.sent) throw new Error(`the end came early: ${what}`);
  if (to.ended || from.told || to.told) return;
  // Who ended before the first bytes came never knew whose they were: its end tells.
  if (to.socket === null && from.ended) return;
  throw new Error(`lost, and nobody was told: ${what}`);
}
