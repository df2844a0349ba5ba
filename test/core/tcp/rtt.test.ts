import fc from 'fast-check';
import { SocketOptions } from '../../../lib/core/socket/options';
import { Connection } from '../../../lib/core/tcp/connection';
import { reno } from '../../../lib/core/tcp/reno';
import { backOff, measuredRtt } from '../../../lib/core/tcp/rtt';
import { makeSettings } from '../../../lib/core/tcp/settings';

const settings = makeSettings();
const MIN = settings.rtoMin * 1000;

/** A connection, and the round trips that it measures: one in each window of data. */
function measuring() {
  const c = new Connection(0, new SocketOptions(settings, reno));
  return {
    c,
    sample(rtt: number): void {
      c.sndNxt = (c.sndNxt + 1000) | 0;
      c.sndUna = c.sndNxt;
      measuredRtt(c, rtt, settings);
    },
  };
}

/**
 * The estimate by RFC 6298 §2 with Linux's deviations, in fractions: the variation of a window of
 * data counts as a whole, rises at once, falls by a quarter and not below the minimum.
 */
class Model {
  srtt = 0;
  variation = 0;
  /** Four times the mean deviation. */
  private deviation = 0;
  /** The largest of the window of data that is being measured; the first has two round trips. */
  private largest = MIN;

  sample(rtt: number): void {
    if (this.srtt === 0) {
      this.srtt = rtt;
      this.deviation = 2 * rtt;
      this.variation = this.largest = Math.max(this.deviation, MIN);
      return;
    }
    const error = rtt - this.srtt;
    this.srtt += error / 8;
    let change = Math.abs(error) - this.deviation / 4;
    // A round trip that falls is no reason for a longer timeout: an eighth of it counts.
    if (error < 0 && change > 0) change /= 8;
    this.deviation += change;
    this.largest = Math.max(this.largest, this.deviation);
    this.variation = Math.max(this.variation, this.largest);
    this.variation -= (this.variation - this.largest) / 4;
    this.largest = MIN;
  }
}

describe('the timeout from round trips (RFC 6298 §2, as Linux does it)', () => {
  test('the first: SRTT = R, RTO = R + 4 R/2, with 200 ms at least for the variation', () => {
    for (const [rtt, rto] of [
      [1, MIN + 1],
      [99_999, MIN + 99_999],
      [100_001, 300_003],
      [40_000_000, 120_000_000],
      [39_999_999, 119_999_997],
    ]) {
      const { c, sample } = measuring();
      sample(rtt);
      expect([c.srtt / 8, c.rto]).toEqual([rtt, rto]);
    }
  });

  test('what is no time counts as a microsecond, what is too long as what can be held', () => {
    for (const [rtt, counts] of [
      [0, 1],
      [-5, 1],
      [2 ** 31, 2 ** 28 - 1],
    ]) {
      const { c, sample } = measuring();
      sample(rtt);
      expect(c.srtt >>> 3).toBe(counts & 0x1fffffff);
      expect(c.rto).toBe(Math.min(counts + MIN, 120_000_000));
    }
  });

  test('follows the definition', () => {
    const rtts = fc.array(
      fc.oneof(fc.integer({ min: 1000, max: 3_000_000 }), fc.constantFrom(10_000, 400_000)),
      { minLength: 1, maxLength: 40, size: 'max' },
    );
    fc.assert(
      fc.property(rtts, (samples) => {
        const { c, sample } = measuring();
        const model = new Model();
        for (const rtt of samples) {
          sample(rtt);
          model.sample(rtt);
          // What integers lose, in each sample a little.
          expect(Math.abs(c.srtt / 8 - model.srtt)).toBeLessThan(10);
          expect(Math.abs(c.rto - model.srtt - model.variation)).toBeLessThan(40);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('several in one window of data: the largest variation of them counts', () => {
    const { c, sample } = measuring();
    for (let i = 0; i < 60; i++) sample(100_000);
    expect(c.rto).toBe(100_000 + MIN);
    const window = [1_500_000, 100_000, 100_000, 100_000];
    for (const rtt of window) measuredRtt(c, rtt, settings);
    const risen = c.rttvar;
    expect(risen).toBeGreaterThan(1_000_000);
    // The window in which it was is not over; then it falls by a quarter of the difference.
    measuredRtt(c, 100_000, settings);
    expect(c.rttvar).toBe(risen);
    sample(100_000);
    sample(100_000);
    expect(c.rttvar).toBeLessThan(risen);
    expect(c.rttvar).toBeGreaterThan((risen * 5) / 9);
  });

  test('doubles with each timeout up to the limit; a new round trip ends that', () => {
    const { c, sample } = measuring();
    sample(100_000);
    const rtos = Array.from({ length: 12 }, () => {
      backOff(c, settings);
      return c.rto / 1000;
    });
    expect(rtos.slice(0, 3)).toEqual([600, 1200, 2400]);
    expect(rtos.slice(-3)).toEqual([120_000, 120_000, 120_000]);
    sample(100_000);
    expect(c.rto).toBeLessThan(301_000);
  });
});
