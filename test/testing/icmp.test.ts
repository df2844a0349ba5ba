/** What routers say by ICMP, and what comes of it at hosts. */
import { icmpError } from '../../lib/codec/build-icmp';
import { parseAddress } from '../../lib/core/ip/address';
import { Word } from '../../lib/core/segment/layout';
import { Network, type SegmentView } from '../../lib/testing';
import { IcmpRate } from '../../lib/testing/icmp-rate';
import { Packet } from '../../lib/testing/engine/packet';
import { pattern } from '../support/segments';
import { Lab } from './link/lab';

/** client - r1 - r2 - server; the routers speak. */
function chain() {
  const lab = new Lab();
  const [client, server] = [lab.station('client'), lab.station('server')];
  const [r1, r2] = [lab.router('r1', {}), lab.router('r2', { noticesCuts: true })];
  const cables = [lab.link(client, r1), lab.link(r1, r2), lab.link(r2, server)];
  return { lab, client, server, routers: [r1, r2], cables };
}

/** What the routers have said. */
const said = (lab: Lab) => lab.log.filter((line) => line.includes('ICMP'));

describe('a router says', () => {
  test.each([
    [4, 'IP 172.16.0.2 > 10.0.0.1: ICMP time exceeded in-transit, length 48'],
    [6, 'IP6 fd01::2 > fd00::1: ICMP6, time exceeded in-transit for fd00::2, length 68'],
  ] as const)('IPv%d: that the TTL is used up', (family, line) => {
    const { lab, client, server, routers } = chain();
    client.send(server, { family, hopLimit: 2 });
    lab.finish();
    expect(said(lab)).toEqual([`0 r2 ${line}`]);
    expect(routers.map(({ counters }) => counters.icmp)).toEqual([0, 1]);
    expect(client.arrivals).toHaveLength(1);
  });

  test.each([
    [
      4,
      'IP 172.16.0.2 > 10.0.0.1: ICMP 10.0.0.2 unreachable - need to frag (mtu 1000), ' +
        'length 556',
    ],
    [6, 'IP6 fd01::2 > fd00::1: ICMP6, packet too big, mtu 1300, length 1240'],
  ] as const)('IPv%d: what the next cable takes', (family, line) => {
    const { lab, client, server, cables } = chain();
    cables[2].set({ mtu: family === 4 ? 1000 : 1300 });
    // As an IPv6 flow label it is nothing but a number.
    client.send(server, { family, size: 1400, identification: family === 4 ? 7 : 0x1ffff });
    lab.finish();
    expect(said(lab)).toEqual([`0 r2 ${line}`]);
    expect(cables[2].counters.r2.lost).toEqual({ mtu: 1 });
  });

  test.each([
    [4, 'IP 172.16.0.1 > 10.0.0.1: ICMP net 10.0.0.77 unreachable, length 48'],
    [
      6,
      'IP6 fd01::1 > fd00::1: ICMP6, destination unreachable, unreachable route fd00::77, ' +
        'length 68',
    ],
  ] as const)('IPv%d: that it knows no way', (family, line) => {
    const { lab, client } = chain();
    const stranger = new Lab().station('stranger');
    Object.assign(stranger, { number: 77 });
    client.send(stranger, { family });
    lab.finish();
    expect(said(lab)).toEqual([`0 r1 ${line}`]);
  });

  test.each([
    [4, 'IP 172.16.0.2 > 10.0.0.1: ICMP host 10.0.0.2 unreachable, length 48'],
    [
      6,
      'IP6 fd01::2 > fd00::1: ICMP6, destination unreachable, unreachable address fd00::2, ' +
        'length 68',
    ],
  ] as const)('IPv%d: that its cable is cut, if it notices', (family, line) => {
    const { lab, client, server, cables } = chain();
    cables[2].cut();
    client.send(server, { family });
    lab.finish();
    expect(said(lab)).toEqual([`0 r2 ${line}`]);
    cables[1].cut();
    client.send(server, { family });
    lab.finish();
    expect(said(lab)).toHaveLength(1);
  });

  test('six of them at once, then one a second; of the MTU always', () => {
    const { lab, client, server, cables } = chain();
    client.sendAll(server, 20, 1, { hopLimit: 1 });
    lab.finish();
    expect(said(lab)).toHaveLength(6);
    cables[2].set({ mtu: 1000 });
    client.sendAll(server, 20, 1, { size: 1400 });
    lab.finish();
    expect(said(lab)).toHaveLength(26);
    const rate = new IcmpRate();
    const allowed = Array.from({ length: 200 }, (_, i) => rate.allows('a', i * 100_000));
    expect(allowed.filter(Boolean)).toHaveLength(6 + 19);
    expect(rate.allows('b', 0)).toBe(true);
  });

  test('nothing about ICMP, and nothing about what was spoilt beyond reading', () => {
    const { lab, client, server, cables } = chain();
    const from = parseAddress('10.0.0.1');
    const segment = lab.packet(server, client, {});
    if (from === null) throw new Error('no address');
    const error = Packet.ofIcmp(icmpError(from, segment.bytes(), { type: 3, code: 1 }));
    if (error === null) throw new Error('no error');
    error.words[Word.HopLimit] = 1;
    cables[0].wires[0].send(error);
    lab.finish();
    expect(said(lab)).toEqual([]);
    cables[0].set({ corrupt: 1 });
    client.sendAll(server, 500, 1, { hopLimit: 1 });
    client.sendAll(server, 500, 1, { hopLimit: 1, family: 6 });
    lab.finish();
    expect(said(lab).length).toBeLessThanOrEqual(12);
  });
});

