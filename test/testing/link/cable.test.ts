import { Flag, Word } from '../../../lib/core/segment/layout';
import type { LinkOptions, WireOptions } from '../../../lib/testing/link/options';
import type { SegmentView } from '../../../lib/testing/segment-view';
import { Lab, range, wire } from './lab';

describe('a cut', () => {
  test('loses what is under way and what is sent, both ways, until it heals', () => {
    const { lab, client, server, cable } = wire({ delay: 20 });
    client.send(server, { sequence: 1 });
    lab.simulation.advance(20_000);
    client.send(server, { sequence: 2 });
    server.send(client, { sequence: 3 });
    cable.cut();
    expect(cable.inFlight).toBe(0);
    client.send(server, { sequence: 4 });
    cable.heal();
    client.send(server, { sequence: 5 });
    lab.finish();
    expect(server.sequences).toEqual([1, 5]);
    expect(client.sequences).toEqual([]);
    expect(lab.log).toEqual([
      '20 cut client-server',
      '20 lost 2 client-server from client: cut',
      '20 lost 3 client-server from server: cut',
      '20 lost 4 client-server from client: cut',
      '20 heal client-server',
    ]);
    expect(cable.counters.client.lost).toEqual({ cut: 2 });
    expect(cable.counters.server.lost).toEqual({ cut: 1 });
  });

  test.each([
    ['its name', 'server'],
    ['itself', { name: 'server' }],
  ])('of one direction, by %s', (_, from) => {
    const { lab, client, server, cable } = wire();
    cable.cut({ from });
    client.send(server);
    server.send(client);
    lab.finish();
    expect([server.arrivals.length, client.arrivals.length]).toEqual([1, 0]);
    expect(lab.log[0]).toBe('0 cut client-server from server');
    // The other direction is still to be cut; that one already is.
    cable.cut();
    cable.cut();
    cable.heal();
    cable.heal();
    server.send(client);
    lab.finish();
    expect(client.arrivals).toHaveLength(1);
    expect(lab.log.slice(2)).toEqual(['0 cut client-server from client', '0 heal client-server']);
  });

  test('empties every place in which packets wait, and leaves nothing behind', () => {
    const { lab, client, server, cable } = wire({
      ...{ delay: 10, jitter: 5, rate: 1e6, reorder: { probability: 0.5 } },
      filter: ({ seq }) => (seq % 10 === 0 ? 3 : true),
    });
    client.sendAll(server, 200, 300);
    expect(cable.inFlight).toBeGreaterThan(20);
    cable.cut();
    expect(cable.inFlight).toBe(0);
    expect(lab.simulation.next()).toBe(Infinity);
    const { sent, delivered, lost } = cable.counters.client;
    expect(delivered + (lost.cut ?? 0)).toBe(sent);
    cable.heal();
    cable.set({ reorder: undefined, jitter: 0 });
    server.arrivals.length = 0;
    const start = lab.simulation.now;
    client.send(server, { sequence: 1, size: 1000 });
    lab.finish();
    expect(server.arrivals).toMatchObject([{ at: start + 8000 + 10_000 }]);
  });
});

