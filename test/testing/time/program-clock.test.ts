import { AsyncLocalStorage } from 'node:async_hooks';
import { performance as hooked } from 'node:perf_hooks';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import { promisify } from 'node:util';
import { DEFAULT_EPOCH, ProgramClock } from '../../../lib/testing/time/program-clock';
import { ToyNetwork } from '../../support/toy-network';

const realImmediate = timers.setImmediate;
const settle = () => new Promise((resolve) => realImmediate(resolve));

let network: ToyNetwork;
let clock: ProgramClock;

/** Moves time, ms, and calls what is due on the way. */
async function pass(duration: number): Promise<void> {
  const end = network.now + duration * 1000;
  while (clock.next() <= end) {
    network.moveTo(clock.next());
    while (clock.due() > 0) {
      clock.fire();
      await settle();
    }
  }
  network.moveTo(end);
}

beforeEach(() => {
  network = new ToyNetwork();
  clock = new ProgramClock();
  clock.follow(network);
  clock.enter();
});

afterEach(() => {
  clock.close();
});

describe('what the clocks show', () => {
  it('is the time of the network, in ms from 2030 on', () => {
    network.moveTo(1_234_567);
    expect(DEFAULT_EPOCH).toBe(Date.parse('2030-01-01T00:00:00Z'));
    expect(Date.now()).toBe(DEFAULT_EPOCH + 1234);
    expect(new Date().toISOString()).toBe('2030-01-01T00:00:01.234Z');
    expect(new Date(5).getTime()).toBe(5);
    expect(performance.now()).toBe(1234.567);
    expect(hooked.now()).toBe(1234.567);
    expect(performance.timeOrigin).toBe(DEFAULT_EPOCH);
    expect(process.hrtime()).toEqual([1, 234_567_000]);
    expect(process.hrtime([0, 300_000_000])).toEqual([0, 934_567_000]);
    expect(process.hrtime.bigint()).toBe(1_234_567_000n);
  });

  it('is the real time again afterwards, even by functions that were kept', () => {
    const { now } = performance;
    const KeptDate = Date;
    const kept = setTimeout;
    clock.leave();
    expect(setTimeout).not.toBe(kept);
    expect(Date).not.toBe(KeptDate);
    expect(KeptDate.now() - Date.now()).toBeLessThan(10_000);
    expect(now()).toBeGreaterThan(0);
    const timer = kept(() => undefined, 1e6);
    expect(clock.next()).toBe(Infinity);
    clearTimeout(timer);
  });

  it('a Date is a Date, whichever made it', () => {
    const virtual = new Date();
    clock.leave();
    expect(virtual).toBeInstanceOf(Date);
    const real = new Date();
    clock.enter();
    expect(real).toBeInstanceOf(Date);
  });
});

