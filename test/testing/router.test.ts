import { fold, sumBytes } from '../../lib/codec/checksum';
import { Word } from '../../lib/core/segment/layout';
import { Lab, range } from './link/lab';

/** client - r1 - r2 - r3 - server, each cable with a delay of its own. */
function chain() {
  const lab = new Lab();
  const [client, server] = [lab.station('client'), lab.station('server')];
  const [r1, r2, r3] = ['r1', 'r2', 'r3'].map((name) => lab.router(name));
  const cables = [
    lab.link(client, r1, { delay: 1 }),
    lab.link(r1, r2, { delay: 2 }),
    lab.link(r2, r3, { delay: 4 }),
    lab.link(r3, server, { delay: 8 }),
  ];
  return { lab, client, server, routers: [r1, r2, r3], cables };
}

describe('routers', () => {
  test.each([4, 6] as const)('IPv%i: forward over three hops, both ways', (family) => {
    const { lab, client, server, routers } = chain();
    client.send(server, { sequence: 1, family, size: 100 });
    server.send(client, { sequence: 2, family });
    lab.finish();
    expect([server.times, client.times]).toEqual([[15], [15]]);
    const [{ packet }] = server.arrivals;
    expect(packet.words[Word.HopLimit]).toBe(61);
    expect(packet.bytes()[family === 4 ? 8 : 7]).toBe(61);
    expect(routers.map(({ counters }) => counters)).toEqual(
      routers.map(() => ({ forwarded: 2, split: 0, icmp: 0, lost: {} })),
    );
  });

  test.each([
    [3, 'r3', []],
    [1, 'r1', []],
    [4, 'no router', [1]],
  ] as const)('a TTL of %i ends at %s', (hopLimit, where, arrived) => {
    const { lab, client, server } = chain();
    client.send(server, { sequence: 1, hopLimit });
    client.send(server, { sequence: 1, hopLimit, family: 6 });
    lab.finish();
    expect(server.sequences).toEqual([...arrived, ...arrived]);
    const lines = arrived.length > 0 ? [] : [where, where];
    expect(lab.log.map((line) => line.split(' ').slice(3).join(' '))).toEqual(
      lines.map((name) => `${name}: ttl`),
    );
  });

  test('do not know the way to an address that nobody has', () => {
    const { lab, client, routers } = chain();
    const stranger = new Lab().station('stranger');
    Object.assign(stranger, { number: 77 });
    client.send(stranger);
    client.send(stranger, { family: 6 });
    lab.finish();
    expect(routers[0].counters).toEqual({
      forwarded: 0,
      split: 0,
      icmp: 0,
      lost: { unroutable: 2 },
    });
  });

  test('that have crashed are silent until they are up again', () => {
    const { lab, client, server, routers } = chain();
    routers[1].crash();
    routers[1].crash();
    client.send(server, { sequence: 1 });
    lab.finish();
    expect(routers[1].state).toBe('crashed');
    routers[1].reboot();
    client.send(server, { sequence: 2 });
    lab.finish();
    expect(routers[1].state).toBe('up');
    expect(server.sequences).toEqual([2]);
    expect(lab.log).toEqual(['0 crash r2', '3 lost 1 r2: down', '3 reboot r2']);
  });

  test('have the queue of the narrow cable before them', () => {
    const { lab, client, server, cables } = chain();
    cables[1].set({ rate: 12e6, queue: 3000 });
    for (const sequence of range(5)) client.send(server, { sequence, size: 1500 });
    lab.finish();
    expect(server.times).toEqual([16, 17, 18]);
    expect(cables[1].counters.r1.lost).toEqual({ queue: 2 });
  });
});

describe('a corrupted packet at a router', () => {
  function corrupted(family: 4 | 6) {
    const { lab, client, server, routers, cables } = chain();
    cables[0].set({ corrupt: 1 });
    client.sendAll(server, 3000, 100, { family, size: 100 });
    lab.finish();
    // The packet that was sent first has number 1.
    const original = (id: number) =>
      lab.packet(client, server, { family, size: 100, sequence: id - 1 }).bytes();
    return { server, routers, original };
  }

  test('IPv4: goes on where its header is right, with a right header', () => {
    const { server, routers } = corrupted(4);
    // 20 of 100 bytes are the header, which its checksum covers.
    const { forwarded, lost } = routers[0].counters;
    // A flipped bit of the version makes a packet of IPv6 of it, with nothing in it.
    expect(Object.keys(lost).sort()).toEqual(['invalid', 'unroutable']);
    expect(lost.unroutable).toBeLessThan(15);
    expect(Math.abs((lost.invalid ?? 0) - 600)).toBeLessThan(90);
    expect(server.arrivals).toHaveLength(forwarded);
    for (const { packet } of server.arrivals) {
      const bytes = packet.bytes();
      expect(bytes[8]).toBe(61);
      expect(fold(sumBytes(bytes, 0, 20))).toBe(0xffff);
    }
  });

  test('IPv6: goes where its header says that it should', () => {
    const { server, routers, original } = corrupted(6);
    const { forwarded, lost } = routers[0].counters;
    // 16 bytes are the destination, 6 are version, length and next header.
    expect(Math.abs((lost.unroutable ?? 0) - 480)).toBeLessThan(85);
    // A flipped bit makes the hop limit of 64 one of 0.
    expect(Object.keys(lost).sort()).toEqual(['invalid', 'ttl', 'unroutable']);
    const all = Object.values(lost).reduce((sum, count) => sum + count, forwarded);
    expect(all).toBe(3000);
    for (const { packet } of server.arrivals) {
      const bytes = packet.bytes();
      const sent = original(packet.id);
      const changed = range(100).filter((at) => at !== 7 && bytes[at] !== sent[at]);
      // A flipped bit of the hop limit shows in how much is left of it.
      expect(changed.length + (bytes[7] === 61 ? 0 : 1)).toBe(1);
      expect(packet.words[Word.HopLimit]).toBe(bytes[7]);
    }
  });
});

