import { buildReceived } from '../../lib/codec/build-received';
import { Icmp4, Icmp6 } from '../../lib/core/icmp/icmp-error';
import {
  ANY4,
  ANY6,
  isIpv4,
  parseAddress,
  readAddress,
  writeAddress,
  type IpAddress,
} from '../../lib/core/ip/address';
import { IcmpWord, IpProtocol, Word } from '../../lib/core/segment/layout';
import { DatagramOption } from '../../lib/core/socket/datagram-options';
import { MtuDiscover } from '../../lib/core/socket/options';
import type { StackCore } from '../../lib/core/stack/stack-core';
import type { DatagramInfo } from '../../lib/core/udp/datagram-info';
import type { Host } from '../../lib/testing';
import { Packet } from '../../lib/testing/engine/packet';
import { Chance } from './chance';
import { DatagramEnd, Registry } from './datagram-end';
import { SECOND, Task } from './task';
import type { World } from './world';

/** Where every host echoes, where it reads slowly, and where groups meet. */
const ECHO_PORT = 7;
const SINK_PORT = 9;
const GROUP_PORT = 10;
const GROUP4 = address('239.1.1.1');
const GROUP6 = address('ff05::101');
const ALL4 = [address('255.255.255.255'), address('10.255.255.255')];
/** Longest datagrams: a piece of every path, and what IPv4 has room for. */
const SMALL = 150;
const LONGEST = 65_507;
/** How long an answer may take in a network that is whole, µs. */
const PATIENCE = 20 * SECOND;

function address(text: string): IpAddress {
  const found = parseAddress(text);
  if (found === null) throw new Error(text);
  return found;
}

type Heard = (end: DatagramEnd, info: DatagramInfo, length: number) => void;
const nothing: Heard = () => undefined;

/** The programs with UDP sockets on the hosts of a network, and who pings whom. */
export class Datagrams {
  readonly registry = new Registry();
  pings = 0;
  private readonly chance: Chance;
  private readonly ends: DatagramEnd[] = [];
  private readonly starts: Task[] = [];
  /** What programs have read of each stack. */
  private readonly read = new Map<StackCore, DatagramEnd[]>();

  /**
   * @param isSpoilt bits are flipped in this life: of two in one datagram the one could hide the
   *   other from the checksum, so that it goes in one packet
   */
  constructor(
    seed: number,
    private readonly world: World,
    private readonly isSpoilt: boolean,
    private readonly onError: (error: unknown) => void,
  ) {
    this.chance = new Chance(seed ^ 0x0da7a);
  }

  /** What is to be done within so many µs. */
  plan(within: number): void {
    const { chance, world } = this;
    for (const host of world.hosts) this.serve(host);
    const count = chance.pick([0, 2, 4, 10]);
    for (let i = 0; i < count; i++) {
      const begin = chance.pick([
        () => this.ask(),
        () => this.flood(),
        () => this.meet(),
        () => this.ping(),
      ]);
      const start = new Task(world.network.simulation, () => this.attempt(begin));
      this.starts.push(start.after(chance.below(within)));
    }
  }

  /** What runs on a host from its boot on. */
  serve(host: Host): void {
    const { chance } = this;
    if (host.state !== 'up') return;
    const echo = this.open(host, 6, (end, info, length) => {
      // Who has no port wants no answer.
      if (info.sourcePort === 0 || length === 0) return;
      end.send(readAddress(info.source, 0), info.sourcePort, length);
    });
    echo.socket.bind(ANY6, ECHO_PORT);
    const sink = this.open(host, 6, nothing, true);
    sink.socket.setOption(DatagramOption.ReceiveBuffer, chance.pick([0, 5000, 106_496]));
    sink.socket.bind(ANY6, SINK_PORT);
    const [pause, most] = [chance.pick([10_000, 50_000, 2 * SECOND]), 1 + chance.below(20)];
    sink.repeat(
      () => sink.receive(most),
      () => chance.below(pause),
    );
    host.flush();
  }

  private attempt(begin: () => void): void {
    try {
      begin();
    } catch (error) {
      this.onError(error);
    }
  }

  private open(host: Host, family: 4 | 6, heard: Heard, isSlow = false): DatagramEnd {
    const end = new DatagramEnd(host, family, this.registry, heard, this.onError, isSlow);
    this.ends.push(end);
    const { core } = host;
    this.read.set(core, [...(this.read.get(core) ?? []), end]);
    return end;
  }

