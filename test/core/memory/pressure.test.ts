import { MemoryPressure } from '../../../lib/core/memory/pressure';

/** With limits of 100, 200 and 300 bytes. */
function memory() {
  const limits = { memoryLow: 100, memoryPressure: 200, memoryMax: 300 };
  const counters = { TcpExtTCPMemoryPressures: 0, TcpExtTCPMemoryPressuresChrono: 0 };
  const held = { sending: 0, now: 1000 };
  const pressure = new MemoryPressure(
    limits,
    counters,
    () => held.sending,
    () => held.now,
  );
  return { pressure, counters, held };
}

const state = ({ isHigh, mayGrow, isExhausted }: MemoryPressure) => [isHigh, mayGrow, isExhausted];

test('pressure begins above the second limit and ends below the first (Linux: tcp_mem)', () => {
  const { pressure, held } = memory();
  const seen = (received: number) => {
    pressure.received = received;
    return state(pressure);
  };
  expect(seen(99)).toEqual([false, true, false]);
  expect(seen(100)).toEqual([false, false, false]);
  expect(seen(200)).toEqual([false, false, false]);
  expect(seen(201)).toEqual([true, false, false]);
  expect(seen(299)).toEqual([true, false, false]);
  expect(seen(300)).toEqual([true, false, true]);
  expect(seen(100)).toEqual([true, false, false]);
  expect(seen(99)).toEqual([false, true, false]);
  // What is held for sending counts as well.
  held.sending = 102;
  expect(seen(99)).toEqual([true, false, false]);
});

test('its times and its duration are counted, ms', () => {
  const { pressure, counters, held } = memory();
  for (const received of [201, 250, 150]) {
    pressure.received = received;
    expect(pressure.isHigh).toBe(true);
    held.now += 10;
  }
  pressure.received = 0;
  expect(pressure.isHigh).toBe(false);
  expect(counters).toEqual({ TcpExtTCPMemoryPressures: 1, TcpExtTCPMemoryPressuresChrono: 30 });
});