describe('routes', () => {
  test('take the fewest steps, and of equal ones the cable that was there first', () => {
    const lab = new Lab();
    const [a, b] = [lab.station('a'), lab.station('b')];
    const [west, north, south, east] = ['west', 'north', 'south', 'east'].map((name) =>
      lab.router(name),
    );
    lab.link(a, west);
    lab.link(b, east);
    const viaNorth = [lab.link(west, north), lab.link(north, east)];
    const viaSouth = [lab.link(west, south), lab.link(south, east)];
    a.send(b);
    b.send(a);
    lab.finish();
    const used = () =>
      [...viaNorth, ...viaSouth].map(({ counters }) =>
        Object.values(counters).map(({ sent }) => sent),
      );
    expect(used()).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
    // A cut changes nothing: nobody tells the routers.
    viaNorth[0].cut();
    a.send(b);
    lab.finish();
    expect(viaNorth[0].counters.west).toMatchObject({ sent: 2, lost: { cut: 1 } });
    // A shorter way does.
    const direct = lab.link(west, east);
    a.send(b);
    lab.finish();
    expect(direct.counters.west.sent).toBe(1);
    expect(b.arrivals).toHaveLength(2);
  });

  test('a loop of routers lets nothing go round for ever', () => {
    const lab = new Lab();
    const [a, b] = [lab.station('a'), lab.station('b')];
    const ring = range(4).map((i) => lab.router(`r${i}`));
    ring.forEach((router, i) => lab.link(router, ring[(i + 1) % 4]));
    lab.link(a, ring[0]);
    lab.link(b, ring[2]);
    a.send(b, { hopLimit: 10 });
    lab.finish();
    expect(b.arrivals[0].packet.words[Word.HopLimit]).toBe(7);
    // Routers that disagree about the way send it round until its TTL is used up.
    const [toY, toX] = lab.link(lab.router('x'), lab.router('y')).wires;
    const confused = { next: ({ name }: { name: string }) => (name === 'x' ? toY : toX) };
    Object.assign(lab.routes, confused);
    toY.send(lab.packet(a, b, { sequence: 5, hopLimit: 10 }));
    lab.finish();
    expect(lab.log).toEqual(['0 lost 5 x: ttl']);
  });

  test('hosts do not forward', () => {
    const lab = new Lab();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => lab.station(name));
    const router = lab.router('router');
    lab.link(a, router);
    lab.link(router, b);
    a.send(c);
    lab.finish();
    expect(lab.log).toEqual(['0 lost 0 router: unroutable']);
  });

  test('know who has an address', () => {
    const lab = new Lab();
    const [a, b] = [lab.station('a'), lab.station('b')];
    const { words } = lab.packet(a, b, { family: 6 });
    expect(lab.routes.nameAt(words, Word.Source)).toBe('a');
    expect(lab.routes.nameAt(words, Word.Destination)).toBe('b');
    words[Word.Destination] ^= 1;
    expect(lab.routes.nameAt(words, Word.Destination)).toBeNull();
  });

  test('a second cable of a host, one more between the same two, a stranger: refused', () => {
    const lab = new Lab();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => lab.station(name));
    const [r1, r2] = [lab.router('r1'), lab.router('r2')];
    lab.link(a, r1);
    const refused = (text: string) => {
      const message: unknown = expect.stringContaining(text);
      return expect.objectContaining({ code: 'ERR_NETLAND_TOPOLOGY', message }) as Error;
    };
    expect(() => lab.link(b, a)).toThrow(refused('a has a cable already'));
    // What was refused has left nothing behind.
    expect(b.wire).toBeNull();
    lab.link(b, c);
    expect(() => lab.link(a, r1)).toThrow(refused('a and r1 are linked already'));
    lab.link(r1, r2);
    expect(() => lab.link(r2, r1)).toThrow(refused('r2 and r1 are linked already'));
    expect(() => lab.link(r1, new Lab().station('d'))).toThrow(refused('d is not in this network'));
  });
});
