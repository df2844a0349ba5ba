import fc from 'fast-check';
import { Mark, SentQueue, type RowList } from '../../../../lib/core/tcp/sent-queue';

/** A segment as a plain object. */
interface Row {
  seq: number;
  end: number;
  sentAt: number;
  order: number;
  sacked: boolean;
  lost: boolean;
  retransmitted: boolean;
  ever: boolean;
  pushed: boolean;
}

/** The queue as anybody would write it: what `SentQueue` must agree with. */
class Model {
  rows: Row[] = [];
  lost: Row[] = [];
  order = 0;

  /** In the order of transmission. */
  get sent(): Row[] {
    const inSent = this.rows.filter((row) => !row.sacked && !(row.lost && !row.retransmitted));
    return inSent.sort((a, b) => a.order - b.order);
  }

  resend(row: Row, now: number): void {
    row.sentAt = now;
    row.order = ++this.order;
    row.ever = true;
  }
}

function list(queue: SentQueue, { first, last }: RowList): number[] {
  const rows: number[] = [];
  let before = -1;
  for (let row = first; row >= 0; row = queue.following(row)) {
    rows.push(queue.seq(row));
    before = row;
    if (rows.length > queue.count) throw new Error('a list without an end');
  }
  expect(before).toBe(last);
  return rows;
}

/** All rows, oldest first. */
function rowsOf(queue: SentQueue): number[] {
  const rows: number[] = [];
  for (let row = queue.head; row !== queue.tail; row = queue.next(row)) rows.push(row);
  return rows;
}

function agree(queue: SentQueue, model: Model): void {
  const rows = rowsOf(queue);
  expect(rows.map((row) => [queue.seq(row), queue.end(row), queue.sentAt(row)])).toEqual(
    model.rows.map(({ seq, end, sentAt }) => [seq, end, sentAt]),
  );
  expect(rows.map((row) => queue.marks(row))).toEqual(
    model.rows.map(
      (row) =>
        (row.sacked ? Mark.Sacked : 0) |
        (row.lost ? Mark.Lost : 0) |
        (row.retransmitted ? Mark.Retransmitted : 0) |
        (row.ever ? Mark.EverRetransmitted : 0) |
        (row.pushed ? Mark.Pushed : 0),
    ),
  );
  expect([queue.count, queue.sackedOut, queue.lostOut, queue.retransOut]).toEqual([
    model.rows.length,
    model.rows.filter(({ sacked }) => sacked).length,
    model.rows.filter(({ lost }) => lost).length,
    model.rows.filter(({ retransmitted }) => retransmitted).length,
  ]);
  expect(list(queue, queue.sent)).toEqual(model.sent.map(({ seq }) => seq));
  expect(list(queue, queue.lost)).toEqual(model.lost.map(({ seq }) => seq));
  for (const [i, row] of rows.entries()) {
    const next = model.rows.findIndex(({ sacked }, at) => at >= i && !sacked);
    expect(queue.unsacked(row)).toBe(next < 0 ? queue.tail : rows[next]);
    expect(queue.locate(queue.seq(row))).toBe(row);
    expect(queue.locate((queue.seq(row) + 1) | 0)).toBe(rows[i + 1] ?? queue.tail);
  }
  const ever = model.rows.some(({ retransmitted }) => retransmitted) || model.rows[0]?.ever;
  expect(queue.anyRetransmitted).toBe(ever ?? false);
}

type Step = readonly [kind: number, pick: number, size: number];

