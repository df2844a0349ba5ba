import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StackCore } from '../../../lib/core/stack/stack-core';
import { Namespace } from '../../support/netns';
import { Kernel, Ours } from './backend';
import { PORTS, remoteAddress, Talk, type Exchange, type Transcript } from './exchange';
import { hostOptions } from '../options';
import { Forks } from './forks';
import { readOther } from './other-wire';
import { readPacket } from './wire';

/** The kernel's side of the protocol, which comes beside a clone of the project. */
const REFERENCE = resolve(__dirname, '../../../../shared/conformance/kernel_reference.py');

export function hasReference(): boolean {
  return existsSync(REFERENCE);
}

/** CUBIC may not become the default of a namespace where the host's administrator forbids it. */
export const CONGESTION = 'net.ipv4.tcp_congestion_control';

/** Linux's defaults, whatever this machine has made of them. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_rmem': '4096 131072 6291456',
  'net.ipv4.tcp_wmem': '4096 16384 4194304',
  // Connections to one peer would learn from each other.
  'net.ipv4.tcp_no_metrics_save': '1',
  'net.ipv4.tcp_syncookies': '0',
  [CONGESTION]: 'reno',
};

/** kernel_reference.py, listening. */
interface Server {
  pid: number;
  socket: string;
}

/** A namespace in which kernel_reference.py serves one connection after another. */
export class Reference {
  private readonly folder = mkdtempSync(join(tmpdir(), 'netland-'));
  private readonly forks: Forks;
  private served = 0;
  /** What sysctls are when no exchange sets them. */
  private readonly usual = new Map<string, string>();
  /** The process that serves the next exchange. */
  private waiting: Promise<Server>;

  private constructor(
    private readonly namespace: Namespace,
    private readonly family: 4 | 6,
  ) {
    this.forks = new Forks(namespace.via, REFERENCE);
    this.waiting = this.serve();
  }

  static async start(family: 4 | 6): Promise<Reference> {
    return new Reference(await linuxNamespace(), family);
  }

  /** Runs an exchange against the kernel, step by step as `model` went. */
  async run(exchange: Exchange, model: Talk, firstPort: number): Promise<Talk> {
    const { namespace } = this;
    const { sysctls = {} } = exchange;
    const before = await this.usually(Object.keys(sysctls));
    await setSysctls(namespace, sysctls);
    const { pid, socket } = await this.waiting;
    const remote = remoteAddress(this.family);
    const isOurs = (packet: Buffer): boolean => {
      const other = readOther(packet, String);
      const port = readPacket(packet)?.destinationPort ?? other?.destinationPort ?? 0;
      // What has no ports: fragments and ICMP.
      if (port < 0) return other?.destination === remote;
      return port >= firstPort && port < firstPort + PORTS;
    };
    const backend = await Kernel.connect(socket, isOurs);
    // The next one takes its time to start.
    this.waiting = this.serve();
    const talk = new Talk(backend, this.family, firstPort, model.counts);
    try {
      await backend.request('hello', { proto: 1, vtime: 0 });
      await exchange.run(talk);
    } finally {
      await backend.end();
      await this.forks.kill(pid);
      await setSysctls(namespace, before);
    }
    return talk;
  }

  /** A kernel for conversations that are no exchange, until the end. */
  async connect(isOurs: (packet: Buffer) => boolean): Promise<Kernel> {
    const { socket } = await this.waiting;
    const kernel = await Kernel.connect(socket, isOurs);
    await kernel.request('hello', { proto: 1, vtime: 0 });
    return kernel;
  }

  /** A process for each exchange: one that has served holds its device until it ends. */
  private async serve(): Promise<Server> {
    const socket = join(this.folder, String(++this.served));
    const place =
      this.family === 4
        ? ['192.168.0.1/16', '-', '192.0.2.0/24']
        : ['fd3d:fa7b:d17d::1/48', '-', '2001:db8::/32'];
    return { pid: await this.forks.start(socket, ...place), socket };
  }

