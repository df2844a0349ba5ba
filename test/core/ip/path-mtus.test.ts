import { PathMtus } from '../../../lib/core/ip/path-mtus';

const HOUR = 3_600_000;

/** Words of an address, behind two that are none of it. */
const words = (last: number, first = 0): Int32Array => Int32Array.of(7, 7, first, 1, 2, last);
const AT = 2;

function learn(mtus: PathMtus, last: number, mtu: number, now = 0, lifetime = HOUR): void {
  mtus.learn(words(last), AT, mtu, false, now, lifetime);
}

const find = (mtus: PathMtus, last: number, now = 0): number => mtus.find(words(last), AT, now);

describe('what routers have said of paths', () => {
  test('is nothing at first, nor of an address without bits', () => {
    const mtus = new PathMtus(5);
    const none = new Int32Array(4);
    for (const now of [-9, 0, 9]) {
      expect([mtus.find(none, 0, now), mtus.isLocked(none, 0, now), mtus.count]).toEqual([
        0,
        false,
        0,
      ]);
    }
    learn(mtus, 1, 1400);
    for (const now of [-9, 0, 9]) expect([mtus.find(none, 0, now), mtus.count]).toEqual([0, 1]);
  });

  test.each([0, 0x7fffffff - 3, -5])('holds until its time is over, from ms %d on', (now) => {
    const mtus = new PathMtus(5);
    learn(mtus, 1, 1400, now, 10);
    expect(find(mtus, 1, (now + 9) | 0)).toBe(1400);
    expect([find(mtus, 1, (now + 10) | 0), mtus.count]).toEqual([0, 0]);
    // It is gone, even if the clock were turned back.
    expect([find(mtus, 1, now), mtus.count]).toEqual([0, 0]);
  });

  test('each word of the address counts', () => {
    const mtus = new PathMtus(5);
    for (let key = 0; key < 50; key++) learn(mtus, key, 1000 + key);
    expect(mtus.count).toBe(50);
    for (let key = 0; key < 50; key++) expect(find(mtus, key)).toBe(1000 + key);
    for (let key = 0; key < 3000; key++) {
      expect(mtus.find(words(key % 50, 1 + key), AT, 0)).toBe(0);
      expect(find(mtus, 50 + key)).toBe(0);
    }
  });

  test('the last word holds, whether it is locked too', () => {
    const mtus = new PathMtus(5);
    mtus.learn(words(1), AT, 552, true, 0, HOUR);
    expect([find(mtus, 1), mtus.isLocked(words(1), AT, 0)]).toEqual([552, true]);
    expect(mtus.isLocked(words(1), AT, HOUR)).toBe(false);
    learn(mtus, 1, 1300, 5, 100);
    expect([find(mtus, 1, 104), mtus.isLocked(words(1), AT, 104)]).toEqual([1300, false]);
    expect(find(mtus, 1, 105)).toBe(0);
  });

  test('of more than 1024, what would be forgotten first gives way', () => {
    const mtus = new PathMtus(5);
    const many = 4000;
    const known = (now: number): number[] =>
      Array.from({ length: many }, (_, key) => key).filter((key) => find(mtus, key, now) > 0);
    for (let key = 0; key < many; key++) learn(mtus, key, 1400, 0, HOUR + key);
    expect([mtus.count, known(0).length]).toEqual([1024, 1024]);
    expect(known(0).slice(-100)).toEqual(Array.from({ length: 100 }, (_, i) => many - 100 + i));
    // Who is to be forgotten sooner than all others doesn't stay.
    for (let key = 0; key < many; key++) learn(mtus, many + key, 1400, 0, many - key);
    expect([mtus.count, known(0).length]).toEqual([1024, 768]);
    expect([known(many).length, mtus.count]).toEqual([768, 1024]);
  });
});
