import { Flag } from '../../../lib/core/segment/layout';
import { loadNative } from '../../../lib/link/native';
import { Daemon } from '../../interop/support/daemon';
import { NamespacePair, type Namespace } from '../../support/netns';
import type { Script, ScriptOptions } from '../../support/script';
import { until } from '../../support/until';
import type { Seen, ToSend } from './link-child';

/** What link-child's `take` gives. */
export interface Taken {
  seen: Seen[];
  total: number;
  /** Of these, what neither is TCP nor quotes it. */
  others: number;
  batches: number;
  longest: number;
  writable: number;
  down: { code: string; errno: number; syscall: string } | null;
}

export type Counters = Record<string, number>;

/**
 * Words that make a process nobody with these capabilities alone, and with the one to read any
 * file: a checkout in a folder of its owner's own (mode 0700) hides this project from nobody.
 */
export function asNobody(...capabilities: string[]): string[] {
  const inherited = ['dac_read_search', ...capabilities].map((name) => `+${name}`).join(',');
  const set = [`--inh-caps=${inherited}`, `--ambient-caps=${inherited}`];
  return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...set];
}

/**
 * Waits for what may still be under way where what was sent is expected to be without effect. Too
 * short on a slow machine it may miss something; what is expected to come is waited for.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

export function linkChild(namespace: Namespace, options: ScriptOptions = {}): Script {
  return namespace.script('test/privileged/link/link-child.ts', options);
}

export async function openRaw(
  namespace: Namespace,
  options: object = {},
  via: string[] = [],
): Promise<Script> {
  const script = linkChild(namespace, { via });
  await script.call('openRaw', options);
  return script;
}

/** `take` until so many segments have come, or more. */
export async function taken(script: Script, count: number): Promise<Taken> {
  let all: Taken | null = null;
  return until(
    async () => {
      const next = await script.call<Taken>('take');
      all = all === null ? next : merge(all, next);
      return all;
    },
    ({ total }) => total >= count,
  );
}

function merge(before: Taken, next: Taken): Taken {
  return {
    ...next,
    seen: [...before.seen, ...next.seen],
    total: before.total + next.total,
    batches: before.batches + next.batches,
    longest: Math.max(before.longest, next.longest),
  };
}

/** Our address and the other's, of one family. */
export interface Place {
  local: string;
  remote: string;
}

/**
 * Two namespaces: a is where the link under test will be opened, b has one that sends what it likes
 * from port 5555 and hears the answers.
 */
export class Bench {
  private constructor(
    readonly pair: NamespacePair,
    readonly peer: Script,
  ) {}

  static async create(): Promise<Bench> {
    expect(loadNative().reason).toBeNull();
    const pair = await NamespacePair.create();
    const peer = await openRaw(pair.b.namespace);
    await peer.call('reserve', '0.0.0.0', 5555);
    await peer.call('reserve', '::', 5555);
    return new Bench(pair, peer);
  }

  /** Namespace a. */
  get here(): Namespace {
    return this.pair.a.namespace;
  }

  get places(): [four: Place, six: Place] {
    const { a, b } = this.pair;
    return [
      { local: a.address4, remote: b.address4 },
      { local: a.address6, remote: b.address6 },
    ];
  }

  /** Lets the peer send; a SYN unless it says otherwise. */
  async send(place: Place, port: number, more: Partial<ToSend> = {}): Promise<void> {
    const ends = { source: place.remote, sourcePort: 5555, destination: place.local };
    await this.peer.call('send', { ...ends, destinationPort: port, flags: Flag.SYN, ...more });
  }

  /** Sends one of each kind to a port; the flags of what comes back. */
  async provoke(place: Place, port: number): Promise<number[]> {
    await this.pass(place);
    await this.send(place, port, { flags: Flag.SYN });
    await this.send(place, port, { flags: Flag.ACK });
    await this.send(place, port, { flags: Flag.ACK | Flag.PSH, length: 9 });
    await this.send(place, port, { flags: Flag.ACK | Flag.FIN });
    await this.send(place, port, { flags: Flag.ACK | Flag.SYN });
    await this.send(place, port, { flags: Flag.SYN, hopLimit: 255 });
    const seen = await this.pass(place);
    await settle();
    seen.push(...(await this.peer.call<Taken>('take')).seen);
    return seen.filter(({ sourcePort }) => sourcePort === port).map(({ flags }) => flags);
  }

  /**
   * Waits until what was sent before has arrived: the kernel has answered a SYN that came behind
   * it. Again after a second, since an interface drops at first when it was set up. Gives what the
   * peer has seen meanwhile.
   */
  private async pass(place: Place): Promise<Seen[]> {
    const seen: Seen[] = [];
    let sent = -Infinity;
    await until(
      async () => {
        if (Date.now() - sent > 1000) {
          sent = Date.now();
          await this.send(place, CLOSED_PORT);
        }
        seen.push(...(await this.peer.call<Taken>('take')).seen);
        return seen;
      },
      () => seen.some(({ sourcePort }) => sourcePort === CLOSED_PORT),
    );
    return seen;
  }

  async close(): Promise<void> {
    await this.pair.close();
  }
}

/** Each line is an address, how often, and packets in hexadecimal digits, sent as they are. */
const SEND_PACKETS = `
import socket, sys
RAW = socket.IPPROTO_RAW
four = socket.socket(socket.AF_INET, socket.SOCK_RAW, RAW)
six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, RAW)
print('ready', flush=True)
for number, line in enumerate(sys.stdin):
    to, times, *packets = line.split()
    packets = [bytes.fromhex(each) for each in packets]
    raw = six if ':' in to else four
    for i in range(int(times)):
        for packet in packets:
            raw.sendto(packet, (to, 0))
    print('sent', number, flush=True)
`;

/** Sends whatever packets from a namespace. */
export class PacketSender {
  #lines = 0;

  private constructor(private readonly python: Daemon) {}

  static async start(namespace: Namespace): Promise<PacketSender> {
    const command = ['python3', '-c', SEND_PACKETS];
    return new PacketSender(await Daemon.start(namespace, command, /^ready$/m));
  }

  /** All of them in order, so many times over. */
  async send(to: string, packets: readonly Uint8Array[], times = 1): Promise<void> {
    const digits = packets.map((packet) => Buffer.from(packet).toString('hex'));
    this.python.write(`${to} ${times} ${digits.join(' ')}\n`);
    await this.python.printed(new RegExp(`^sent ${this.#lines++}$`, 'm'));
  }

  async stop(): Promise<void> {
    await this.python.stop('SIGKILL');
  }
}

/** How many segments `provoke` sends. */
export const PROVOCATIONS = 6;

/** Nobody has it: the kernel answers RST. */
const CLOSED_PORT = 9;

export const RESET = Flag.RST | Flag.ACK;