/** One step on both; `now` grows. */
function step(queue: SentQueue, model: Model, [kind, pick, size]: Step, now: number, from: number) {
  const { rows } = model;
  const index = rows.length === 0 ? 0 : pick % rows.length;
  const row = rows.at(index);
  const at = rowsOf(queue)[index];
  switch (kind) {
    case 0:
    case 1: {
      const seq = rows.at(-1)?.end ?? from;
      const end = (seq + size) | 0;
      const pushed = size % 5 === 0;
      const place = queue.push(seq, end, now);
      if (pushed) queue.mark(place, Mark.Pushed);
      const flags = { sacked: false, lost: false, retransmitted: false, ever: false, pushed };
      rows.push({ seq, end, sentAt: now, order: ++model.order, ...flags });
      return;
    }
    case 2:
      if (row === undefined || row.sacked) return;
      queue.sack(at);
      model.lost = model.lost.filter((other) => other !== row);
      row.sacked = true;
      return;
    case 3: {
      if (row === undefined) return;
      const news = !row.sacked && (!row.lost || row.retransmitted);
      expect(queue.markLost(at)).toBe(news);
      if (!news) return;
      row.lost = true;
      row.retransmitted = false;
      const first = model.lost.at(0);
      if (first !== undefined && ((first.seq - row.seq) | 0) > 0) model.lost.unshift(row);
      else model.lost.push(row);
      return;
    }
    case 4: {
      const first = model.lost.shift();
      if (first === undefined) return;
      queue.retransmitted(queue.lost.first, now);
      model.resend(first, now);
      first.retransmitted = true;
      return;
    }
    case 5:
      if (row === undefined || row.sacked || row.lost) return;
      queue.probed(at, now);
      model.resend(row, now);
      return;
    case 6:
      if (rows.length === 0) return;
      queue.shift();
      model.lost = model.lost.filter((other) => other !== rows[0]);
      rows.shift();
      return;
    case 7:
      if (rows.length === 0 || ((rows[0].end - rows[0].seq) | 0) < 2) return;
      rows[0].seq = (rows[0].seq + 1) | 0;
      queue.trimHead(rows[0].seq);
      return;
    case 8: {
      const deadline = now - pick;
      const late = rows.filter(
        (other, i) =>
          !other.sacked &&
          (!other.lost || other.retransmitted) &&
          (i === 0 || other.sentAt <= deadline),
      );
      expect(queue.markTimedOut(deadline)).toBe(late.length);
      for (const other of late) {
        other.lost = true;
        other.retransmitted = false;
      }
      model.lost = rows.filter((other) => other.lost && !other.retransmitted && !other.sacked);
      return;
    }
    default:
      throw new Error('no such step');
  }
}

/** A script of steps; the numbers begin short of the wrap. */
const SCRIPT = fc.array(
  fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8), fc.nat(60), fc.integer({ min: 1, max: 9 })),
  { maxLength: 120 },
);

