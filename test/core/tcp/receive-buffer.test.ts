import fc from 'fast-check';
import { Arena } from '../../../lib/core/memory/arena';
import { ReceiveBuffer } from '../../../lib/core/tcp/receive-buffer';

const arena = () => new Arena((bytes) => new Uint8Array(bytes));

/** The byte of the stream at a sequence number. */
function byteAt(seq: number): number {
  return (Math.imul(seq, 0x9e3779b1) >>> 24) & 0xff;
}

function pattern(seq: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt((seq + i) | 0));
}

function takeAll(buffer: ReceiveBuffer, max = Infinity): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = buffer.take(max); piece !== null; piece = buffer.take(max)) pieces.push(piece);
  return pieces;
}

function blocks(buffer: ReceiveBuffer, max = 4): number[][] {
  const words = new Int32Array(10).fill(-99);
  const count = buffer.sackBlocks(max, words, 1);
  expect(words[0]).toBe(-99);
  expect(words[2 * count + 1]).toBe(-99);
  return Array.from({ length: count }, (_, i) => [words[2 * i + 1], words[2 * i + 2]]);
}

/** A buffer at `start` that knows its RCV.NXT. */
function receiver(start = 0, memory = arena()) {
  const buffer = new ReceiveBuffer(memory);
  const state = { buffer, rcvNxt: start | 0 };
  const insert = (from: number, length: number) => {
    const seq = (start + from) | 0;
    const padded = Uint8Array.from([1, 2, ...pattern(seq, length), 3]);
    const advance = buffer.insert(seq, state.rcvNxt, padded, 2, length);
    state.rcvNxt = (state.rcvNxt + advance) | 0;
    return advance;
  };
  return Object.assign(state, { insert });
}