describe('options', () => {
  test('of one direction stand before those of both', () => {
    const { lab, client, server, cable } = wire({
      delay: 20,
      from: { client: { delay: 1, mtu: 1000 } },
    });
    client.send(server);
    server.send(client);
    lab.finish();
    expect([server.times, client.times]).toEqual([[1], [20]]);
    expect([client.wire?.mtu, server.wire?.mtu]).toEqual([1000, 1500]);
    expect(cable.name).toBe('client-server');
  });

  test('may change, those that are named, and undefined is the default', () => {
    const { lab, client, server, cable } = wire({ delay: 20, mtu: 1400 });
    cable.set({ loss: 1 }, { from: 'server' });
    client.send(server);
    server.send(client);
    lab.finish();
    cable.set({ delay: 5, loss: undefined });
    client.send(server);
    server.send(client);
    lab.finish();
    expect([server.times, client.times]).toEqual([[20, 25], [25]]);
    expect(client.wire?.mtu).toBe(1400);
    expect(lab.log).toEqual([
      '0 set client-server from server { loss: 1 }',
      '0 lost 0 client-server from server: lost',
      '20 set client-server { delay: 5, loss: undefined }',
    ]);
  });

  const options = (value: unknown) => value as LinkOptions;

  test.each<[string, LinkOptions, string, string]>([
    ['no object', options(3), 'ERR_INVALID_ARG_TYPE', 'options'],
    ['a name that is none', options({ dealy: 3 }), 'ERR_INVALID_ARG_VALUE', 'dealy'],
    ['a text as a time', options({ delay: '20' }), 'ERR_INVALID_ARG_TYPE', 'options.delay'],
    ['a negative time', { delay: -1 }, 'ERR_OUT_OF_RANGE', 'options.delay'],
    ['not a number', { jitter: NaN }, 'ERR_OUT_OF_RANGE', 'options.jitter'],
    ['a number for yes', options({ overtake: 1 }), 'ERR_INVALID_ARG_TYPE', 'options.overtake'],
    ['no rate at all', { rate: 0 }, 'ERR_OUT_OF_RANGE', 'options.rate'],
    ['half a byte', { queue: 0.5 }, 'ERR_OUT_OF_RANGE', 'options.queue'],
    ['percents', { loss: 2 }, 'ERR_OUT_OF_RANGE', 'options.loss'],
    ['a text as loss', options({ loss: '1%' }), 'ERR_INVALID_ARG_TYPE', 'options.loss'],
    ['bursts without p', options({ loss: {} }), 'ERR_INVALID_ARG_TYPE', 'options.loss.p'],
    ['bursts by h', options({ loss: { p: 0, h: 1 } }), 'ERR_INVALID_ARG_VALUE', '"h"'],
    ['too bad times', { loss: { p: 0, '1-h': 2 } }, 'ERR_OUT_OF_RANGE', 'options.loss.1-h'],
    ['duplicates', { duplicate: 1.1 }, 'ERR_OUT_OF_RANGE', 'options.duplicate'],
    ['a number', options({ reorder: 1 }), 'ERR_INVALID_ARG_TYPE', 'options.reorder'],
    ['no range', options({ reorder: { probability: 1, by: 3 } }), 'ERR_INVALID_ARG_TYPE', 'by'],
    ['one', { reorder: { probability: 1, by: [2, 1] } }, 'ERR_OUT_OF_RANGE', 'by[1]'],
    ['corruption', { corrupt: -0.1 }, 'ERR_OUT_OF_RANGE', 'options.corrupt'],
    ['a tiny MTU', { mtu: 67 }, 'ERR_OUT_OF_RANGE', 'options.mtu'],
    ['a huge MTU', { mtu: 65_536 }, 'ERR_OUT_OF_RANGE', 'options.mtu'],
    ['empty ECN', { ecn: {} }, 'ERR_INVALID_ARG_VALUE', 'options.ecn'],
    ['marks', { ecn: { probability: 2 } }, 'ERR_OUT_OF_RANGE', 'options.ecn.probability'],
    ['a filter', options({ filter: true }), 'ERR_INVALID_ARG_TYPE', 'options.filter'],
    ['no such end', { from: { router: {} } }, 'ERR_INVALID_ARG_VALUE', 'client, server'],
    ['a bad end', { from: { client: { mtu: 1 } } }, 'ERR_OUT_OF_RANGE', 'options.mtu'],
  ])('%s: refused', (_, wrong, code, text) => {
    const { cable, lab, client } = wire();
    const message: unknown = expect.stringContaining(text);
    expect(() => wire(wrong)).toThrow(expect.objectContaining({ code, message }));
    if (typeof wrong === 'object' && wrong.from === undefined) {
      expect(() => cable.set(wrong)).toThrow(expect.objectContaining({ code }));
    }
    expect(lab.log).toEqual([]);
    expect(client.wire?.mtu).toBe(1500);
  });

  test('a direction that is none: refused', () => {
    const { cable } = wire();
    const direction = (value: unknown) => value as { from: string };
    const named = { code: 'ERR_INVALID_ARG_VALUE', message: /'client' or 'server'/ };
    expect(() => cable.cut({ from: 'router' })).toThrow(
      expect.objectContaining({
        code: named.code,
        message: expect.stringMatching(named.message) as unknown,
      }),
    );
    const type = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => cable.heal(direction('client'))).toThrow(type);
    expect(() => cable.heal(direction({ from: 3 }))).toThrow(type);
    expect(() => cable.set({}, direction(null))).toThrow(type);
    expect(() => cable.cut({ form: 'client' } as object)).toThrow(/has no "form"/);
    const inside = { delay: 1, from: { client: {} } } as WireOptions;
    expect(() => cable.set(inside)).toThrow(/has no "from"/);
  });
});