describe('the queue of segments in flight', () => {
  test.each([1, 0x7fff_ffc0, -60])('agrees with a naive one, from %d on', (from) => {
    fc.assert(
      fc.property(SCRIPT, (script) => {
        const queue = new SentQueue();
        const model = new Model();
        script.forEach((one, i) => step(queue, model, one, 1000 + i, from));
        agree(queue, model);
      }),
      { numRuns: 60 },
    );
  });

  test('agrees after each step, while the ring grows and its places come round', () => {
    const queue = new SentQueue();
    const model = new Model();
    for (let i = 0; i < 12; i++) step(queue, model, [0, 0, 5], i, 0);
    // Twelve rows move through the ring of 16, some of them SACKed, lost and sent again.
    for (let i = 0; i < 14; i++) {
      for (const kind of [6, 0, 2, 3, 4]) {
        step(queue, model, [kind, 7 * i + kind, 5], 100 + i, 0);
        agree(queue, model);
      }
    }
    for (let i = 0; i < 30; i++) step(queue, model, [0, 0, 5], 200 + i, 0);
    agree(queue, model);
  });

  test('forgets what was SACKed (RFC 2018 §8)', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 6; i++) queue.push(i, i + 1, i);
    for (const row of [0, 2, 3]) queue.sack(row);
    queue.markLost(1);
    queue.forgetSacks();
    expect([queue.sackedOut, queue.lostOut, queue.inFlight]).toEqual([0, 1, 5]);
    expect(rowsOf(queue).map((row) => queue.unsacked(row))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(list(queue, queue.sent).sort()).toEqual([0, 2, 3, 4, 5]);
    expect(list(queue, queue.lost)).toEqual([1]);
  });

  test('forgets what counted as lost: it is in flight again, before all others', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 5; i++) queue.push(i, i + 1, i);
    for (const row of [0, 1, 3]) queue.markLost(row);
    queue.retransmitted(0, 9);
    queue.forgetLosses();
    expect([queue.lostOut, queue.retransOut]).toEqual([0, 1]);
    expect(list(queue, queue.lost)).toEqual([]);
    expect(list(queue, queue.sent)).toEqual([1, 3, 2, 4, 0]);
  });

  test('a row that is lost again waits before those that follow it', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 5; i++) queue.push(i, i + 1, i);
    for (const row of [1, 2, 4]) queue.markLost(row);
    queue.retransmitted(1, 9);
    expect(queue.markLost(1)).toBe(true);
    expect(queue.markLost(1)).toBe(false);
    expect(list(queue, queue.lost)).toEqual([1, 2, 4]);
    expect([queue.lostOut, queue.retransOut, queue.inFlight]).toEqual([3, 0, 2]);
  });

  test('cuts what is too long for the path: it is lost, but for what was SACKed', () => {
    const queue = new SentQueue();
    queue.push(0, 1000, 1);
    queue.push(1000, 2500, 2);
    queue.push(2500, 4000, 3);
    queue.push(4000, 4400, 4);
    for (const row of [1, 2]) queue.mark(row, Mark.Pushed);
    queue.sack(2);
    queue.resegment(1000, 4400);
    const rows = rowsOf(queue).map((row) => [queue.seq(row), queue.marks(row), queue.sentAt(row)]);
    expect(rows).toEqual([
      [0, 0, 1],
      [1000, Mark.Lost | Mark.Joined, 2],
      [2000, Mark.Lost | Mark.Pushed, 2],
      [2500, Mark.Sacked | Mark.Joined, 3],
      [3500, Mark.Sacked | Mark.Pushed, 3],
      [4000, 0, 4],
    ]);
    expect([queue.count, queue.sackedOut, queue.lostOut, queue.retransOut]).toEqual([6, 2, 2, 0]);
    expect(list(queue, queue.lost)).toEqual([1000, 2000]);
    expect(list(queue, queue.sent)).toEqual([0, 4000]);
  });

  test('cuts a row in two, each where the one was', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 15; i++) queue.push(i * 1000, (i + 1) * 1000, i);
    for (const row of [3, 4, 6, 7]) queue.sack(row);
    for (const row of [0, 1, 2, 5]) queue.markLost(row);
    queue.mark(2, Mark.Pushed);
    queue.retransmitted(1, 20);
    for (let i = 0; i < 5; i++) queue.push((15 + i) * 1000, (16 + i) * 1000, 15 + i);
    for (const seq of [2000, 5000]) expect(queue.split(queue.locate(seq), seq + 400)).toBeDefined();
    expect(queue.seq(queue.split(queue.locate(1000), 1700))).toBe(1000);
    expect(list(queue, queue.lost)).toEqual([0, 2000, 2400, 5000, 5400]);
    expect(list(queue, queue.sent).slice(-7)).toEqual([
      1000, 1700, 15_000, 16_000, 17_000, 18_000, 19_000,
    ]);
    const marks = rowsOf(queue)
      .slice(3, 6)
      .map((row) => queue.marks(row));
    expect(marks).toEqual([Mark.Lost, Mark.Lost | Mark.Pushed, Mark.Sacked]);
    expect(queue.seq(queue.unsacked(queue.locate(3000)))).toBe(5000);
    expect(queue.seq(queue.unsacked(queue.locate(6000)))).toBe(8000);
    expect([queue.count, queue.lostOut, queue.retransOut]).toEqual([23, 7, 2]);
    expect([queue.sentAt(4), queue.end(4), queue.unsacked(queue.tail)]).toEqual([
      2,
      3000,
      queue.tail,
    ]);
  });

  test.each([
    [999, [999]],
    [1000, [1000]],
    [1001, [1001]],
    [1002, [1000, 2]],
    [2001, [1000, 1001]],
    [2002, [1000, 1000, 2]],
  ])('a FIN takes no room: %d numbers with it are %j', (numbers, lengths) => {
    const queue = new SentQueue();
    queue.push(5, 5 + numbers, 1);
    queue.resegment(1000, 5 + numbers - 1);
    const rows = rowsOf(queue);
    expect(rows.map((row) => queue.end(row) - queue.seq(row))).toEqual(lengths);
    expect(queue.lostOut).toBe(lengths.length > 1 ? lengths.length : 0);
  });

  test('of what was sent again and is cut, all is lost anew', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 3; i++) queue.push(2000 * i, 2000 * (i + 1), i);
    for (const row of [0, 1]) queue.markLost(row);
    queue.retransmitted(0, 9);
    queue.resegment(1500, 6000);
    expect([queue.count, queue.lostOut, queue.retransOut, queue.inFlight]).toEqual([6, 6, 0, 0]);
    expect(list(queue, queue.lost)).toEqual([0, 1500, 2000, 3500, 4000, 5500]);
    expect(queue.anyRetransmitted).toBe(true);
  });

  test('what was sent again and fits stays so', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 3; i++) queue.push(1000 * i, 1000 * (i + 1), i);
    for (const row of [0, 1]) queue.markLost(row);
    queue.retransmitted(0, 9);
    queue.resegment(1000, 3000);
    expect([queue.count, queue.lostOut, queue.retransOut, queue.inFlight]).toEqual([3, 2, 1, 2]);
    expect(list(queue, queue.lost)).toEqual([1000]);
  });

  test('gives up a large ring once it is empty', () => {
    const queue = new SentQueue();
    for (let i = 0; i < 300; i++) queue.push(i, i + 1, i);
    while (queue.count > 0) queue.shift();
    queue.clear();
    expect(queue.words).toHaveLength(0);
    queue.push(1, 2, 3);
    queue.shift();
    queue.clear();
    expect(queue.words.length).toBeGreaterThan(0);
  });
});