describe('ReceiveBuffer', () => {
  test('a bulk transfer gives few large pieces', () => {
    const { buffer, insert } = receiver();
    for (let at = 0; at < 1448 * 100; at += 1448) expect(insert(at, 1448)).toBe(1448);
    expect(buffer.readable).toBe(144_800);
    const pieces = takeAll(buffer);
    expect(pieces.length).toBeLessThanOrEqual(3);
    expect(Buffer.concat(pieces).equals(pattern(0, 144_800))).toBe(true);
    expect(buffer.readable).toBe(0);
  });

  test('reads across pieces and says how much', () => {
    const memory = arena();
    const { buffer, insert } = receiver(0, memory);
    const other = receiver(0, memory);
    for (let at = 0; at < 20_000; at += 2000) {
      insert(at, 2000);
      other.insert(at, 2000);
    }
    const into = new Uint8Array(30_000);
    expect(buffer.read(into, 5, 0)).toBe(0);
    expect(buffer.read(into, 5, 4999)).toBe(4999);
    expect(buffer.readable).toBe(15_001);
    expect(buffer.read(into, 5004, 24_000)).toBe(15_001);
    expect(buffer.read(into, 0, 1)).toBe(0);
    expect(Buffer.from(into.subarray(5, 20_005)).equals(pattern(0, 20_000))).toBe(true);
    expect([...into.subarray(0, 5), ...into.subarray(20_005, 20_010)].every((b) => b === 0)).toBe(
      true,
    );
  });

  test('a piece that was handed over does not change any more', () => {
    const memory = arena();
    const { buffer, insert } = receiver(0, memory);
    const taken: { at: number; bytes: Uint8Array }[] = [];
    let at = 0;
    for (let i = 0; i < 600; i++) {
      const length = 1 + ((i * 37) % 1500);
      insert(at, length);
      at += length;
      const bytes = buffer.take(1 + ((i * 53) % 2000));
      if (bytes !== null) taken.push({ at: at - buffer.readable - bytes.length, bytes });
    }
    for (const piece of taken) {
      expect(Buffer.from(piece.bytes).equals(pattern(piece.at, piece.bytes.length))).toBe(true);
    }
  });

  test('many small payloads that wait cost few pieces, whatever arrives beside them', () => {
    const memory = arena();
    const idle = receiver(0, memory);
    const busy = receiver(0, memory);
    for (let i = 0; i < 5000; i++) {
      idle.insert(i, 1);
      busy.insert(i * 100, 100);
      busy.buffer.take(Infinity);
    }
    expect(idle.buffer.pieces).toBeLessThan(10);
    expect(Buffer.concat(takeAll(idle.buffer)).equals(pattern(0, 5000))).toBe(true);
  });

  test('an empty payload changes nothing', () => {
    const { buffer, insert } = receiver();
    expect([insert(0, 0), insert(50, 0)]).toEqual([0, 0]);
    expect([buffer.readable, buffer.outOfOrder, buffer.pieces]).toEqual([0, 0, 0]);
    expect(buffer.take(10)).toBeNull();
  });

  test('clear drops what is in order and what is not', () => {
    const { buffer, insert } = receiver();
    insert(0, 10);
    insert(20, 10);
    buffer.clear();
    expect([buffer.readable, buffer.outOfOrder, buffer.pieces]).toEqual([0, 0, 0]);
    expect(blocks(buffer)).toEqual([]);
    expect(buffer.take(10)).toBeNull();
  });

  test('the example of RFC 2018 §4, case 2: the first of eight segments is lost', () => {
    const { buffer, insert } = receiver(5000);
    for (let i = 1; i < 8; i++) {
      expect(insert(500 * i, 500)).toBe(0);
      expect(blocks(buffer)).toEqual([[5500, 5500 + 500 * i]]);
    }
    expect(insert(0, 500)).toBe(4000);
    expect(blocks(buffer)).toEqual([]);
  });

  test('the example of RFC 2018 §4, case 3: every second segment is lost', () => {
    const state = receiver(5000);
    const { buffer, insert } = state;
    insert(0, 500);
    for (const at of [1000, 2000, 3000]) insert(at, 500);
    expect(blocks(buffer)).toEqual([
      [8000, 8500],
      [7000, 7500],
      [6000, 6500],
    ]);
    expect(blocks(buffer, 2)).toEqual([
      [8000, 8500],
      [7000, 7500],
    ]);
    // The fourth arrives after the others, then the second.
    insert(1500, 500);
    expect(blocks(buffer)).toEqual([
      [6000, 7500],
      [8000, 8500],
    ]);
    expect(insert(500, 500)).toBe(2000);
    expect(state.rcvNxt).toBe(7500);
    expect(blocks(buffer)).toEqual([[8000, 8500]]);
  });

  test('counts the pieces that it holds, wherever they are', () => {
    const { buffer, insert } = receiver();
    for (const at of [2000, 6000, 4000, 8000]) insert(at, 1500);
    expect(buffer.pieces).toBe(4);
    // Three runs become one: two fillings more.
    insert(3000, 3500);
    expect([buffer.pieces, buffer.outOfOrder]).toEqual([6, 7000]);
    expect(blocks(buffer)).toEqual([
      [2000, 7500],
      [8000, 9500],
    ]);
    insert(0, 2000);
    expect([buffer.pieces, buffer.outOfOrder]).toEqual([7, 1500]);
    takeAll(buffer);
    expect(buffer.pieces).toBe(1);
  });

  test('what lies furthest beyond a number is given up first, up to the next hole', () => {
    const { buffer, insert } = receiver(-2000);
    for (const at of [1000, 5000, 3000, 3500]) insert(at, 500);
    expect(blocks(buffer)).toEqual([
      [1000, 2000],
      [3000, 3500],
      [-1000, -500],
    ]);
    expect([buffer.prune(1000), blocks(buffer), buffer.held]).toEqual([
      true,
      [
        [1000, 2000],
        [-1000, -500],
      ],
      1500,
    ]);
    // What begins there or before stays.
    expect(buffer.prune(1000)).toBe(false);
    expect([buffer.prune(0), buffer.prune(-2000), buffer.prune(-2000)]).toEqual([
      true,
      true,
      false,
    ]);
    expect([buffer.held, buffer.pieces]).toEqual([0, 0]);
    expect(insert(0, 5000)).toBe(5000);
  });

  test('what is given up no longer counts against the memory of the stack', () => {
    const memory = { received: 0 };
    const buffer = new ReceiveBuffer(arena(), memory);
    for (const at of [100, 300, 500]) buffer.insert(at, 0, pattern(at, 50), 0, 50);
    expect(memory.received).toBe(buffer.cost);
    while (buffer.prune(0)) expect(memory.received).toBe(buffer.cost);
    expect([buffer.held, memory.received]).toEqual([0, 0]);
  });

  test('a duplicate beyond the hole is reported first', () => {
    const { buffer, insert } = receiver();
    insert(100, 10);
    insert(200, 10);
    insert(105, 2);
    expect(blocks(buffer)).toEqual([
      [100, 110],
      [200, 210],
    ]);
    expect(buffer.outOfOrder).toBe(20);
  });

  test('a peer that sends single bytes with holes is refused at last, and loses nothing', () => {
    const { buffer, insert } = receiver();
    let refused = 0;
    for (let i = 20_000; i > 0; i -= 2) {
      insert(i, 1);
      if (buffer.refused) refused++;
    }
    expect(refused).toBeGreaterThan(0);
    expect(buffer.pieces).toBeLessThanOrEqual(512);
    expect(buffer.outOfOrder + refused).toBe(10_000);
    expect(insert(0, 20_001)).toBe(20_001);
    expect(buffer.refused).toBe(false);
    expect([buffer.outOfOrder, buffer.readable]).toEqual([0, 20_001]);
    expect(Buffer.concat(takeAll(buffer)).equals(pattern(0, 20_001))).toBe(true);
  });
});

