import { ETHERNET_HEADER, parseFrame } from '../../lib/codec/frame';
import { ParseResult } from '../../lib/codec/result';
import { isMulticast, isWildcard, parseAddress, readAddress } from '../../lib/core/ip/address';
import type { IpAddress } from '../../lib/core/ip/address';
import { isBroadcast } from '../../lib/core/ip/addresses';
import { MAX_OWN_PACKETS } from '../../lib/core/ip/own-packets';
import { NEIGHBOR_DEFAULTS } from '../../lib/core/neighbor/settings';
import { Checksum, IcmpWord, IpProtocol, Word } from '../../lib/core/segment/layout';
import { DatagramOption } from '../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import { DatagramInfo } from '../../lib/core/udp/datagram-info';
import { leftovers } from '../../lib/testing/check/leftovers';
import { BadFrames, type Aim } from '../support/bad-frames';
import { EthernetHost, EthernetLab, icmp6Frame } from '../support/ethernet';
import { QuickRandom } from '../support/packets';

const FRAMES = process.env.NETLAND_NIGHTLY === '1' ? 2_000_000 : 50_000;
const PORT = 7;
const BACKLOG = 16;
const SEED = 5;

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;
const OWN = { 4: '10.0.0.2', 6: 'fd00::2' } as const;
const GROUPS = { 4: '239.1.2.3', 6: 'ff05::77' } as const;
const FAMILIES = [4, 6] as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** A host with a listener, and a socket that sends every datagram back, of each family. */
class Victim {
  readonly host = new EthernetHost({ id: 2, own: ['10.0.0.2/24', 'fd00::2/64'], autoconf: true });
  readonly listeners: StreamSocket[] = [];
  now = 0;
  /** ICMP errors that have been sent. */
  complaints = 0;
  sent = 0;
  private readonly echoes: DatagramSocket[] = [];
  private readonly words = new Int32Array(Word.Stride);
  private readonly info = new DatagramInfo();

  constructor() {
    const { core } = this.host;
    this.pass(10_000_000);
    for (const family of FAMILIES) {
      const listener = core.socket(family);
      const echo = core.datagramSocket(family);
      expect(listener.bind(ip(OWN[family]), PORT)).toBe(0);
      expect(listener.listen(BACKLOG)).toBe(0);
      echo.setOption(DatagramOption.Ipv6Only, 1);
      expect(echo.bind(ip(ANY[family]), PORT)).toBe(0);
      expect(echo.groups.join(ip(GROUPS[family]))).toBe(0);
      this.listeners.push(listener);
      this.echoes.push(echo);
    }
    this.pass(10_000_000);
  }

  get aim(): Aim {
    const [own4, own6, linkLocal] = [OWN[4], OWN[6], 'fe80::ff:fe00:2'];
    return { own4, own6, linkLocal, id: 2, port: PORT, group4: GROUPS[4], group6: GROUPS[6] };
  }

  /** Time passes, and all timers fire. */
  pass(us: number): void {
    const { core } = this.host;
    const end = this.now + us;
    for (let next = core.nextDeadline(); next <= end; next = core.nextDeadline()) {
      this.now = Math.max(this.now, next);
      core.onTimer(this.now);
      this.send();
    }
    this.now = end;
    core.advance(end);
    this.send();
  }

  deliver(frame: Uint8Array): void {
    this.host.deliver(frame, this.now);
    this.echo();
    this.send();
  }

  /** The program's side. */
  echo(): void {
    const { info } = this;
    for (const socket of this.echoes) {
      for (;;) {
        const bytes = socket.take(info);
        if (typeof bytes === 'number') break;
        socket.send(bytes, 0, bytes.length, readAddress(info.source, 0), info.sourcePort);
      }
    }
  }

  private send(): void {
    const { host } = this;
    if (!host.core.hasOutput) return;
    for (const frame of host.collect(this.now)) this.check(frame);
  }

  /** What leaves is sound, is from us, and answers nobody who is more than one. */
  private check(frame: Uint8Array): void {
    const { words } = this;
    const hardware = Int32Array.of(
      (frame[0] << 8) | frame[1],
      new DataView(frame.buffer).getInt32(2),
    );
    const result = parseFrame(frame, 0, 0, frame.length, words, 0, Int32Array.of(1, 2), hardware);
    if (result !== ParseResult.Ok || words[Word.Family] === 0) throw new Error(`sent: ${result}`);
    this.sent++;
    const protocol = words[Word.Protocol];
    if (protocol === IpProtocol.Arp) return;
    const destination = readAddress(words, Word.Destination);
    const source = readAddress(words, Word.Source);
    const type = words[IcmpWord.Kind] >>> 8;
    const isForLink =
      protocol === IpProtocol.Igmp || (protocol === IpProtocol.Icmp6 && type >= 130);
    const isToMany = isMulticast(destination) || isBroadcast(this.host.paths, destination);
    const isWrong =
      words[Word.Checksum] === Checksum.Bad ||
      isWildcard(destination) ||
      isMulticast(source) ||
      (!isForLink && (isToMany || isWildcard(source)));
    if (isWrong) throw new Error(`sent: ${Buffer.from(frame).toString('hex')}`);
    const isError4 = protocol === IpProtocol.Icmp && [3, 11, 12].includes(type);
    if (isError4 || (protocol === IpProtocol.Icmp6 && type < 128)) this.complaints++;
  }