  /** What these sysctls are when no exchange sets them. */
  private async usually(keys: readonly string[]): Promise<Record<string, string>> {
    for (const key of keys.filter((one) => !this.usual.has(one))) {
      this.usual.set(key, (await this.namespace.run('sysctl', '-n', key)).stdout.trim());
    }
    return Object.fromEntries(keys.map((key) => [key, this.usual.get(key) ?? '']));
  }

  async close(): Promise<void> {
    await this.waiting;
    await this.forks.close();
    await this.namespace.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** A namespace with Linux's defaults. */
export async function linuxNamespace(): Promise<Namespace> {
  const namespace = await Namespace.create();
  await setSysctls(namespace, DEFAULTS);
  return namespace;
}

async function setSysctls(
  namespace: Namespace,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const words = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  if (words.length > 0) await namespace.run('sysctl', '-qw', ...words);
}

/**
 * Runs an exchange against our stack.
 * @param look sees the stack at the end of it
 */
export async function runOurs(
  exchange: Exchange,
  firstPort: number,
  look: (core: StackCore) => void = () => undefined,
): Promise<Talk> {
  const backend = new Ours(hostOptions({ remote: '192.0.2.0/24', remote6: '2001:db8::/32' }));
  const talk = new Talk(backend, exchange.family ?? 4, firstPort);
  await backend.request('hello', { proto: 1, io: 'json', pid: process.pid, flags: '' });
  for (const [key, value] of Object.entries({ [CONGESTION]: 'reno', ...exchange.sysctls })) {
    const { ret } = await backend.request('sysctl', { key, value });
    if (ret !== 0) throw new Error(`sysctl ${key} is not known`);
  }
  await exchange.run(talk);
  look(backend.core);
  await backend.end();
  return talk;
}

/** A timer of the kernel may come early by its tick, and late by what the machine has to do. */
const EARLY = 15_000;
const LATE = 120_000;

/** By how much windows may differ where Linux's device matters (`Exchange.deviceMemory`). */
const WINDOW_SHARE = 0.15;

/** Both transcripts as lines, which are the same where nothing differs. */
export interface Comparison {
  ours: string[];
  kernel: string[];
  isSame: boolean;
}

/** @param deviceMemory windows are compared as `Exchange.deviceMemory` says */
export function compare(ours: Transcript, kernel: Transcript, deviceMemory: boolean): Comparison {
  const share = deviceMemory ? WINDOW_SHARE : 0;
  const calls = side(ours.calls, kernel.calls, share);
  const packets = side(ours.packets, kernel.packets, share);
  const lines = {
    ours: [...calls.ours, '--- packets', ...packets.ours],
    kernel: [...calls.kernel, '--- packets', ...packets.kernel],
  };
  return { ...lines, isSame: lines.ours.join('\n') === lines.kernel.join('\n') };
}

type Entries = Transcript['calls'];

/** Lines with their step; times only where they are too far apart. */
function side(ours: Entries, kernel: Entries, share: number): { ours: string[]; kernel: string[] } {
  const far = (index: number): boolean => {
    const a = ours[index]?.after ?? null;
    const b = kernel[index]?.after ?? null;
    if (a === null || b === null) return false;
    return b < a - EARLY - a / 50 || b > a + LATE + a / 10;
  };
  const differ = (index: number): boolean => {
    const a = ours[index]?.window ?? null;
    const b = kernel[index]?.window ?? null;
    if (a === null || b === null) return a !== b;
    if (a === 0 || b === 0) return a !== b;
    return Math.abs(a - b) > share * b;
  };
  const lines = (entries: Entries): string[] =>
    entries.map(({ step, text, after, window }, index) => {
      const time = after !== null && far(index) ? ` after ${Math.round(after / 1000)} ms` : '';
      return `${step} ${text}${differ(index) ? ` win ${window}` : ''}${time}`;
    });
  return { ours: lines(ours), kernel: lines(kernel) };
}
