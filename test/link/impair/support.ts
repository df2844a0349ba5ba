import { type ImpairOptions, impair } from '../../../lib/link/impair';
import type { Alarm, ImpairmentClock } from '../../../lib/link/impair/clock';
import { memoryLink } from '../../../lib/link/memory';
import { RecordingHost, settle } from '../../support/recording-host';
import type { Fields } from '../../support/segments';

export const A = '10.0.0.1';
export const B = '10.0.0.2';
export const TO_B: Fields = { from: A, to: B };
export const TO_A: Fields = { from: B, to: A };

/** A clock that stands until it is moved. */
export class ManualClock implements ImpairmentClock {
  private time = 0;
  private readonly alarms: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  alarm(callback: () => void): Alarm {
    const alarm = { at: Infinity, callback };
    this.alarms.push(alarm);
    return {
      set: (at) => (alarm.at = at),
      ref: () => undefined,
      unref: () => undefined,
    };
  }

  get next(): number {
    return Math.min(...this.alarms.map((alarm) => alarm.at));
  }

  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.next <= end) {
      this.time = this.next;
      const due = this.alarms.find((alarm) => alarm.at === this.time);
      if (due === undefined) throw new Error('no alarm');
      due.at = Infinity;
      due.callback();
    }
    this.time = end;
  }
}

/** Two hosts on a wire; the port of the first is impaired. */
export async function impaired(options: Partial<ImpairOptions>, mtu = 65_536) {
  const clock = new ManualClock();
  const wire = memoryLink({ mtu });
  const link = impair(wire, { seed: 1, ...options }, clock);
  const a = await RecordingHost.open(link, A, 'fd00::1');
  const b = await RecordingHost.open(wire, B, 'fd00::2');
  return { clock, wire, link, a, b };
}

/** The same segment `count` times, with sequence numbers one apart. */
export const numbered = (fields: Fields, count: number, start = 0): Fields[] =>
  Array.from({ length: count }, (_, i) => ({ ...fields, sequence: start + i }));

/** The numbers from 0 to below `count`. */
export const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Sends `count` numbered segments a few at a time. */
export async function sendAll(
  from: RecordingHost,
  to: RecordingHost,
  fields: Fields,
  count: number,
) {
  for (let at = 0; at < count; at += 100) {
    from.send(...numbered(fields, Math.min(100, count - at), at));
    await settle(from, to);
  }
}