describe('timers', () => {
  it('go off after their delay to the µs', async () => {
    const log: [number, ...unknown[]][] = [];
    await pass(12.345);
    setTimeout((a, b) => log.push([network.now, a, b]), 5, 'a', 'b');
    const interval = setInterval(() => log.push([network.now]), 2);
    expect(clock.next()).toBe(14_345);
    await pass(5);
    expect(log).toEqual([[14_345], [16_345], [17_345, 'a', 'b']]);
    clearInterval(interval);
    expect(clock.next()).toBe(Infinity);
  });

  it('of one time go off in the order in which they were set', async () => {
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) setTimeout(() => log.push(name), 3);
    network.moveTo(3000);
    expect(clock.due()).toBe(3);
    clock.fire();
    expect(clock.due()).toBe(2);
    await pass(0);
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it.each([
    [undefined, 1],
    [0, 1],
    [-5, 1],
    [NaN, 1],
    [2.9, 2],
    ['7', 7],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [2 ** 31, 1],
  ])('a delay of %p is one of %d ms, as in Node', (delay, milliseconds) => {
    setTimeout(() => undefined, delay as number);
    expect(clock.next()).toBe(milliseconds * 1000);
  });

  it('are refused without a callback, as in Node', () => {
    const wrong = expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE',
      message: 'The "callback" argument must be of type function. Received undefined',
    });
    expect(() => setTimeout(undefined as never, 1)).toThrow(wrong);
    expect(() => setInterval(undefined as never, 1)).toThrow(wrong);
  });

  it('have what the handles of Node have', async () => {
    let calls = 0;
    const timer = setTimeout(function (this: unknown) {
      calls++;
      expect(this).toBe(timer);
    }, 10);
    expect(timer.hasRef()).toBe(true);
    expect(timer.unref().hasRef()).toBe(false);
    expect(timer.ref().hasRef()).toBe(true);
    await pass(6);
    timer.refresh();
    expect(clock.next()).toBe(16_000);
    await pass(10);
    expect(calls).toBe(1);
    timer.refresh();
    await pass(10);
    expect(calls).toBe(2);
    timer.refresh();
    expect(timer.close()).toBe(timer);
    expect(clock.next()).toBe(Infinity);
  });

  it('can be cleared by handle and by number, by either function', async () => {
    const byNumber = setTimeout(() => undefined, 1);
    clearTimeout(Number(byNumber));
    const byText = setTimeout(() => undefined, 1);
    clearTimeout(String(Number(byText)));
    clearInterval(setTimeout(() => undefined, 1));
    clearTimeout(setInterval(() => undefined, 1));
    expect(clock.next()).toBe(Infinity);
    const over = setTimeout(() => undefined, 1);
    await pass(1);
    for (const nothing of [over, undefined, null, 12, {}]) clearTimeout(nothing as never);
  });

  it('count as long as they would keep a process alive', () => {
    expect([clock.pendingTimeouts, clock.isWaiting]).toEqual([0, false]);
    const timeout = setTimeout(() => undefined, 1);
    const interval = setInterval(() => undefined, 1);
    expect([clock.pendingTimeouts, clock.isWaiting]).toEqual([1, true]);
    timeout.unref();
    expect([clock.pendingTimeouts, clock.isWaiting]).toEqual([0, true]);
    interval.unref();
    expect([clock.pendingTimeouts, clock.isWaiting]).toEqual([0, false]);
    expect(clock.next()).toBe(1000);
  });

  it('stay pending between two runs, where the real clearTimeout works on them', async () => {
    const log: string[] = [];
    const real = (clock.leave(), clearTimeout);
    clock.enter();
    setTimeout(() => log.push('stays'), 5);
    const cleared = setTimeout(() => log.push('cleared'), 5);
    const closed = setInterval(() => log.push('closed'), 5);
    clock.leave();
    expect(clearTimeout).toBe(real);
    clearTimeout(cleared);
    clearInterval(closed);
    clock.enter();
    await pass(10);
    expect(log).toEqual(['stays']);
  });

  it('that are real can be cleared inside of a run', async () => {
    clock.leave();
    let called = false;
    const timer = setTimeout(() => (called = true), 1);
    clock.enter();
    clearTimeout(timer);
    clock.leave();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(called).toBe(false);
  });

  it('are called in the async context in which they were set', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    storage.run('a', () => setTimeout(() => seen.push(storage.getStore()), 1));
    setTimeout(() => seen.push(storage.getStore()), 1);
    await pass(1);
    expect(seen).toEqual(['a', undefined]);
  });

  it('throw what their callback throws, and are over', () => {
    setTimeout(() => {
      throw new Error('of the callback');
    }, 1);
    network.moveTo(1000);
    expect(() => clock.fire()).toThrow('of the callback');
    expect(clock.next()).toBe(Infinity);
  });
});