  private pair(): [Host, Host] | null {
    const [from, to] = [this.world.someHostOf(this.chance), this.world.someHostOf(this.chance)];
    return from.state === 'up' ? [from, to] : null;
  }

  private length(): number {
    const { chance, world, isSpoilt } = this;
    if (isSpoilt) return chance.below(SMALL);
    const some = [0, 1, 100, 1000, world.mtu - 28, world.mtu, 3000, chance.below(LONGEST + 1)];
    return chance.pick(some);
  }

  /** A client asks the echo server, or a port that nobody has, connected or not. */
  private ask(): void {
    const { chance } = this;
    const pair = this.pair();
    if (pair === null) return;
    const [from, to] = pair;
    const family = chance.pick(this.world.families);
    const port = chance.percent(80) ? ECHO_PORT : 11;
    const end = this.open(from, family, nothing);
    const remote = addressOf(to, family);
    const isConnected = chance.percent(60) && end.socket.connect(remote, port) === 0;
    this.setUp(end);
    if (chance.percent(30)) end.socket.setOption(DatagramOption.ReceiveErrors, 1);
    const pause = chance.pick([0, 1000, 100_000, SECOND]);
    end.repeat(
      () => {
        end.receive();
        end.send(isConnected ? null : remote, isConnected ? 0 : port, this.length());
        while (typeof end.socket.takeKeptError() !== 'number');
      },
      () => chance.below(pause + 1),
      chance.pick([1, 10, 100]),
    );
    this.closeLater(end);
    from.flush();
  }

  /** As much as the socket takes, again and again, into whatever the links are. */
  private flood(): void {
    const { chance } = this;
    const pair = this.pair();
    if (pair === null) return;
    const [from, to] = pair;
    const family = chance.pick(this.world.families);
    const end = this.open(from, family, nothing);
    this.setUp(end);
    if (chance.percent(50)) end.socket.setOption(DatagramOption.SendBuffer, 0);
    const remote = addressOf(to, family);
    const length = this.length();
    end.repeat(
      () => {
        for (let i = 0; i < 50 && end.send(remote, SINK_PORT, length) >= 0; i++);
      },
      () => chance.below(SECOND / 10),
      chance.pick([1, 5]),
    );
    this.closeLater(end);
    from.flush();
  }

  /** Some join a group, and talk to it, or to all, with no router that would carry it farther. */
  private meet(): void {
    const { chance } = this;
    const family = chance.pick(this.world.families);
    const group = family === 4 ? GROUP4 : GROUP6;
    for (const host of this.world.hosts) {
      if (host.state !== 'up' || chance.percent(30)) continue;
      const end = this.open(host, family, nothing);
      this.setUp(end);
      end.socket.setOption(DatagramOption.ReuseAddress, 1);
      end.socket.setOption(DatagramOption.Broadcast, 1);
      end.socket.setOption(DatagramOption.MulticastLoop, chance.below(2));
      end.socket.setOption(DatagramOption.MulticastTtl, chance.below(4));
      end.socket.bind(family === 4 ? ANY4 : ANY6, GROUP_PORT);
      if (chance.percent(80)) end.socket.groups.join(group);
      end.repeat(
        () => {
          end.receive();
          const toAll = family === 4 && chance.percent(30);
          end.send(toAll ? chance.pick(ALL4) : group, GROUP_PORT, this.length());
        },
        () => chance.below(SECOND),
        chance.below(10),
      );
      this.closeLater(end);
      host.flush();
    }
  }

  private setUp(end: DatagramEnd): void {
    const { chance } = this;
    const modes = [MtuDiscover.Want, MtuDiscover.Want, MtuDiscover.Do, MtuDiscover.Dont];
    const mode = this.isSpoilt ? MtuDiscover.Do : chance.pick([...modes, MtuDiscover.Probe]);
    end.socket.setOption(DatagramOption.MtuDiscover, mode);
    if (chance.percent(10)) end.socket.setOption(DatagramOption.Ttl, 1 + chance.below(3));
    if (chance.percent(10)) end.socket.setOption(DatagramOption.TrafficClass, chance.below(256));
  }

  private closeLater(end: DatagramEnd): void {
    const task = new Task(this.world.network.simulation, () => {
      if (end.host.state !== 'up') task.after(SECOND);
      else if (!end.isOver) end.close();
    });
    task.after(this.chance.below(30 * SECOND));
  }

