import { Mark } from '../../../../lib/core/tcp/sent-queue';
import { MSS, Sender } from './sender';

/** Bytes in a second. */
function rate({ c }: Sender): number {
  return c.deliveryRate * 1000;
}

describe('the delivery rate (draft-ietf-ccwg-bbr §4.1)', () => {
  test('what a round trip has delivered, over the round trip', () => {
    const s = new Sender();
    s.write(100);
    s.pass(100).ack(9);
    expect(rate(s)).toBe((9 * MSS) / 0.1);
    // The program had been idle before.
    expect(s.c.rateAppLimited).toBe(true);
    s.pass(100).ack(28);
    expect([rate(s), s.c.rateAppLimited]).toEqual([(19 * MSS) / 0.1, false]);
  });

  test('the slower of sending and acknowledging counts', () => {
    const s = new Sender();
    s.write(100);
    s.pass(100);
    // They come one by one, 5 ms apart: the bottleneck passes 200 in a second.
    for (let una = 1; una <= 10; una++) s.pass(5).ack(una);
    s.pass(60);
    for (let una = 11; una <= 20; una++) s.pass(5).ack(una);
    expect(rate(s)).toBeGreaterThan(90_000);
    expect(rate(s)).toBeLessThanOrEqual(200_000);
  });

  test('a program that has nothing to send says nothing of the path', () => {
    const s = new Sender();
    s.write(30);
    s.pass(100).ack(10).pass(100).ack(30);
    const before = rate(s);
    expect(before).toBe((20 * MSS) / 0.1);
    s.write(1);
    expect(s.f.has(s.f.head, Mark.AppLimited)).toBe(true);
    s.pass(100).ack(31);
    expect(rate(s)).toBe(before);
  });

  test('unless it is faster', () => {
    const s = new Sender();
    s.write(2);
    s.pass(100).ack(2);
    const before = rate(s);
    s.write(8);
    s.pass(100).ack(10);
    expect(rate(s)).toBeGreaterThan(before);
    expect(s.c.rateAppLimited).toBe(true);
  });

  test('nor does one that did not fill the window, until all of that is delivered', () => {
    const s = new Sender();
    s.write(20);
    // 10 were delivered; 10 more leave, and the window would take 20.
    s.pass(100).ack(10);
    s.write(1);
    expect([s.f.count, s.f.has(s.f.before(s.f.tail), Mark.AppLimited)]).toEqual([11, true]);
    s.write(40);
    expect(s.f.has(s.f.before(s.f.tail), Mark.AppLimited)).toBe(true);
    // 21 had been delivered or were in flight when it had nothing.
    s.pass(100).ack(21);
    expect(s.f.has(s.f.before(s.f.tail), Mark.AppLimited)).toBe(true);
    s.pass(1).ack(22);
    expect(s.f.has(s.f.before(s.f.tail), Mark.AppLimited)).toBe(false);
  });

  test('not within less than a round trip: it was not the retransmission that arrived', () => {
    const s = new Sender();
    s.write(10);
    s.pass(100).ack(0, [3, 6]);
    s.sent();
    const before = rate(s);
    expect(before).toBe((3 * MSS) / 0.1);
    s.pass(10).ack(3);
    expect(rate(s)).toBe(before);
  });
});