/** The stream as a list of bytes with the time at which each last arrived. */
class Model {
  readonly bytes = new Map<number, number>();
  readonly stamps = new Map<number, number>();
  rcvNxt = 0;
  private time = 0;

  insert(from: number, payload: Uint8Array) {
    if (payload.length === 0) return;
    this.time++;
    payload.forEach((byte, i) => {
      if (from + i < this.rcvNxt) return;
      if (!this.bytes.has(from + i)) this.bytes.set(from + i, byte);
      this.stamps.set(from + i, this.time);
    });
    while (this.bytes.has(this.rcvNxt)) this.rcvNxt++;
  }

  /** Runs beyond RCV.NXT, most recently changed first. */
  runs() {
    const beyond = [...this.bytes.keys()].filter((seq) => seq >= this.rcvNxt);
    beyond.sort((a, b) => a - b);
    const runs: { left: number; right: number; stamp: number }[] = [];
    for (const seq of beyond) {
      const stamp = this.stamps.get(seq) ?? 0;
      const last = runs.at(-1);
      if (last?.right === seq) {
        last.right++;
        last.stamp = Math.max(last.stamp, stamp);
      } else {
        runs.push({ left: seq, right: seq + 1, stamp });
      }
    }
    return runs.sort((a, b) => b.stamp - a.stamp);
  }
}