  /** ICMP echo on the wire of a host, in its name. */
  private ping(): void {
    const { chance, world } = this;
    const pair = this.pair();
    if (pair === null) return;
    const [from, to] = pair;
    const family = chance.pick(world.families);
    const link = world.links.find(({ ends }) => ends.includes(from.name));
    const wire = link?.cable.wires[link.ends[0] === from.name ? 0 : 1];
    if (wire === undefined || from === to) return;
    const words = new Int32Array(Word.Stride);
    words[Word.Family] = family;
    words[Word.Protocol] = family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
    words[Word.HopLimit] = chance.pick([64, 1, 2]);
    words[IcmpWord.Kind] = (family === 4 ? Icmp4.Echo : Icmp6.Echo) << 8;
    words[IcmpWord.Rest] = ++this.pings;
    writeAddress(addressOf(from, family), words, Word.Source);
    const router = chance.percent(20) ? world.routers.at(0) : undefined;
    const own = router?.addresses[family === 4 ? 0 : 1] ?? addressOf(to, family);
    writeAddress(own, words, Word.Destination);
    const payload = new Uint8Array(Math.min(this.length(), world.mtu - 48));
    words[Word.PayloadLength] = payload.length;
    const packet = Packet.of(buildReceived(words, payload));
    if (packet === null) throw new Error('no echo request');
    packet.id = -this.pings;
    wire.send(packet);
  }

  /** Its programs have gone with a host. */
  vanish(host: Host): void {
    this.count(host.core);
    for (const end of this.ends) if (end.host === host) end.vanish();
  }

  /** The programs of a host end: the system closes their sockets. */
  kill(host: Host): void {
    for (const end of this.ends) if (end.host === host) end.close();
  }

  /** Nothing begins any more; who has a server answers. */
  calm(): void {
    for (const start of this.starts) start.after(Infinity);
    for (const end of this.ends) if (!end.isOver) end.rest();
  }

  /**
   * In a network that is whole each host asks the next one's echo server, in a datagram that goes
   * in fragments, one after the other.
   * @param pass lets so many µs pass
   * @throws Error where there is no answer
   */
  probe(pass: (us: number) => void): void {
    const { hosts, families, mtu } = this.world;
    const up = hosts.filter((host) => host.state === 'up');
    for (const [i, from] of up.entries()) {
      const to = up[(i + 1) % up.length];
      if (to === from || !this.hasServer(to)) continue;
      for (const family of new Set(families)) {
        let answers = 0;
        const end = this.open(from, family, () => answers++);
        const sent = end.send(addressOf(to, family), ECHO_PORT, 2 * mtu);
        from.flush();
        pass(PATIENCE);
        if (answers === 0 && sent >= 0) {
          throw new Error(`no answer in IPv${family} from ${to.name} to ${from.name}`);
        }
        end.close();
      }
    }
  }

  private hasServer(host: Host): boolean {
    return this.ends.some((end) => end.host === host && !end.isOver);
  }

  /** All that is open is closed. */
  stop(): void {
    for (const end of this.ends) end.close();
    for (const { core } of this.world.hosts) this.count(core);
  }

  /** What was read, and dropped for want of room, is what the stack has counted. @throws Error */
  private count(core: StackCore): void {
    const ends = this.read.get(core) ?? [];
    const sum = (of: (end: DatagramEnd) => number): number =>
      ends.reduce((all, end) => all + of(end), 0);
    const { UdpInDatagrams, Udp6InDatagrams, UdpRcvbufErrors, Udp6RcvbufErrors } = core.counters;
    const [read, drops] = [sum((end) => end.read), sum(({ socket }) => socket.drops)];
    const counted = UdpInDatagrams + Udp6InDatagrams;
    if (read !== counted) throw new Error(`${read} datagrams were read, not ${counted}`);
    const refused = UdpRcvbufErrors + Udp6RcvbufErrors;
    if (drops !== refused) throw new Error(`${drops} datagrams were dropped, not ${refused}`);
  }
}

function addressOf(host: Host, family: 4 | 6): IpAddress {
  const found = host.prefixes.find(({ address: own }) => isIpv4(own) === (family === 4));
  if (found === undefined) throw new Error(`${host.name} has no such address`);
  return found.address;
}