describe('a host', () => {
  test('whose path has a narrow cable: the transfer goes on in smaller segments', async () => {
    const network = new Network();
    const [client, server] = [network.host('client'), network.host('server')];
    const router = network.router('router');
    network.link(client, router, { delay: 1, mtu: 9000 });
    const narrow = network.link(router, server, { delay: 1, mtu: 1200 });
    const seen: SegmentView[] = [];
    narrow.set({ filter: (segment) => void seen.push(segment) }, { from: router });
    for (const family of [4, 6]) {
      const data = pattern(200_000);
      const got = await network.run(async () => {
        const pieces: Buffer[] = [];
        const listener = server.net.createServer((socket) => {
          socket.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => socket.end());
        });
        // Its cable has room for 1200 only, and so its MSS says: nobody needs to be told.
        await new Promise<void>((resolve) => listener.listen(80, '::', resolve));
        const host = family === 4 ? server.address : server.address6;
        const socket = client.net.connect({ port: 80, host });
        socket.end(data);
        await new Promise((resolve) => socket.on('close', resolve).resume());
        listener.close();
        return Buffer.concat(pieces);
      });
      expect(got.equals(data)).toBe(true);
    }
    expect(Math.max(...seen.map(({ packetLength }) => packetLength))).toBe(1200);
    await network.close();
  });

  test('learns of a narrow cable in the middle, and remembers', async () => {
    const network = new Network();
    const [client, server] = [network.host('client'), network.host('server')];
    const [west, east] = [network.router('west'), network.router('east')];
    network.link(client, west, { delay: 1 });
    const narrow = network.link(west, east, { delay: 1, mtu: 1300 });
    network.link(east, server, { delay: 1 });
    const data = pattern(100_000);
    for (const host of [server.address, server.address6]) {
      const got = await network.run(async () => {
        const pieces: Buffer[] = [];
        const listener = server.net.createServer((socket) => {
          socket.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => socket.end());
        });
        await new Promise<void>((resolve) => listener.listen(80, '::', resolve));
        const socket = client.net.connect({ port: 80, host });
        socket.end(data);
        await new Promise((resolve) => socket.on('close', resolve).resume());
        listener.close();
        return Buffer.concat(pieces);
      });
      expect(got.equals(data)).toBe(true);
    }
    // All of the first flight was too large, and nothing after it.
    const lost = narrow.counters.west.lost.mtu ?? 0;
    expect([lost, west.counters.icmp]).toEqual([20, 20]);
    expect(client.counters).toMatchObject({ IcmpInDestUnreachs: 10, Icmp6InPktTooBigs: 10 });
    const lines = network.trace.lines({ from: 'west' });
    expect(lines[0]).toMatch(/ west > client: ICMP 10.0.0.2 .* need to frag \(mtu 1300\)/);
    expect(network.trace.segments({ from: 'west' })).toEqual([]);
    expect(network.trace.toPcapng().length).toBeGreaterThan(100_000);
    await network.close();
  });

  test('options of a router are checked', () => {
    const network = new Network();
    const make = (options: object) => () => network.router('r', options);
    expect(make({ icmp: 1 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(make({ speed: 1 })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});