  /** What it holds is within its limits. */
  expectBounded(): void {
    const { core, neighborhood, slabs, paths } = this.host;
    const { arp, ndp, redirects, discovery, addresses } = neighborhood;
    const held = leftovers(core);
    const { gcThresh3 } = NEIGHBOR_DEFAULTS;
    const most: [string, number, number][] = [
      ['ARP', arp.count, gcThresh3],
      ['neighbours', ndp.count, gcThresh3],
      ['redirects', redirects.count, 64],
      ['routers', discovery.routers.count, 8],
      ['addresses', addresses.all.length, 3 + 16],
      ['routes', paths.routes.all.length, 4 + 16 + 16 + 1],
      ['packets of its own', held.ownPackets, MAX_OWN_PACKETS],
      ['fragments', held.fragments, 2 * (4_194_304 + 262_144)],
      ['handshakes', held.handshakes, 2 * (BACKLOG + 1)],
      ['connections', held.connections, 2 * (BACKLOG + 1)],
      ['four-tuples', held.fourTuples, 4 * (BACKLOG + 1)],
      ['datagrams', held.datagrams, 4 * 212_992],
      ['path MTUs', core.tcp.pathMtus.count, 4096],
      ['slabs', slabs.slabs.length, 64],
      ['groups', core.ip.groups.all.length, 64],
    ];
    for (const [name, count, limit] of most) {
      if (!(count <= limit)) throw new Error(`${count} ${name}`);
    }
  }
}

/** Asks the victim by echo, UDP and TCP, from a host that has said nothing yet. */
function expectAnswers({ host, listeners, now }: Victim, echo: () => void): void {
  const peer = new EthernetHost({ id: 1, own: ['10.0.0.1/24', 'fd00::1/64'] });
  const lab = new EthernetLab([peer, host]);
  peer.core.advance(now);
  lab.now = now;
  lab.run(10_000);
  for (const [index, family] of FAMILIES.entries()) {
    const [own, theirs] = family === 4 ? ['10.0.0.2', '10.0.0.1'] : ['fd00::2', 'fd00::1'];
    const question = peer.core.datagramSocket(family);
    expect(question.connect(ip(own), PORT)).toBe(0);
    let answer: Uint8Array | number = -1;
    for (let tries = 0; tries < 8 && typeof answer === 'number'; tries++) {
      question.send(Uint8Array.of(4, 2), 0, 2);
      lab.run(1000);
      echo();
      lab.run(4000);
      answer = question.take();
    }
    expect(answer).toEqual(Uint8Array.of(4, 2));
    const socket = peer.core.socket(family);
    expect(socket.connect(ip(own), PORT)).toBeLessThanOrEqual(0);
    lab.run(10_000);
    expect(socket.takeError()).toBe(0);
    expect(listeners[index].accept()).toBeInstanceOf(Object);
    if (family === 4) continue;
    lab.take();
    lab.inject(icmp6Frame(1, [theirs, own], [128, 7], new Uint8Array(8)));
    lab.run(1000);
    expect(lab.take()).toContain('01: ip fd00::2 > fd00::1 58');
  }
}

test(`${FRAMES} frames, sound and mutated, of every kind that a host takes`, () => {
  const victim = new Victim();
  const random = new QuickRandom(SEED);
  const frames = new BadFrames(random, victim.aim);
  const before = victim.now;
  const below = (n: number): number => (random.next() >>> 0) % n;
  for (let i = 0; i < FRAMES; i++) {
    const frame = frames.next();
    try {
      victim.deliver(frame);
    } catch (error) {
      const hex = Buffer.from(frame.subarray(ETHERNET_HEADER)).toString('hex');
      throw new Error(`frame ${i} of seed ${SEED}: ${hex}`, { cause: error });
    }
    victim.pass(below(1000) === 0 ? below(60_000_000) : below(1000));
    if (i % 100 === 0) victim.expectBounded();
  }
  const { settings } = victim.host.core.tcp;
  const seconds = (victim.now - before) / 1e6;
  expect(victim.complaints).toBeGreaterThan(100);
  expect(victim.complaints).toBeLessThan(
    settings.icmpMsgsPerSec * seconds + settings.icmpMsgsBurst,
  );
  expect(victim.sent).toBeGreaterThan(FRAMES / 20);
  expectAnswers(victim, () => victim.echo());
});