describe('a filter', () => {
  test('sees each segment that is sent, and by whom', () => {
    const seen: string[] = [];
    const { lab, client, server } = wire({
      delay: 5,
      loss: 1,
      filter: (segment, from) => void seen.push(`${from}: ${String(segment)}`),
    });
    client.send(server, { flags: Flag.SYN, sequence: 9, size: 44, mss: 1460 });
    server.send(client, { family: 6, sequence: 1, acknowledgment: 10 });
    lab.finish();
    expect(seen).toEqual([
      'client: IP 10.0.0.1.40000 > 10.0.0.2.50000: Flags [S], seq 9:13, win 500, ' +
        'options [mss 1460], length 4',
      'server: IP6 fd00::2.40000 > fd00::1.50000: Flags [.], ack 10, win 500, length 0',
    ]);
    expect(server.arrivals).toEqual([]);
  });

  test('drops by false, and by nothing else', () => {
    const answers = [false, true, undefined, 0];
    const { lab, client, server, cable } = wire({ filter: ({ seq }) => answers[seq] });
    client.sendAll(server, 4);
    lab.finish();
    expect(server.sequences).toEqual([1, 2, 3]);
    expect(cable.counters.client.lost).toEqual({ filter: 1 });
    cable.set({ filter: undefined });
    client.send(server, { sequence: 0 });
    lab.finish();
    expect(server.sequences.at(-1)).toBe(0);
  });

  test('delays by a number of ms, while others pass', () => {
    const { lab, client, server } = wire({
      delay: 10,
      filter: ({ isSyn }) => isSyn && 1000.25,
      from: { server: { filter: () => -1 } },
    });
    client.send(server, { sequence: 1, flags: Flag.SYN });
    client.send(server, { sequence: 2 });
    lab.finish();
    expect(server.sequences).toEqual([1]);
    const other = wire({ delay: 10, filter: ({ isSyn }) => (isSyn ? 1000.25 : true) });
    other.client.send(other.server, { sequence: 1, flags: Flag.SYN });
    other.client.send(other.server, { sequence: 2 });
    other.lab.finish();
    expect(other.server.arrivals).toMatchObject([
      { sequence: 2, at: 10_000 },
      { sequence: 1, at: 1_010_250 },
    ]);
    server.send(client);
    expect(() => lab.simulation.rethrow()).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  test('that throws loses the packet, and whoever moves time gets the error', () => {
    const { lab, client, server, cable } = wire({
      filter: () => {
        throw new Error('mine');
      },
    });
    client.send(server, { sequence: 1 });
    client.send(server, { sequence: 2 });
    expect(cable.inFlight).toBe(0);
    expect(cable.counters.client.lost).toEqual({ filter: 2 });
    cable.set({ filter: undefined });
    client.send(server, { sequence: 3 });
    expect(() => lab.finish()).toThrow('mine');
    lab.finish();
    expect(server.sequences).toEqual([3]);
  });

  test('that cuts the cable loses the packet that it sees', () => {
    let delay = 0;
    const { lab, client, server, cable } = wire({
      filter: () => {
        cable.cut();
        return delay;
      },
    });
    client.send(server, { sequence: 1 });
    cable.heal();
    delay = 1000;
    client.send(server, { sequence: 2 });
    cable.heal();
    lab.finish();
    expect(server.sequences).toEqual([]);
    expect(cable.counters.client.lost).toEqual({ cut: 2 });
    expect(cable.inFlight).toBe(0);
  });

  test('finds the segment as it was, long after', () => {
    const kept: SegmentView[] = [];
    const lab = new Lab();
    const [client, server] = [lab.station('client'), lab.station('server')];
    const router = lab.router('router');
    lab.link(client, router, { filter: (segment) => void kept.push(segment) });
    lab.link(router, server, { corrupt: 1, filter: (segment) => void kept.push(segment) });
    client.send(server, { hopLimit: 9, size: 60 });
    lab.finish();
    expect(kept.map(({ ttl, corrupted }) => [ttl, corrupted])).toEqual([
      [9, false],
      [8, false],
    ]);
    expect(server.arrivals[0].packet.words[Word.HopLimit]).toBe(8);
    // Nor does the network find another segment because somebody has written to what was seen.
    kept[0].payload.fill(0);
    expect(kept[1].payload[1]).toBe(7);
  });
});

test('a cable from a host to itself is refused', () => {
  const lab = new Lab();
  const alone = lab.station('alone');
  const code = 'ERR_INVALID_ARG_VALUE';
  expect(() => lab.link(alone, alone)).toThrow(expect.objectContaining({ code }));
});

test('two that answer each other without delay do so in order, at one instant', () => {
  const { lab, client, server } = wire();
  let turns = 0;
  for (const [from, to] of [
    [client, server],
    [server, client],
  ]) {
    from.onPacket = () => {
      if (turns < 1000) from.send(to, { sequence: turns++ });
    };
  }
  client.send(server, { sequence: -1 });
  lab.finish();
  expect(lab.simulation.now).toBe(0);
  expect(client.sequences).toEqual(range(500).map((i) => 2 * i));
});