describe('ReceiveBuffer against a list of bytes', () => {
  const size = fc.oneof(fc.nat(5), fc.nat(70), fc.integer({ min: 900, max: 1500 }));
  const operation = fc.record({
    do: fc.constantFrom('insert', 'insert', 'insert', 'next', 'read', 'take', 'other'),
    at: fc.integer({ min: -40, max: 300 }),
    scale: fc.constantFrom(1, 1, 10),
    size,
    salt: fc.nat(255),
  });

  test('gives each byte once, in order, the first copy of each; and the right SACK blocks', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(operation, { maxLength: 60, size: 'max' }),
        (start, operations) => {
          const memory = arena();
          const buffer = new ReceiveBuffer(memory);
          const other = new ReceiveBuffer(memory);
          const model = new Model();
          const taken: { at: number; bytes: Uint8Array }[] = [];
          const expected = (from: number, length: number) =>
            Buffer.from(Array.from({ length }, (_, i) => model.bytes.get(from + i) ?? -1));
          let consumed = 0;
          for (const step of operations) {
            if (step.do === 'insert' || step.do === 'next') {
              const from = step.do === 'next' ? model.rcvNxt : model.rcvNxt + step.at * step.scale;
              // Each segment has other contents: only the first copy of a byte may be seen.
              const payload = new Uint8Array(step.size).fill(step.salt);
              const before = model.rcvNxt;
              const rcvNxt = (start + before) | 0;
              const advance = buffer.insert((start + from) | 0, rcvNxt, payload, 0, step.size);
              model.insert(from, payload);
              payload.fill(0);
              expect(advance).toBe(model.rcvNxt - before);
            } else if (step.do === 'read') {
              const into = new Uint8Array(step.size);
              const count = buffer.read(into, 0, step.size);
              expect(count).toBe(Math.min(step.size, model.rcvNxt - consumed));
              expect(Buffer.from(into.subarray(0, count)).equals(expected(consumed, count))).toBe(
                true,
              );
              consumed += count;
            } else if (step.do === 'take') {
              const bytes = buffer.take(step.size + 1);
              expect(bytes === null).toBe(model.rcvNxt === consumed);
              if (bytes === null) continue;
              expect(bytes.length).toBeGreaterThan(0);
              expect(bytes.length).toBeLessThanOrEqual(step.size + 1);
              taken.push({ at: consumed, bytes });
              consumed += bytes.length;
            } else {
              other.insert(0, 0, new Uint8Array(step.size), 0, step.size);
              if (step.salt < 128) other.clear();
            }
            const runs = model.runs();
            expect(buffer.readable).toBe(model.rcvNxt - consumed);
            expect(buffer.outOfOrder).toBe(
              runs.reduce((sum, run) => sum + run.right - run.left, 0),
            );
            expect(blocks(buffer)).toEqual(
              runs.slice(0, 4).map((run) => [(start + run.left) | 0, (start + run.right) | 0]),
            );
          }
          for (const { at, bytes } of taken) {
            expect(Buffer.from(bytes).equals(expected(at, bytes.length))).toBe(true);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('segments of a stream in any order, with overlaps and across the wrap', () => {
    const cuts = fc.array(fc.record({ at: fc.nat(30_000), length: fc.nat(4000) }), {
      maxLength: 30,
      size: 'max',
    });
    fc.assert(
      fc.property(fc.integer({ min: -40_000, max: 10_000 }), cuts, (start, extra) => {
        const state = receiver(start, arena());
        const total = 30_000;
        const segments = [...extra];
        for (let at = 0; at < total; at += 1000) {
          segments.splice((at * 7) % (segments.length + 1), 0, { at, length: 1000 });
        }
        for (const { at, length } of segments) state.insert(at, Math.min(length, total - at));
        expect(state.rcvNxt).toBe((start + total) | 0);
        expect(state.buffer.outOfOrder).toBe(0);
        const bytes = Buffer.concat(takeAll(state.buffer, 3333));
        expect(bytes.equals(pattern(start, total))).toBe(true);
        expect(state.buffer.pieces).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  test('wraps at 2^31 and at 2^32', () => {
    for (const start of [0x7ffffff0, -16]) {
      const state = receiver(start);
      state.insert(20, 30);
      state.insert(60, 5);
      expect(blocks(state.buffer)).toEqual([
        [(start + 60) | 0, (start + 65) | 0],
        [(start + 20) | 0, (start + 50) | 0],
      ]);
      expect(state.insert(0, 20)).toBe(50);
      expect(state.insert(45, 30)).toBe(25);
      expect(Buffer.concat(takeAll(state.buffer)).equals(pattern(start, 75))).toBe(true);
    }
  });
});

test('holes that are filled leave few pieces, however small the segments were', () => {
  const arena = new Arena((bytes) => new Uint8Array(bytes));
  const buffer = new ReceiveBuffer(arena);
  const byte = new Uint8Array(1);
  let rcvNxt = 0;
  for (let round = 0; round < 30; round++) {
    // Every second byte beyond the hole, from the back; then what lies between.
    for (let i = 3999; i > 0; i--) {
      byte[0] = rcvNxt + 2 * i;
      buffer.insert(rcvNxt + 2 * i, rcvNxt, byte, 0, 1);
    }
    const all = Uint8Array.from({ length: 7999 }, (_, i) => rcvNxt + i);
    expect(buffer.insert(rcvNxt, rcvNxt, all, 0, all.length)).toBe(all.length);
    rcvNxt += all.length;
    expect(buffer.pieces).toBeLessThan(2500);
  }
  expect(buffer.pieces).toBeLessThan(2500);
  const out = new Uint8Array(rcvNxt);
  expect(buffer.read(out, 0, rcvNxt)).toBe(rcvNxt);
  expect(out.every((value, i) => value === (i & 0xff))).toBe(true);
});

test('large and small pieces in turn are not copied again and again', () => {
  const arena = new Arena((bytes) => new Uint8Array(bytes));
  const buffer = new ReceiveBuffer(arena);
  const large = new Uint8Array(300).fill(1);
  const store = jest.spyOn(arena, 'store');
  let rcvNxt = 0;
  for (let i = 0; i < 20_000; i++) {
    buffer.insert(rcvNxt + 1, rcvNxt, large, 0, 300);
    buffer.insert(rcvNxt, rcvNxt, large, 0, 1);
    rcvNxt += 301;
  }
  // A piece for each that arrived, and at most as many again for those that were moved.
  expect(store.mock.calls.length).toBeLessThan(100_000);
  expect(buffer.readable).toBe(rcvNxt);
});
