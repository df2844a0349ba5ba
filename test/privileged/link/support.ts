import { Flag } from '../../../lib/core/segment/layout';
import { NamespacePair, type Namespace } from '../../support/netns';
import type { Script, ScriptOptions } from '../../support/script';
import type { Seen, ToSend } from './link-child';

/** What link-child's `take` gives. */
export interface Taken {
  seen: Seen[];
  total: number;
  batches: number;
  longest: number;
  writable: number;
  down: { code: string; errno: number; syscall: string } | null;
}

export type Counters = Record<string, number>;

/** Words that make a process nobody with these capabilities alone. */
export function asNobody(...capabilities: string[]): string[] {
  const inherited = capabilities.map((name) => `+${name}`).join(',') || '-all';
  const set = [`--inh-caps=${inherited}`, `--ambient-caps=${inherited}`];
  return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...set];
}

export async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 4000;
  while (Date.now() < end) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`in four seconds not: ${what}`);
}

/** Waits for what may still be under way where what was sent is expected to be without effect. */
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
    await this.peer.call('take');
    await this.send(place, port, { flags: Flag.SYN });
    await this.send(place, port, { flags: Flag.ACK });
    await this.send(place, port, { flags: Flag.ACK | Flag.PSH, length: 9 });
    await this.send(place, port, { flags: Flag.ACK | Flag.FIN });
    await this.send(place, port, { flags: Flag.ACK | Flag.SYN });
    await this.send(place, port, { flags: Flag.SYN, hopLimit: 255 });
    await settle();
    return (await this.peer.call<Taken>('take')).seen.map((each) => each.flags);
  }

  async close(): Promise<void> {
    await this.pair.close();
  }
}

/** How many segments `provoke` sends. */
export const PROVOCATIONS = 6;

export const RESET = Flag.RST | Flag.ACK;
