import * as fc from 'fast-check';
import { Errno } from '../../../lib/core/errno';
import { formatAddress, parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { NeighborState as S, type Neighbor } from '../../../lib/core/neighbor/neighbor';
import { NeighborTable, type NeighborNews } from '../../../lib/core/neighbor/neighbor-table';
import { readNdpOptions } from '../../../lib/core/neighbor/ndp-options';
import { NEIGHBOR_DEFAULTS } from '../../../lib/core/neighbor/settings';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { State } from '../../../lib/core/tcp/state';
import { arpFrame, bytesOf, EthernetHost, EthernetLab, icmp6Frame } from '../../support/ethernet';

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;

function pair(own: [string, string]): { lab: EthernetLab; a: EthernetHost; b: EthernetHost } {
  const [a, b] = own.map((address, i) => new EthernetHost({ id: i + 1, own: [address] }));
  return { lab: new EthernetLab([a, b]), a, b };
}

/** A socket of `b` on port 7, and one of `a` that is connected to it. */
function datagrams(a: EthernetHost, b: EthernetHost, to: string) {
  const domain = to.includes(':') ? 6 : 4;
  const server = b.core.datagramSocket(domain);
  server.bind(ip(domain === 4 ? '0.0.0.0' : '::'), 7);
  const client = a.core.datagramSocket(domain);
  client.connect(ip(to), 7);
  const send = (bytes: number) => client.sendParts([new Uint8Array(bytes)]);
  return { server, client, send };
}

it('asks by ARP, keeps the packets meanwhile, and answers', () => {
  const { lab, a, b } = pair(['10.0.0.1/24', '10.0.0.2/24']);
  lab.run(3000);
  expect(lab.take()).toEqual([
    'ffffffffffff: who-has 10.0.0.1 tell 10.0.0.1',
    'ffffffffffff: who-has 10.0.0.2 tell 10.0.0.2',
    'ffffffffffff: who-has 10.0.0.1 tell 10.0.0.1',
    'ffffffffffff: who-has 10.0.0.2 tell 10.0.0.2',
  ]);
  const { server, send } = datagrams(a, b, '10.0.0.2');
  for (const length of [0, 1000, 20_000]) send(length);
  lab.run(10);
  const arrived = [server.take(), server.take(), server.take()].map((each) => Object(each).length);
  expect(arrived.slice(0, 2)).toEqual([0, 1000]);
  expect(lab.take().slice(0, 4)).toEqual([
    'ffffffffffff: who-has 10.0.0.2 tell 10.0.0.1',
    '01: 10.0.0.2 is-at 02',
    '02: ip 10.0.0.1 > 10.0.0.2 17',
    '02: ip 10.0.0.1 > 10.0.0.2 17',
  ]);
});

it('does the same by neighbour discovery, with addresses that it has looked for first', () => {
  const { lab, a, b } = pair(['fd00::1/64', 'fd00::2/64']);
  lab.run(3000);
  expect(lab.take().sort()).toEqual(
    [
      '3333ff000001: ns :: > ff02::1:ff00:1 fe80::ff:fe00:1',
      '3333ff000001: ns :: > ff02::1:ff00:1 fd00::1',
      '3333ff000002: ns :: > ff02::1:ff00:2 fe80::ff:fe00:2',
      '3333ff000002: ns :: > ff02::1:ff00:2 fd00::2',
    ].sort(),
  );
  expect(formatAddress(a.neighborhood.addresses.linkLocal as IpAddress)).toBe('fe80::ff:fe00:1');
  const { server, send } = datagrams(a, b, 'fd00::2');
  send(9);
  lab.run(10);
  expect(server.take()).toHaveLength(9);
  expect(lab.take()).toEqual([
    '3333ff000002: ns fd00::1 > ff02::1:ff00:2 fd00::2',
    '01: na fd00::2 > fd00::1 fd00::2 11',
    '02: ip fd00::1 > fd00::2 17',
  ]);
  // Who has asked is known, but may not hear: it is asked in its turn, now that it is used.
  expect(b.neighborhood.ndp.find(ip('fd00::1'))?.state).toBe(S.Delay);
  expect(a.neighborhood.ndp.find(ip('fd00::2'))?.state).toBe(S.Reachable);
});

describe.each([
  ['10.0.0.1/24', '10.0.0.2/24', '10.0.0.9'],
  ['fd00::1/64', 'fd00::2/64', 'fd00::9'],
])('from %s', (own, other, nobody) => {
  const domain = own.includes(':') ? 6 : 4;

  it('a connection to nobody ends when three solicitations were in vain', () => {
    const { lab, a } = pair([own, other]);
    lab.run(3000);
    lab.take();
    const socket = a.core.socket(domain);
    expect(socket.connect(ip(nobody), 80)).toBe(-Errno.EINPROGRESS);
    lab.run(2900);
    expect(lab.take()).toHaveLength(3);
    expect(socket.takeError()).toBe(0);
    lab.run(200);
    expect(socket.takeError()).toBe(Errno.EHOSTUNREACH);
    expect(lab.take()).toEqual([]);
    expect(a.core.counters.NetlandNeighborDrops).toBe(3);
    expect(a.core.tcp.pool.used).toBe(0);
  });

  it('what waits is bounded: the oldest give way', () => {
    const { lab, a, b } = pair([own, other]);
    b.isDown = true;
    lab.run(3000);
    const { server, send } = datagrams(a, b, other.slice(0, other.indexOf('/')));
    for (let i = 0; i < 400; i++) {
      send(1000 + i);
      lab.run(1);
    }
    b.isDown = false;
    lab.run(1500);
    const first = Object(server.take()).length as number;
    let count = 1;
    while (typeof server.take() !== 'number') count++;
    // Linux counts 2304 bytes for each.
    expect(count).toBe(Math.floor(NEIGHBOR_DEFAULTS.unresQlenBytes / 2304));
    expect(first).toBe(1000 + 400 - count);
    expect(a.core.counters.NetlandNeighborDrops).toBe(400 - count);
  });

  it('one that has vanished is asked itself, then all, and is found with another address', () => {
    const { lab, a, b } = pair([own, other]);
    lab.run(3000);
    const to = other.slice(0, other.indexOf('/'));
    const { send } = datagrams(a, b, to);
    send(1);
    lab.run(60_000);
    const table = domain === 4 ? a.neighborhood.arp : a.neighborhood.ndp;
    const neighbor = table.find(ip(to)) as Neighbor;
    expect(neighbor.state).toBe(S.Stale);
    b.isDown = true;
    const late = new EthernetHost({ id: 7, own: [other] });
    late.isDown = true;
    lab.hosts.push(late);
    lab.run(1);
    lab.take();
    send(1);
    lab.run(4900);
    expect(neighbor.state).toBe(S.Delay);
    lab.run(2000);
    expect(neighbor.state).toBe(S.Probe);
    const asked = lab.take().filter((line) => / ns |who-has/.test(line));
    expect(asked.map((line) => line.slice(0, 3))).toEqual(['02:', '02:']);
    lab.run(2000);
    expect(neighbor.state).toBe(S.Failed);
    late.isDown = false;
    send(1);
    lab.run(50);
    expect([neighbor.state, neighbor.low]).toEqual([S.Reachable, 7]);
  });

  it('TCP that gets on is proof enough: nobody is asked', () => {
    const { lab, a, b } = pair([own, other]);
    const server = b.core.socket(domain);
    server.bind(ip(domain === 4 ? '0.0.0.0' : '::'), 80);
    server.listen(1);
    const client = a.core.socket(domain);
    client.connect(ip(other.slice(0, other.indexOf('/'))), 80);
    lab.run(3000);
    expect(client.state).toBe(State.ESTABLISHED);
    lab.run(10_000);
    lab.take();
    for (let i = 0; i < 60; i++) {
      client.send(new Uint8Array(1), 0, 1);
      lab.run(2000);
    }
    const asked = lab.take().filter((line) => /^02: (who-has|ns)/.test(line));
    expect(asked).toEqual([]);
  });
});

describe('the state machine (RFC 4861 appendix C)', () => {
  const KNOWN = { high: 2, low: 1 };
  const OTHER = { high: 2, low: 9 };

  /** A neighbour in that state, and what the table has done since. */
  function neighborIn(state: S): { table: NeighborTable; n: Neighbor; done: string[] } {
    const done: string[] = [];
    const table = new NeighborTable(NEIGHBOR_DEFAULTS, new Xoshiro(1), {
      solicit: (_, unicast) => done.push(unicast ? 'ask it' : 'ask all'),
      resolved: () => done.push('send'),
      failed: () => done.push('give up'),
      removed: () => done.push('remove'),
    });
    const n = table.make(ip('fd00::2'), 0) as Neighbor;
    const learn = (state: S.Reachable | S.Stale) =>
      table.learn(n, { hardware: KNOWN, state, override: true, weakOverride: true }, 0);
    if (state === S.Incomplete || state === S.Failed) table.use(n, 0);
    if (state === S.Failed) [1, 2, 3].forEach((s) => table.onTimer(s * 1e6));
    if (state === S.Reachable) learn(S.Reachable);
    if (state >= S.Stale && state <= S.Probe) learn(S.Stale);
    if (state === S.Delay || state === S.Probe) table.use(n, 0);
    if (state === S.Probe) table.onTimer(5e6);
    expect(n.state).toBe(state);
    done.length = 0;
    return { table, n, done };
  }

  const all = [S.Reachable, S.Stale, S.Delay, S.Probe];
  // Solicited, override, whose hardware address; from which states; to which (null: unchanged), and
  // whether the other address is taken.
  it.each<[boolean, boolean, 'known' | 'other' | 'none', S[], S | null, boolean]>([
    [false, false, 'known', [S.Incomplete], S.Stale, false],
    [false, true, 'known', [S.Incomplete], S.Stale, false],
    [true, false, 'known', [S.Incomplete], S.Reachable, false],
    [true, true, 'none', [S.Incomplete], null, false],
    [true, false, 'known', all, S.Reachable, false],
    [true, false, 'other', [S.Reachable], S.Stale, false],
    [true, false, 'other', [S.Stale, S.Delay, S.Probe], null, false],
    [true, true, 'other', all, S.Reachable, true],
    [true, true, 'known', all, S.Reachable, false],
    [true, false, 'none', all, S.Reachable, false],
    [false, true, 'known', all, null, false],
    [false, true, 'other', all, S.Stale, true],
    [false, false, 'other', [S.Reachable], S.Stale, false],
    [false, false, 'other', [S.Stale, S.Delay, S.Probe], null, false],
    [false, false, 'none', all, null, false],
  ])('S %s, O %s, %s address', (solicited, override, whose, states, to, taken) => {
    for (const state of states) {
      const { table, n, done } = neighborIn(state);
      const hardware = { known: KNOWN, other: OTHER, none: null }[whose];
      const news: NeighborNews = {
        hardware,
        override,
        weakOverride: true,
        state: solicited ? S.Reachable : S.Stale,
      };
      table.learn(n, news, 6e6);
      expect([state, n.state]).toEqual([state, to ?? state]);
      expect(n.low).toBe(taken ? 9 : state === S.Incomplete && to === null ? 0 : 1);
      expect(done).toEqual(state === S.Incomplete && to !== null ? ['send'] : []);
    }
  });

  it('by time: asked while it is unknown or doubtful, in use or not', () => {
    const unknown = neighborIn(S.Incomplete);
    for (const t of [1, 2, 3, 4]) unknown.table.onTimer(t * 1e6);
    expect(unknown.done).toEqual(['ask all', 'ask all', 'give up']);
    expect(unknown.n.state).toBe(S.Failed);
    expect(unknown.table.use(unknown.n, 5e6)).toBe(false);
    expect(unknown.n.state).toBe(S.Incomplete);

    const probed = neighborIn(S.Probe);
    for (const t of [6, 7, 8, 9]) probed.table.onTimer(t * 1e6);
    expect(probed.done).toEqual(['ask it', 'ask it', 'give up']);

    const confirmed = neighborIn(S.Delay);
    confirmed.n.confirmed = 4e6;
    confirmed.table.onTimer(5e6);
    expect([confirmed.n.state, confirmed.done]).toEqual([S.Reachable, []]);

    const idle = neighborIn(S.Reachable);
    idle.table.onTimer(46e6);
    expect([idle.n.state, idle.table.nextDeadline()]).toEqual([S.Stale, Infinity]);

    const used = neighborIn(S.Reachable);
    used.table.use(used.n, 46e6);
    used.table.onTimer(46e6);
    expect(used.n.state).toBe(S.Delay);
  });

  it('no more neighbours than gc_thresh3, of which the old give way', () => {
    const { table } = neighborIn(S.Stale);
    const make = (i: number, now: number) =>
      table.make({ w0: 0xfd000000 | 0, w1: 0, w2: 1, w3: i }, now);
    for (let i = 0; i < 3000; i++) make(i, 1e6);
    expect([table.count, table.fulls]).toEqual([1024, 3000 - 1023]);
    expect(make(5000, 20e6)).not.toBeNull();
    expect(table.count).toBeLessThanOrEqual(512);
  });
});

describe('routers', () => {
  const ROUTER = 'fe80::ff:fe00:fe';
  const FOREVER = -1;

  /** Options of 2001:db8:0:n::/64, L and A. */
  const prefix = (n: number, valid: number, preferred: number, flags = 0xc0) =>
    bytesOf(0x03044000 | flags, valid, preferred, 0, 0x20010db8, n, 0, 0);

  /** @param lifetime s */
  function advertise(lab: EthernetLab, lifetime: number, ...options: Uint8Array[]): void {
    const payload = Buffer.concat([bytesOf(0, 0, 0x010102 << 8, 0xfe), ...options]);
    payload.set([1, 1, 2, 0, 0, 0, 0, 0xfe], 8);
    lab.inject(icmp6Frame(0xfe, [ROUTER, 'ff02::1'], [134, (64 << 24) | lifetime], payload));
    lab.run(1);
  }

  function autoconfigured(): { lab: EthernetLab; a: EthernetHost; own: () => string[] } {
    const a = new EthernetHost({ id: 1, autoconf: true });
    const own = () => a.paths.addresses.all.map(({ address }) => formatAddress(address));
    return { lab: new EthernetLab([a]), a, own };
  }

  const MADE = '2001:db8::ff:fe00:1';
  const LINK_LOCAL = 'fe80::ff:fe00:1';

  it('are asked until one has answered, less and less often (RFC 7559)', () => {
    const { lab } = autoconfigured();
    lab.run(45_000);
    const asked = lab.take().filter((line) => line.includes(' rs '));
    expect(new Set(asked)).toEqual(new Set([`333300000002: rs ${LINK_LOCAL} > ff02::2`]));
    expect(asked).toHaveLength(4);
    advertise(lab, 1800);
    lab.run(60_000);
    expect(lab.take().filter((line) => line.includes(' rs '))).toEqual([]);
  });

  it('announce a network: an address that nobody has, and the way to everybody', () => {
    const { lab, a, own } = autoconfigured();
    lab.run(3000);
    expect(own()).toEqual([LINK_LOCAL]);
    advertise(lab, 1800, prefix(0, 7200, 3600), bytesOf(0x05010000, 1400));
    expect(own()).toEqual([LINK_LOCAL]);
    lab.run(2100);
    expect(own()).toEqual([LINK_LOCAL, MADE]);
    expect(lab.take()).toContain(`3333ff000001: ns :: > ff02::1:ff00:1 ${MADE}`);
    const far = a.paths.route(ip('2600::1'), null);
    expect(far).toMatchObject({ mtu: 1400, via: ip(ROUTER), source: ip(MADE) });
    expect(a.paths.route(ip('2001:db8::7'), null)).toMatchObject({ via: null });
    // The router's own hardware address came with it: nobody is asked.
    const socket = a.core.datagramSocket(6);
    socket.connect(ip('2600::1'), 9);
    socket.sendParts([new Uint8Array(1)]);
    lab.run(1);
    expect(lab.take()).toEqual([`fe: ip ${MADE} > 2600::1 17`]);
    lab.run(3600_000);
    expect(a.paths.addresses.all[1].deprecated).toBe(true);
    lab.run(3600_000);
    expect(own()).toEqual([LINK_LOCAL]);
    expect(a.paths.route(ip('2600::1'), null)).toBe(Errno.ENETUNREACH);
  });

  it('that say so are none any more; the preferred one is used (RFC 4191)', () => {
    const { lab, a } = autoconfigured();
    lab.run(3000);
    const other = 'fe80::aa';
    const preferred = (1 << 19) | 600;
    advertise(lab, 600);
    lab.inject(icmp6Frame(0xaa, [other, 'ff02::1'], [134, preferred], bytesOf(0, 0)));
    lab.run(1);
    expect(a.neighborhood.discovery.routers.current).toEqual(ip(other));
    lab.inject(icmp6Frame(0xaa, [other, 'ff02::1'], [134, 0], bytesOf(0, 0)));
    lab.run(1);
    expect(a.neighborhood.discovery.routers.current).toEqual(ip(ROUTER));
    lab.run(600_000);
    expect(a.neighborhood.discovery.routers.count).toBe(0);
  });

  // Left of the address's life, what a router says, and what is left then; s (RFC 4862 §5.5.3 e).
  it.each([
    [20_000, 10_000, 10_000],
    [20_000, 60, 7200],
    [20_000, 30_000, 30_000],
    [3000, 60, 3000],
    [3000, 4000, 4000],
    [3000, FOREVER, Infinity],
  ])('an address with %d s to live, told %d, has %d', (left, said, becomes) => {
    const { lab, a } = autoconfigured();
    advertise(lab, 0, prefix(0, left, 60));
    lab.run(3000);
    const own = a.neighborhood.addresses.find(ip(MADE));
    const before = lab.now;
    const aged = 3 + (before - lab.now) / 1e6;
    advertise(lab, 0, prefix(0, said, said === FOREVER ? FOREVER : 60));
    const has = ((own?.validUntil ?? 0) - before) / 1e6;
    if (becomes === Infinity) expect(has).toBe(Infinity);
    else expect(Math.abs(has - becomes)).toBeLessThan(aged + 1);
  });

  it('know a better way: redirects of the router that is used, and of nobody else', () => {
    const { lab, a } = autoconfigured();
    advertise(lab, 1800, prefix(0, FOREVER, FOREVER));
    lab.run(3000);
    const socket = a.core.datagramSocket(6);
    socket.connect(ip('2600::1'), 9);
    const redirect = (from: string) => {
      const better = [0xfe800000 | 0, 0, 0, 0xbb];
      const target = Uint8Array.of(2, 1, 2, 0, 0, 0, 0, 0xbb);
      const payload = Buffer.concat([bytesOf(...better, 0x26000000, 0, 0, 1), target]);
      lab.inject(icmp6Frame(0xfe, [from, MADE], [137, 0], payload));
      lab.run(1);
      socket.sendParts([new Uint8Array(1)]);
      lab.run(1);
      return lab.take().at(-1)?.slice(0, 3);
    };
    expect(redirect('fe80::cc')).toBe('fe:');
    expect(redirect(ROUTER)).toBe('bb:');
  });
});

describe('an address that another host has, too', () => {
  it('of IPv6 is given up', () => {
    const lost: string[] = [];
    const first = new EthernetHost({ id: 1, own: ['fd00::1/64'] });
    const lab = new EthernetLab([first]);
    lab.run(3000);
    const onDuplicate = (address: IpAddress) => lost.push(formatAddress(address));
    const second = new EthernetHost({ id: 2, own: ['fd00::1/64'], onDuplicate });
    lab.hosts.push(second);
    lab.run(3000);
    expect(lost).toEqual(['fd00::1']);
    expect(second.paths.isLocal(ip('fd00::1'))).toBe(false);
    expect(first.paths.isLocal(ip('fd00::1'))).toBe(true);
    expect(second.core.counters.NetlandAddressConflicts).toBe(1);
  });

  it('of IPv6 stays, once it was found to be ours: nobody takes it away by a message', () => {
    const told: string[] = [];
    const onDuplicate = (address: IpAddress) => told.push(formatAddress(address));
    const a = new EthernetHost({ id: 1, own: ['fd00::1/64', '10.0.0.1/24'], onDuplicate });
    const lab = new EthernetLab([a]);
    lab.run(5000);
    lab.take();
    for (const target of [bytesOf(0xfd000000 | 0, 0, 0, 1), bytesOf(0, 0, 0xffff, 0x0a000001)]) {
      for (let i = 0; i < 3; i++) {
        lab.inject(icmp6Frame(9, ['fd00::9', 'ff02::1'], [136, 0x20000000], target));
        lab.run(1000);
      }
    }
    expect(told).toEqual(['fd00::1']);
    expect(a.paths.isLocal(ip('fd00::1'))).toBe(true);
    expect(a.core.counters.NetlandAddressConflicts).toBe(3);
    expect(lab.take()).toEqual([]);
  });

  it('made of the hardware address never becomes ours', () => {
    const a = new EthernetHost({ id: 1, own: ['fd00::1/64'] });
    const lab = new EthernetLab([a]);
    const target = bytesOf(0xfe800000 | 0, 0, 0xff, 0xfe000001 | 0);
    lab.inject(icmp6Frame(1, ['::', 'ff02::1:ff00:1'], [135, 0], target));
    lab.run(3000);
    expect(a.neighborhood.addresses.linkLocal).toBeNull();
  });

  it('of IPv4 is defended, not too often (RFC 5227)', () => {
    const a = new EthernetHost({ id: 1, own: ['10.0.0.1/24'] });
    const lab = new EthernetLab([a]);
    lab.run(3000);
    lab.take();
    for (let i = 0; i < 5; i++) {
      lab.inject(arpFrame(9, 1, '10.0.0.1', '10.0.0.1'));
      lab.run(1000);
    }
    expect(lab.take()).toEqual(['ffffffffffff: who-has 10.0.0.1 tell 10.0.0.1']);
    expect(a.core.counters.NetlandAddressConflicts).toBe(5);
    // One who asks whether it is free is told.
    lab.inject(arpFrame(9, 1, '0.0.0.0', '10.0.0.1'));
    lab.run(1);
    expect(lab.take()).toEqual(['09: 10.0.0.1 is-at 01']);
  });
});

describe('hostile packets', () => {
  const DAMAGED = [
    ['from another link', (f: Uint8Array) => (f[21] = 254)],
    ['with a code', (f: Uint8Array) => (f[55] = 1)],
    ['with a wrong checksum', (f: Uint8Array) => (f[70] ^= 1)],
  ] as const;

  it.each(DAMAGED)('what comes %s is no neighbour discovery', (_, damage) => {
    const a = new EthernetHost({ id: 1, own: ['fd00::1/64'] });
    const lab = new EthernetLab([a]);
    lab.run(3000);
    lab.take();
    const payload = Buffer.concat([bytesOf(0xfd000000 | 0, 0, 0, 1), bytesOf(0x01010200, 9)]);
    const frame = () => icmp6Frame(9, ['fd00::9', 'fd00::1'], [135, 0], payload);
    const bad = frame();
    damage(bad);
    lab.inject(bad);
    lab.run(1);
    expect(lab.take()).toEqual([]);
    lab.inject(frame());
    lab.run(1);
    expect(lab.take()).toEqual(['09: na fd00::1 > fd00::9 fd00::1 10']);
  });

  it('options without a length, or beyond the end, spoil the message', () => {
    expect(readNdpOptions(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 0)).toBeNull();
    expect(readNdpOptions(Uint8Array.of(1, 2, 0, 0, 0, 0, 0, 0), 0)).toBeNull();
    expect(readNdpOptions(Uint8Array.of(1), 0)).toBeNull();
    expect(readNdpOptions(Uint8Array.of(99, 1, 0, 0, 0, 0, 0, 0), 0)).toMatchObject({ mtu: 0 });
  });

  it('no message does more than it may', () => {
    const a = new EthernetHost({ id: 1, own: ['10.0.0.1/24', 'fd00::1/64'], autoconf: true });
    const lab = new EthernetLab([a]);
    lab.run(3000);
    const option = fc.oneof(
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => (b.set([b[0] % 6, 1]), b)),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => (b.set([3, 4, 64]), b)),
      fc.uint8Array({ maxLength: 12 }),
    );
    const payload = fc
      .tuple(fc.uint8Array({ minLength: 0, maxLength: 32 }), fc.array(option, { maxLength: 4 }))
      .map(([head, options]) => Buffer.concat([head, ...options]));
    const source = fc.constantFrom('::', 'fe80::9', 'fd00::9', 'fe80::8', 'ff02::1');
    const target = fc.constantFrom('fd00::1', 'ff02::1', 'ff02::1:ff00:1');
    fc.assert(
      fc.property(
        fc.integer({ min: 133, max: 137 }),
        fc.integer(),
        source,
        target,
        payload,
        (type, rest, from, to, bytes) => {
          lab.inject(icmp6Frame(9, [from, to], [type, rest], bytes));
          lab.run(1);
        },
      ),
      { numRuns: process.env.NETLAND_NIGHTLY === '1' ? 1500 : 400 },
    );
    const { ndp, addresses, discovery, redirects } = a.neighborhood;
    expect(ndp.count).toBeLessThanOrEqual(1024);
    expect(addresses.all.length).toBeLessThanOrEqual(20);
    expect(discovery.routers.count).toBeLessThanOrEqual(8);
    expect(discovery.prefixes.count).toBeLessThanOrEqual(16);
    expect(redirects.count).toBeLessThanOrEqual(64);
    lab.take();
    lab.inject(arpFrame(9, 1, '10.0.0.9', '10.0.0.1'));
    lab.run(1);
    expect(lab.take()).toContain('09: 10.0.0.1 is-at 01');
  });
});
