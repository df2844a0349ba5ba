import type { ClockTimer } from '../../lib/driver/clock';

/** The machine's clock and timers, in the hands of the test. */
const machine = {
  now: 5000,
  timers: [] as { at: number; ref: boolean; call: () => void }[],
  turns: [] as (() => void)[],
};

jest.mock('node:perf_hooks', () => ({ performance: { now: () => machine.now } }));
jest.mock('node:timers', () => ({
  setTimeout: (call: () => void, delay: number) => {
    const timer = {
      at: Math.floor(machine.now) + delay,
      ref: true,
      call,
      unref: () => (timer.ref = false),
    };
    machine.timers.push(timer);
    return Object.assign(timer, { ref: true });
  },
  // A turn of the event loop takes no time here.
  setImmediate: (call: () => void) => machine.turns.push(call),
  clearImmediate: () => (machine.turns = []),
  clearTimeout: (timer: never) => {
    machine.timers = machine.timers.filter((other) => other !== timer);
  },
}));

/** Lets `ms` pass; Node's timers go off in their order. */
function pass(ms: number): void {
  const end = machine.now + ms;
  for (;;) {
    machine.timers.sort((a, b) => a.at - b.at);
    const [next] = machine.timers;
    if (next === undefined || next.at > end) break;
    machine.timers.shift();
    machine.now = Math.max(machine.now, next.at);
    next.call();
    while (machine.turns.length > 0) machine.turns.shift()?.();
  }
  machine.now = end;
}

describe('the clock of the machine', () => {
  const { SystemClock } =
    jest.requireActual<typeof import('../../lib/driver/clock')>('../../lib/driver/clock');
  let clock: InstanceType<typeof SystemClock>;
  let fired: number[];
  let timer: ClockTimer;

  beforeEach(() => {
    machine.timers = [];
    machine.now = 5000.25;
    clock = new SystemClock();
    fired = [];
    timer = clock.timer(() => fired.push(clock.now()));
  });

  it('counts whole µs from 0', () => {
    expect(clock.now()).toBe(0);
    machine.now += 1.23456;
    expect(clock.now()).toBe(1234);
  });

  it('wakes at the time, never before', () => {
    timer.set(10_500);
    pass(10.4);
    expect(fired).toEqual([]);
    pass(2);
    expect(fired.length).toBe(1);
    expect(fired[0]).toBeGreaterThanOrEqual(10_500);
    pass(1000);
    expect(fired.length).toBe(1);
  });

  it('is moved to an earlier time', () => {
    timer.set(100_000);
    timer.set(5000);
    pass(7);
    expect(fired.length).toBe(1);
    expect(machine.timers).toEqual([]);
  });

  it('is moved to a later time without a new timer for each move', () => {
    for (let i = 1; i <= 100; i++) timer.set(i * 10_000);
    expect(machine.timers.length).toBe(1);
    pass(999);
    expect(fired).toEqual([]);
    pass(3);
    expect(fired.length).toBe(1);
  });

  it('is unset', () => {
    timer.set(5000);
    timer.set(Infinity);
    pass(100);
    expect(fired).toEqual([]);
    expect(machine.timers).toEqual([]);
  });

  it('waits longer than Node can', () => {
    const years = 100 * 24 * 3600 * 1_000_000;
    timer.set(years);
    pass(years / 1000 - 1);
    expect(fired).toEqual([]);
    pass(2);
    expect(fired.length).toBe(1);
  });

  it('goes off at once, but not within set, when the time has passed', () => {
    machine.now += 50;
    timer.set(10);
    expect(fired).toEqual([]);
    pass(1);
    expect(fired.length).toBe(1);
  });

  it('is not set any more once it is closed', () => {
    timer.ref();
    timer.close();
    timer.set(10);
    pass(1000);
    expect(fired).toEqual([]);
    expect(machine.timers).toEqual([]);
  });

  it('stays on when what it calls throws', () => {
    let calls = 0;
    const thrower = clock.timer(() => {
      calls++;
      throw new Error('from the callback');
    });
    thrower.set(1000);
    expect(() => pass(5)).toThrow('from the callback');
    thrower.set(20_000);
    expect(() => pass(50)).toThrow('from the callback');
    expect(calls).toBe(2);
  });
});