describe('timers that are promises', () => {
  const outcome = async (promise: Promise<unknown>) => {
    let result: unknown = 'pending';
    promise.then(
      (value) => (result = value),
      (error) => (result = error),
    );
    await pass(5);
    await settle();
    return result;
  };

  it('resolve with their value', async () => {
    expect(await outcome(promises.setTimeout(5, 'x'))).toBe('x');
    expect(await outcome(promises.setTimeout(6, 'x'))).toBe('pending');
    expect(await outcome(promises.scheduler.wait(5))).toBe(undefined);
    expect(await outcome(promisify(setTimeout)(5, 'y'))).toBe('y');
  });

  it('are ended by a signal, before and meanwhile', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const sleep = promises.setTimeout(5, 'x', { signal, ref: false });
    expect(clock.isWaiting).toBe(false);
    controller.abort('enough');
    const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' };
    expect(await outcome(sleep)).toMatchObject(aborted);
    expect(await outcome(promises.setTimeout(5, 'x', { signal }))).toMatchObject(aborted);
    expect(clock.next()).toBe(Infinity);
  });

  it('come again and again as an interval, until it is left', async () => {
    const log: [number, string][] = [];
    const loop = (async () => {
      for await (const value of promises.setInterval(2, 'x')) {
        log.push([network.now, value]);
        if (log.length === 3) break;
      }
    })();
    await settle();
    await pass(10);
    await loop;
    expect(log).toEqual([2000, 4000, 6000].map((at) => [at, 'x']));
    expect(clock.next()).toBe(Infinity);
  });

  it('end as an interval by a signal', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const interval = promises.setInterval(2, 'x', { signal, ref: false });
    const next = interval[Symbol.asyncIterator]().next();
    await settle();
    expect([clock.next(), clock.isWaiting]).toEqual([2000, false]);
    controller.abort('enough');
    await expect(next).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
    expect(clock.next()).toBe(Infinity);
  });

  it.each([
    ['delay', ['1']],
    ['options', [1, 'x', null]],
    ['options.signal', [1, 'x', { signal: {} }]],
    ['options.ref', [1, 'x', { ref: 1 }]],
  ])('are refused with a wrong %s', async (name, args) => {
    const wrong = { code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining(`"${name}"`) };
    await expect(promises.setTimeout(...(args as []))).rejects.toMatchObject(wrong);
    const interval = promises.setInterval(...(args as []))[Symbol.asyncIterator]();
    await expect(interval.next()).rejects.toMatchObject(wrong);
  });

  it('abort by AbortSignal.timeout', async () => {
    const signal = AbortSignal.timeout(5);
    expect(clock.isWaiting).toBe(false);
    await pass(4);
    expect(signal.aborted).toBe(false);
    await pass(1);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
    expect(() => AbortSignal.timeout(-1)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => AbortSignal.timeout('1' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('who else wants the timers', () => {
  it('a second network is refused while one runs', () => {
    const second = new ProgramClock();
    const inUse = expect.objectContaining({ code: 'ERR_NETLAND_CLOCK_IN_USE' });
    expect(() => second.enter()).toThrow(inUse);
    expect(() => clock.enter()).toThrow(inUse);
    second.leave();
    expect(Date.now()).toBe(DEFAULT_EPOCH);
    clock.leave();
    second.enter();
    second.leave();
  });

  it('fake timers that are installed are refused', () => {
    clock.leave();
    const refused = expect.objectContaining({
      code: 'ERR_NETLAND_FAKE_TIMERS',
      message: expect.stringContaining('jest.useRealTimers()'),
    });
    for (const options of [{}, { legacyFakeTimers: true } as const]) {
      jest.useFakeTimers(options);
      try {
        expect(() => clock.enter()).toThrow(refused);
      } finally {
        jest.useRealTimers();
      }
    }
    clock.enter();
  });

  it('fake timers are refused by themselves during a run', () => {
    expect(() => jest.useFakeTimers()).toThrow("Can't install fake timers twice");
  });

  it('what somebody has replaced during a run is left alone', () => {
    const theirs = (() => undefined) as never;
    const [before] = (clock.leave(), [setTimeout]);
    clock.enter();
    globalThis.setTimeout = theirs;
    clock.leave();
    expect(setTimeout).toBe(theirs);
    globalThis.setTimeout = before;
  });

  it('a closed clock has no timers', () => {
    setTimeout(() => undefined, 5);
    clock.close();
    expect([clock.next(), clock.due(), clock.pendingTimeouts]).toEqual([Infinity, 0, 0]);
  });
});
