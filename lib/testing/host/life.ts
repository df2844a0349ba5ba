import type { Random } from '../../core/environment';
import type { SegmentBatch } from '../../core/segment/batch';
import { isTcp } from '../../core/segment/kind';
import { Direction, Word } from '../../core/segment/layout';
import type { StackCore } from '../../core/stack/stack-core';
import { FreePorts } from '../../core/stack/free-ports';
import type { CongestionController } from '../../core/tcp/congestion-controller';
import type { Settings } from '../../core/tcp/settings';
import { State } from '../../core/tcp/state';
import { Driver, DriverBase } from '../../driver/driver';
import { Packet } from '../engine/packet';
import type { Simulation } from '../engine/simulation';
import { HostClock } from './clock';
import type { HostPaths } from './paths';
import { HostPort } from './port';

/** What a life needs of its host. */
export interface LifeHost {
  readonly name: string;
  readonly simulation: Simulation;
  readonly paths: HostPaths;
  readonly tcp: Partial<Settings> | undefined;
  readonly congestionControl: string | CongestionController | undefined;
  readonly localPortRange: readonly [number, number] | undefined;
  /** Whether anybody wants to know of segments and states. */
  readonly isWatched: boolean;
  /** Numbers the packets of the network. */
  nextPacket(): number;
  /** Takes a packet that leaves the stack. */
  leave(packet: Packet, state: State): void;
  /** A packet was processed; what it gives rise to has not been sent yet. */
  received(packet: Packet, state: State): void;
  /** The stack has come to rest again. */
  settled(): void;
}

/** What a host is from one boot to the next: a stack, its clock and its port. */
export class Life {
  readonly clock: HostClock;
  readonly driver: Driver;
  private readonly port: HostPort;
  private running = true;
  /** States of the segments that are about to be sent. */
  private states: State[] = [];
  private place = 0;
  private arriving: Packet | null = null;

  constructor(
    private readonly host: LifeHost,
    random: Random,
    rate: number,
  ) {
    this.clock = new HostClock(host.simulation, () => host.settled());
    this.clock.rate = rate;
    const { tcp, congestionControl } = host;
    const options = { clock: this.clock, random, tcp, congestionControl };
    const base = new DriverBase(options);
    const { paths } = host;
    const outlet = {
      get mtu() {
        return paths.mtu;
      },
      send: (batch: SegmentBatch, at: number, slabs: readonly Uint8Array[]) =>
        this.send(batch, at, slabs),
    };
    this.port = new HostPort(host.name, base.context, outlet);
    const ports = new FreePorts(...(host.localPortRange ?? []));
    this.driver = Driver.start(base, { port: this.port, paths, ports }, options);
    if (!host.isWatched) return;
    this.core.onTrace = (words, at, state) => {
      if (words[at + Word.Direction] === Direction.Out) this.states.push(state);
      else if (this.arriving !== null) host.received(whole(this.arriving, words, at), state);
    };
  }

  get core(): StackCore {
    return this.driver.core;
  }

  /** Hands a packet to the stack; false when it can't be read. */
  receive(packet: Packet): boolean {
    this.arriving = packet;
    const isRead = this.port.deliver(packet);
    if (isRead && !packet.isSegment && this.host.isWatched)
      this.host.received(packet, State.CLOSED);
    return isRead;
  }

  /** Nothing more is heard of it, neither by its peers nor by its program. */
  end(): void {
    this.running = false;
    this.clock.stop();
    this.driver.close();
  }

  private send(batch: SegmentBatch, base: number, slabs: readonly Uint8Array[]): void {
    const isSegment = isTcp(batch.words, base);
    const state = isSegment && this.host.isWatched ? this.takeState() : State.CLOSED;
    if (!this.running) return;
    if (isSegment) {
      this.host.leave(Packet.take(batch, base, slabs, this.host.nextPacket()), state);
      return;
    }
    for (const packet of Packet.takeOther(batch, base, slabs)) {
      packet.id = this.host.nextPacket();
      this.host.leave(packet, state);
    }
  }

  private takeState(): State {
    const state = this.states[this.place++];
    if (this.place === this.states.length) {
      this.states.length = 0;
      this.place = 0;
    }
    return state;
  }
}

/** A segment as the stack has it: the packet that has arrived, or what its fragments were. */
function whole(packet: Packet, words: Int32Array, at: number): Packet {
  if (packet.isSegment) return packet;
  const segment = packet.copy();
  segment.words.set(words.subarray(at, at + Word.Stride));
  return segment;
}
