import { duplexPair } from 'node:stream';
import { streamLink } from '../../../lib/link/stream';
import { RecordingHost, nextTurn, settle } from '../../support/recording-host';
import { pattern } from '../../support/segments';
import { A, Stuck, TO_B, opened, packet } from './support';

const FIELDS = [
  { ...TO_B, sequence: 1, payload: [pattern(10), pattern(7)] },
  { from: 'fd00::1', to: 'fd00::2', sequence: 2 },
  { ...TO_B, sequence: 3, payload: [pattern(1000)] },
];

describe('what is sent', () => {
  test('stands in a stream of bytes one behind the other, a batch in one chunk', async () => {
    const stream = new Stuck();
    const host = await RecordingHost.open(streamLink(stream), A);
    expect(host.send(...FIELDS)).toBe(true);
    expect(stream.written).toEqual([Buffer.concat(FIELDS.map(packet))]);
    expect(host.port.counters).toMatchObject({ sent: 3 });
  });

  test('is one message each in a stream of messages', async () => {
    const { host, far } = await opened(true);
    expect(host.send(...FIELDS)).toBe(true);
    await nextTurn();
    expect([far.read(), far.read(), far.read()]).toEqual(FIELDS.map(packet));
  });

  test('may change its bytes as soon as transmit has returned', async () => {
    const { host, far } = await opened(true);
    const payload = pattern(500);
    host.send({ ...TO_B, payload: [payload] });
    payload.fill(0);
    host.send({ ...TO_B, payload: [payload] });
    await nextTurn();
    expect(far.read()).toEqual(packet({ ...TO_B, payload: [pattern(500)] }));
  });

  test.each([false, true])('has to fit (messages: %s)', async (objectMode) => {
    const { host, far } = await opened(objectMode, { mtu: 1400 });
    expect(host.port.mtu).toBe(1400);
    const fields = [1360, 1361, 65_500].map((size) => ({ ...TO_B, payload: [pattern(size)] }));
    host.send(...fields);
    host.send(fields[1]);
    await nextTurn();
    expect(far.read()).toEqual(packet(fields[0]));
    expect(far.read()).toBeNull();
    expect(host.port.counters).toMatchObject({ sent: 1, tooBig: 2, invalid: 1 });
  });

  test.each([
    ['bytes', false],
    ['messages', true],
  ])('waits for a stream of %s that is slow', async (_, objectMode) => {
    const stream = new Stuck({ objectMode });
    const host = await RecordingHost.open(streamLink(stream), A);
    const full = { ...TO_B, payload: [pattern(1460)] };
    let batches = 1;
    while (host.send(...Array.from({ length: 4 }, () => full))) batches++;
    expect(batches).toBe(objectMode ? 4 : 3);
    expect(host.send(full)).toBe(false);
    stream.accept();
    await settle(host);
    expect(host.writables).toBe(0);
    for (let i = 0; i < 20; i++) stream.accept();
    await settle(host);
    expect(host.writables).toBe(1);
    expect(host.send(full)).toBe(true);
  });

  test.each([
    ['bytes', false, 1500],
    ['bytes of large packets', false, 65_535],
    ['messages', true, 1500],
    ['large messages', true, 65_535],
  ])('does not fill the memory of a stream of %s that is stuck', async (_, objectMode, mtu) => {
    const stream = new Stuck({ objectMode });
    const host = await RecordingHost.open(streamLink(stream, { mtu }), A);
    const full = { ...TO_B, payload: [new Uint8Array(mtu - 40)] };
    const count = Math.ceil((12 * 1024 * 1024) / mtu / 10);
    for (let i = 0; i < count; i++) host.send(...Array.from({ length: 10 }, () => full));
    const { sent, dropped } = host.port.counters;
    expect(sent + dropped).toBe(10 * count);
    const limit = 8 * 1024 * 1024;
    expect(sent * mtu).toBeLessThanOrEqual(limit);
    expect(sent * mtu).toBeGreaterThan(limit - 65_536);
    expect(host.writables).toBe(0);
    host.port.close();
  });

  test('is dropped and counted when the link is closed', async () => {
    const { host, far } = await opened(true);
    host.port.close();
    expect(host.send(...FIELDS)).toBe(true);
    expect(host.port.counters).toMatchObject({ sent: 0, dropped: 3 });
    await nextTurn();
    expect(far.read()).toBeNull();
  });

  test('never arrives from within transmit, however the streams call each other', async () => {
    const [near, far] = duplexPair({ objectMode: true });
    const a = await RecordingHost.open(streamLink(near), A);
    const b = await RecordingHost.open(streamLink(far), A);
    let depth = 0;
    for (const [host, peer] of [
      [a, b],
      [b, a],
    ]) {
      let left = 50;
      host.onReceive = () => {
        expect(depth++).toBe(0);
        if (left-- > 0) host.send(TO_B);
        depth--;
        expect(peer.batches.length).toBeLessThan(60);
      };
    }
    a.send(TO_B);
    await settle(a, b);
    expect([a.arrivals.length, b.arrivals.length]).toEqual([50, 51]);
  });
});
