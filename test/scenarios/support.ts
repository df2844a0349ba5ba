import type { Server, Socket } from '../../lib';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import {
  type Cable,
  type Host,
  type HostOptions,
  type LinkOptions,
  Network,
  type NetworkOptions,
} from '../../lib/testing';
import { Packet } from '../../lib/testing/engine/packet';
import type { TracedSegment } from '../../lib/testing/trace/segments';
import { type Fields, pushSegment } from '../support/segments';

/** Two hosts and the cable between them. */
export interface Scene {
  network: Network;
  client: Host;
  server: Host;
  cable: Cable;
}

export interface SceneOptions extends NetworkOptions {
  /** Default: 10 ms in each direction, and no trouble. */
  link?: LinkOptions;
  client?: HostOptions;
  server?: HostOptions;
}

/** The scene of a story: `client` (10.0.0.1, fd00::1) and `server` (10.0.0.2, fd00::2). */
export function setScene({ link, client, server, ...options }: SceneOptions = {}): Scene {
  const network = new Network(options);
  const [one, other] = [network.host('client', client), network.host('server', server)];
  return {
    network,
    client: one,
    server: other,
    cable: network.link(one, other, { delay: 10, ...link }),
  };
}

/** Sets the scene, tells the story in virtual time, and clears the scene. */
export async function tell(
  options: SceneOptions,
  story: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scene = setScene(options);
  try {
    await scene.network.run(() => story(scene));
  } finally {
    await scene.network.close();
  }
}

/** One end of a connection, as the program sees it. */
export class End {
  /** 'connect', 'end', 'finish', the code of an error, 'close'. */
  readonly events: string[] = [];
  private readonly times = new Map<string, number>();
  private readonly pieces: Buffer[] = [];
  private waiting: (() => void)[] = [];

  constructor(
    private readonly network: Network,
    readonly socket: Socket,
  ) {
    for (const event of ['connect', 'end', 'finish', 'close']) {
      socket.on(event, () => this.note(event));
    }
    socket.on('error', (error: NodeJS.ErrnoException) => this.note(error.code ?? error.message));
    socket.on('data', (piece: Buffer) => {
      this.pieces.push(piece);
      this.wake();
    });
  }

  /** What has been read so far. */
  get received(): Buffer {
    return Buffer.concat(this.pieces);
  }

  /** When an event was seen first, ms; undefined: never. */
  at(event: string): number | undefined {
    return this.times.get(event);
  }

  /** Waits for an event, unless it has been. */
  async sees(event: string): Promise<void> {
    await this.until(() => this.times.has(event));
  }

  /** Waits until so many bytes have been read. */
  async has(bytes: number): Promise<void> {
    await this.until(() => this.pieces.reduce((sum, { length }) => sum + length, 0) >= bytes);
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private note(event: string): void {
    this.events.push(event);
    if (!this.times.has(event)) this.times.set(event, this.network.now);
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Both ends of a connection. */
export interface Pair {
  /** Who has connected: `client`. */
  near: End;
  /** Who has accepted: `server`. */
  far: End;
  listener: Server;
}

export interface PairOptions {
  /** The server's. Default: 80. */
  port?: number;
  /** Default: 4. */
  family?: 4 | 6;
  /** As of node:net, for both ends: `end` is the program's to call. Default: true. */
  allowHalfOpen?: boolean;
}

/**
 * Opens a connection from `client` to `server`, inside `network.run`; both ends have seen it open.
 * Both read all that comes, unless their sockets are paused.
 */
export async function connectPair(scene: Scene, options: PairOptions = {}): Promise<Pair> {
  const { network, client, server } = scene;
  const { port = 80, family = 4, allowHalfOpen = true } = options;
  const host = family === 4 ? server.address : server.address6;
  const listener = server.net.createServer({ allowHalfOpen });
  const accepted = new Promise<End>((resolve) => {
    listener.on('connection', (socket: Socket) => resolve(new End(network, socket)));
  });
  await new Promise<void>((resolve) => listener.listen({ port, host }, resolve));
  const near = new End(network, client.net.connect({ port, host, allowHalfOpen }));
  await near.sees('connect');
  return { near, far: await accepted, listener };
}

/** Virtual time passes, inside `network.run`. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The states of a host's connections, as `ss -tan` lists them, without listeners. */
export function states(host: Host): string[] {
  return host
    .connections()
    .map(({ state }) => state)
    .filter((state) => state !== 'LISTEN');
}

/** `30 client P. 1:101 ack 1`: when and by whom it was sent, ms; its numbers from the SYNs on. */
export function brief({ time, from, flags, seq, length, ack }: TracedSegment): string {
  const numbers = `${seq}:${seq + length}`;
  return `${time} ${from} ${flags} ${numbers}${ack === undefined ? '' : ` ack ${ack}`}`;
}

/**
 * Stands before a host from now on: what `change` makes of a packet arrives instead of it. For what
 * a cable doesn't do.
 */
export function intercept(host: Host, change: (packet: Packet) => Packet[]): void {
  const arrive = host.arrive.bind(host);
  host.arrive = (packet) => {
    for (const one of change(packet)) arrive(one);
  };
}

/** Numbers forged packets, behind those of the hosts. */
let forged = 1e9;

/** A packet that none of the hosts has sent; `host.arrive` takes it. */
export function forge(fields: Fields): Packet {
  const slabs = new SlabTable();
  const batch = new SegmentBatch(1);
  const base = pushSegment(batch, slabs, fields);
  return Packet.take(batch, base, slabs.slabs, forged++);
}

/** The retransmission timeout for a round trip of 20 ms: 200 ms more (RFC 6298 §2), ms. */
export const RTO = 220;

/**
 * When a segment that nobody acknowledges is sent again, ms after the first time: a probe (RFC 8985
 * §7.2: two round trips and 200 ms, but no later than the timeout), from which on the timeout runs
 * anew, and doubles.
 */
export const RETRANSMISSIONS = Array.from({ length: 16 }, (_, i) =>
  i < 11 ? RTO * 2 ** i : RTO * 2 ** 10 + (i - 10) * 120_000,
);

/** When its sender gives up, ms after the first time. */
export const LIMIT = RETRANSMISSIONS[15] + 120_000;

/** Listens on the server; the connections that are accepted. */
export async function listen({ network, server }: Scene, port = 80): Promise<readonly End[]> {
  const accepted: End[] = [];
  const listener = server.net.createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(new End(network, socket));
  });
  await new Promise<void>((resolve) => listener.listen(port, resolve));
  return accepted;
}

/** The client connects; does not wait. */
export function connect({ network, client, server }: Scene, port = 80): End {
  return new End(network, client.net.connect({ port, host: server.address, allowHalfOpen: true }));
}
