import type { Link, LinkContext, LinkPort } from '../../lib/link/link';
import { memoryLink } from '../../lib/link/memory';
import { Stack } from '../../lib/stack';
import type { StackOptions } from '../../lib/stack';
import { ManualClock, settle } from './manual-clock';
import { once } from './net-apis';

/** A memory link that can be cut: then all that is sent is lost. */
export class Cable implements Link {
  readonly kind = 'memory';
  cut = false;
  private readonly inner = memoryLink({ mtu: 1500 });

  async open(context: LinkContext): Promise<LinkPort> {
    const port = await this.inner.open(context);
    return {
      name: port.name,
      mtu: port.mtu,
      gsoMax: port.gsoMax,
      counters: port.counters,
      transmit: (batch) => this.cut || port.transmit(batch),
      ref: () => port.ref(),
      unref: () => port.unref(),
      close: () => port.close(),
    };
  }
}

/** Two stacks on a cable, under one clock that the test moves. */
export class Bench {
  private constructor(
    readonly clock: ManualClock,
    readonly cable: Cable,
    readonly near: Stack,
    readonly far: Stack,
  ) {}

  static async open(options: StackOptions = {}): Promise<Bench> {
    const clock = new ManualClock();
    const cable = new Cable();
    const open = (address: string) =>
      Stack.open({ link: cable, addresses: [address], clock, ...options });
    return new Bench(clock, cable, await open('10.0.0.1/24'), await open('10.0.0.2/24'));
  }

  async connect(options: object = {}) {
    const server = this.far.net.createServer();
    server.listen(7, '10.0.0.2');
    const accepted = once(server, 'connection');
    const client = this.near.net.connect({ port: 7, host: '10.0.0.2', ...options });
    const [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
    return { server, client, peer: (peer as typeof client).resume() };
  }

  async close(): Promise<void> {
    this.near.destroy();
    this.far.destroy();
    await settle();
  }
}
