import type { StackCounters } from '../../../lib';
import type { Namespace } from '../../support/netns';
import type { Script, ScriptOptions } from '../../support/script';
import type { Plan, Report } from './conversation';
import type { DatagramPlan, Message } from './datagram-methods';
import type { Fetched } from './http-methods';
import type { PeerOptions } from './peer';
import type { ShortRun } from './short-methods';
import { until } from '../../support/until';

/** What a connection may take at most, ms. */
const PATIENCE = 120_000;

/** One end of a connection, in a process of its own. */
export class End {
  constructor(
    private readonly script: Script,
    readonly id: number,
  ) {}

  /** Waits for 'connect' or 'close'. */
  opened(): Promise<Report> {
    return this.after('connect');
  }

  /** Waits for 'close'. */
  closed(): Promise<Report> {
    return this.after('close');
  }

  /** A script serves one call after another: one that waited there would hold up the others. */
  private after(event: string): Promise<Report> {
    return until(
      () => this.report(),
      ({ events }) => events.includes(event) || events.includes('close'),
      PATIENCE,
    );
  }

  report(): Promise<Report> {
    return this.script.call('report', this.id);
  }

  write(text: string): Promise<void> {
    return this.script.call('write', this.id, text);
  }

  resume(): Promise<void> {
    return this.script.call('resume', this.id);
  }

  pause(): Promise<void> {
    return this.script.call('pause', this.id);
  }

  end(): Promise<void> {
    return this.script.call('end', this.id);
  }

  reset(): Promise<void> {
    return this.script.call('reset', this.id);
  }

  destroy(): Promise<void> {
    return this.script.call('destroy', this.id);
  }
}

export class Listener {
  constructor(
    private readonly script: Script,
    private readonly id: number,
    readonly port: number,
  ) {}

  /** Waits for the connection number `index`, from 0. */
  async accepted(index: number): Promise<End> {
    const ids = await until(
      () => this.script.call<number[]>('accepted', this.id),
      ({ length }) => length > index,
    );
    return new End(this.script, ids[index]);
  }

  /** Waits until the server and its connections are closed. */
  close(): Promise<void> {
    return this.script.call('unlisten', this.id);
  }
}

/** A socket for datagrams. */
export class Post {
  constructor(
    private readonly script: Script,
    readonly id: number,
    readonly port: number,
  ) {}

  /** Text, or so many bytes of the pattern; 'sent', or the code of the error. */
  send(bytes: number | string, port?: number, address?: string): Promise<string> {
    return this.script.call('datagramSend', this.id, bytes, port ?? null, address);
  }

  /** Waits until so many messages have come, or more; the last of them. */
  async received(count: number): Promise<Message> {
    const all = await until(
      () => this.script.call<Message[]>('datagramMessages', this.id),
      ({ length }) => length >= count,
    );
    return all[all.length - 1];
  }

  /** Codes of errors so far. */
  errors(): Promise<string[]> {
    return this.script.call('datagramErrors', this.id);
  }

  close(): Promise<void> {
    return this.script.call('datagramClose', this.id);
  }
}

/** A process with one TCP, the kernel's or ours, in a namespace: peer.ts as the test sees it. */
export class Side {
  private constructor(readonly script: Script) {}

  static async start(
    namespace: Namespace,
    options: PeerOptions,
    how: ScriptOptions = {},
  ): Promise<Side> {
    const side = new Side(namespace.script('test/interop/support/peer.ts', how));
    await side.script.call('open', options);
    return side;
  }

  async listen(host: string, port: number, plan: Plan): Promise<Listener> {
    const [id, actual] = await this.script.call<[number, number]>('listen', host, port, plan);
    return new Listener(this.script, id, actual);
  }

  /** Does not wait for the connection to be open. */
  async connect(host: string, port: number, plan: Plan, localPort?: number): Promise<End> {
    const id = await this.script.call<number>('connect', { host, port, localPort }, plan);
    return new End(this.script, id);
  }

  async post(plan: DatagramPlan): Promise<Post> {
    const [id, port] = await this.script.call<[number, number]>('datagramOpen', plan);
    return new Post(this.script, id, port);
  }

  /** As `Stack.close`. */
  close(timeout?: number): Promise<void> {
    return this.script.call('close', timeout);
  }

  /** Ours only. */
  counters(): Promise<StackCounters> {
    return this.script.call('counters');
  }

  /** Segments since the last `forget`, if it was opened with `dump`. */
  dump(): Promise<string[]> {
    return this.script.call('dump');
  }

  /** Segments and states since the last `forget`, if it was opened with `trace`. */
  trace(): Promise<string[]> {
    return this.script.call('trace');
  }

  /** Drops what `dump` and `trace` would give. */
  forget(): Promise<void> {
    return this.script.call('forget');
  }

  /** Holds up all segments, both ways, until `release`; it must have been opened with `gate`. */
  hold(): Promise<void> {
    return this.script.call('hold');
  }

  release(): Promise<void> {
    return this.script.call('release');
  }

  /** Bytes in use; the script must have been started with --expose-gc. */
  memory(): Promise<number> {
    return this.script.call('memory');
  }

  /** An echo server for short connections; the port. */
  shortServe(host: string): Promise<number> {
    return this.script.call('shortServe', host, 0);
  }

  shortServed(): Promise<{ accepted: number; failed: number }> {
    return this.script.call('shortServed');
  }

  shortRun(host: string, port: number, count: number): Promise<ShortRun> {
    return this.script.call('shortRun', host, port, count);
  }

  /** A server of the pattern (http-methods.ts); the port. */
  httpListen(host: string, port: number): Promise<number> {
    return this.script.call('httpListen', host, port);
  }

  httpGet(urls: string[], how: { keepAlive: boolean; atOnce?: boolean }): Promise<Fetched[]> {
    return this.script.call('httpGet', urls, how.keepAlive, how.atOnce ?? false);
  }

  httpPost(url: string, bytes: number): Promise<Fetched> {
    return this.script.call('httpPost', url, bytes);
  }
}
