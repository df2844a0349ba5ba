// A process with one TCP, the kernel's or ours, that does what a test tells it. The test starts one
// in each namespace; both sides run the same code over the API that they share.

import { once } from 'node:events';
import * as nodeDgram from 'node:dgram';
import * as nodeNet from 'node:net';

import { capture, impair, rawLink, Stack, tunLink } from '../../../lib';
import type { Settings } from '../../../lib/core/tcp/settings';
import { stateName } from '../../../lib/core/tcp/state';
import type { ImpairOptions } from '../../../lib/link/impair';
import type { Link } from '../../../lib/link/link';
import type { RawLinkOptions } from '../../../lib/link/raw';
import type { TunLinkOptions } from '../../../lib/link/tun';
import type { Net } from '../../../lib/net/net';
import { formatSegment } from '../../../lib/observe/tcpdump';
import { type Methods, serve } from '../../support/rpc';
import { datagramMethods } from './datagram-methods';
import { type AnySocket, Conversation, type Plan } from './conversation';
import { Gate } from './gate';
import { httpMethods } from './http-methods';
import { shortMethods } from './short-methods';
import { watch } from './watch';

/** Which TCP, and how. JSON. */
export interface PeerOptions {
  link: 'kernel' | 'raw' | 'tun';
  raw?: RawLinkOptions;
  tun?: TunLinkOptions;
  addresses?: string[];
  tcp?: Partial<Settings>;
  localPortRange?: [number, number];
  impair?: ImpairOptions;
  /** All segments can be held up, both ways (`hold`, `release`). */
  gate?: boolean;
  /** File to capture into. */
  capture?: string;
  /** Keep all segments as the real tcpdump prints them with -n -S -X (`dump`). */
  dump?: boolean;
  /** Keep all segments with the connection's state beside them (`trace`). */
  trace?: boolean;
}

let api = nodeNet as unknown as Net;
let stack: Stack | null = null;
const gate = new Gate();
const dumped: string[] = [];
const traced: string[] = [];
const conversations: Conversation[] = [];
const servers: { server: ReturnType<Net['createServer']>; accepted: number[] }[] = [];

function makeLink(options: PeerOptions): Link {
  let link = options.link === 'tun' ? tunLink(options.tun) : rawLink(options.raw);
  if (options.dump === true) link = watch(link, (line) => dumped.push(line));
  if (options.capture !== undefined) link = capture(link, options.capture);
  if (options.impair !== undefined) link = impair(link, options.impair);
  if (options.gate === true) link = impair(link, { seed: 1, delay: 1 }, gate);
  return link;
}

async function open(options: PeerOptions): Promise<void> {
  if (options.link === 'kernel') return;
  const { addresses, tcp, localPortRange } = options;
  const trace = (words: Int32Array, base: number, state: Parameters<typeof stateName>[0]) => {
    traced.push(`${formatSegment(words, base)} ${stateName(state)}`);
  };
  stack = await Stack.open({
    link: makeLink(options),
    addresses,
    tcp,
    localPortRange,
    trace: options.trace === true ? trace : undefined,
  });
  api = stack.net;
}

function begin(socket: AnySocket, plan: Plan): number {
  return conversations.push(new Conversation(socket, plan)) - 1;
}

/** Listens; each connection follows the plan. The port is `port`, or what it has become. */
async function listen(host: string, port: number, plan: Plan): Promise<[id: number, port: number]> {
  const allowHalfOpen = true;
  const server = api.createServer({ allowHalfOpen, pauseOnConnect: plan.stopAfter === 0 });
  const accepted: number[] = [];
  server.on('connection', (socket: AnySocket) => accepted.push(begin(socket, plan)));
  server.listen({ host, port });
  await once(server, 'listening');
  return [servers.push({ server, accepted }) - 1, (server.address() as { port: number }).port];
}

/** A connection that follows the plan; does not wait for it to be open. */
function connect(options: { host: string; port: number; localPort?: number }, plan: Plan): number {
  const socket = api.connect({ ...options, allowHalfOpen: true });
  return begin(socket as AnySocket, plan);
}

/** What is in use after the garbage was collected (needs --expose-gc), bytes. */
function memory(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const methods: Methods = {
  open,
  /** Waits for what is under way, as `Stack.close`. */
  close: async (timeout?: number) => {
    for (const { server } of servers) server.close();
    await stack?.close({ timeout });
  },
  counters: () => stack?.counters ?? null,
  /** Since the last `forget`. */
  dump: () => dumped,
  trace: () => traced,
  forget: () => {
    dumped.length = 0;
    traced.length = 0;
  },
  hold: () => gate.hold(),
  release: () => gate.release(),
  memory,
  listen,
  connect,
  accepted: (id: number) => servers[id].accepted,
  report: (id: number) => conversations[id].report(),
  write: (id: number, text: string) => void conversations[id].socket.write(text, 'latin1'),
  resume: (id: number) => void conversations[id].socket.resume(),
  pause: (id: number) => void conversations[id].socket.pause(),
  end: (id: number) => void conversations[id].socket.end(),
  reset: (id: number) => void conversations[id].socket.resetAndDestroy(),
  destroy: (id: number) => void conversations[id].socket.destroy(),
  unlisten: async (id: number) => {
    const { server } = servers[id];
    server.close();
    await once(server, 'close');
  },
  ...datagramMethods(() =>
    stack === null ? nodeDgram : (stack.dgram as unknown as typeof nodeDgram),
  ),
  ...httpMethods(() => api),
  ...shortMethods(() => api),
};

serve(methods);
