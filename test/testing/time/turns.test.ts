import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { EventLoop } from '../../../lib/testing/time/event-loop';
import { NodeEventLoop } from '../../../lib/testing/time/event-loop';
import { ProgramClock } from '../../../lib/testing/time/program-clock';
import { Turns } from '../../../lib/testing/time/turns';
import { ToyNetwork } from '../../support/toy-network';

const ROOT = join(__dirname, '../../..');
const never = () => false;
/** µs */
const LONG = 1e12;

/** Node's loop, with what the test says about what it has to do. */
class ToldLoop extends NodeEventLoop implements EventLoop {
  rests = 0;
  underWay = 0;
  extra: string[] = [];

  override requests(): number {
    return this.underWay;
  }

  override resources(): string[] {
    return this.extra;
  }

  override later(callback: () => void): void {
    this.rests++;
    this.soon(callback);
  }
}

let network: ToyNetwork;
let clock: ProgramClock;
let turns: Turns;
let log: string[];

const note = (text: string) => () => log.push(`${network.now} ${text}`);
/** A call of the network into the program. */
const call = (at: number, run: () => void) =>
  network.at(at, () => {
    network.activity++;
    run();
  });

function begin(loop?: EventLoop): void {
  network = new ToyNetwork();
  clock = new ProgramClock();
  turns = new Turns(network, clock, loop);
  log = [];
  clock.enter();
}

beforeEach(() => begin());

afterEach(() => {
  clock.close();
});

describe('a run', () => {
  it('is done when everything has settled at the present instant', async () => {
    let done = false;
    call(1000, async () => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
      done = true;
    });
    network.at(1001, note('never'));
    expect(await turns.run(() => done, LONG)).toBe('done');
    expect([network.now, log]).toEqual([1000, []]);
  });

  it('asks after each call into the program, not after other deadlines', async () => {
    let asked = 0;
    network.hum(100);
    call(50_000, note('called'));
    expect(await turns.run(() => (asked++, false), LONG)).toBe('deadlock');
    expect([asked, network.now]).toEqual([3, 100_000]);
  });

  it('has the network and timers in the order of time, the network first', async () => {
    setTimeout(note('timer'), 2);
    setTimeout(note('timer'), 3);
    for (const at of [1000, 2000, 2001, 3000]) call(at, note('network'));
    await turns.run(never, LONG);
    expect(log).toEqual([
      ...['1000 network', '2000 network', '2000 timer'],
      ...['2001 network', '3000 network', '3000 timer'],
    ]);
  });

  it('calls all timers of one time before the immediates that they set', async () => {
    for (const name of ['a', 'b', 'c']) {
      setTimeout(() => {
        note(name)();
        setImmediate(note(`immediate of ${name}`));
        process.nextTick(note(`tick of ${name}`));
      }, 1);
    }
    await turns.run(never, LONG);
    const names = log.map((line) => line.replace('1000 ', ''));
    expect(names).toEqual([
      ...['a', 'tick of a', 'b', 'tick of b', 'c', 'tick of c'],
      ...['immediate of a', 'immediate of b', 'immediate of c'],
    ]);
  });

  it('ends at the limit, where the clock stands then', async () => {
    setTimeout(note('timer'), 5);
    call(7000, note('network'));
    expect(await turns.run(never, 4000)).toBe('limit');
    expect([network.now, log]).toEqual([4000, []]);
    expect(await turns.run(never, 6999)).toBe('limit');
    expect([network.now, log]).toEqual([6999, ['5000 timer']]);
    expect(await turns.run(never, 7000)).toBe('deadlock');
    expect(log[1]).toBe('7000 network');
  });

  it('is a deadlock when nothing would keep a process alive', async () => {
    setInterval(note('interval'), 5).unref();
    expect(await turns.run(never, 60_000)).toBe('deadlock');
    expect([network.now, log]).toEqual([0, []]);
    setInterval(note('ref'), 25);
    expect(await turns.run(never, 30_000)).toBe('limit');
    expect(log).toHaveLength(7);
  });

  it('rejects with what the network throws, and another one may follow', async () => {
    network.at(1000, () => {
      throw new Error('an invariant');
    });
    await expect(turns.run(never, LONG)).rejects.toThrow('an invariant');
    expect(await turns.run(() => true, LONG)).toBe('done');
  });

  it('is refused while one is running', async () => {
    const first = turns.run(never, 1000);
    const inUse = { code: 'ERR_NETLAND_CLOCK_IN_USE' };
    await expect(turns.run(never, 1000)).rejects.toMatchObject(inUse);
    await expect(turns.advance(1000)).rejects.toMatchObject(inUse);
    expect(await first).toBe('deadlock');
  });

  it('sees what the program begins right after it', async () => {
    const running = turns.run(() => log.length > 0, LONG);
    network.hum(10);
    void new Promise((resolve) => setImmediate(resolve)).then(note('settled'));
    expect(await running).toBe('done');
    expect(log).toEqual(['0 settled']);
  });
});

describe('advance', () => {
  it('goes to its end whatever is or is not to happen', async () => {
    await turns.advance(1000);
    expect(network.now).toBe(1000);
    setInterval(note('unref'), 2).unref();
    call(4000, note('network'));
    await turns.advance(6000);
    expect([network.now, log]).toEqual([6000, ['3000 unref', '4000 network', '5000 unref']]);
  });
});

describe('hold', () => {
  it('keeps time still until the promise has settled, however', async () => {
    clock.leave();
    const { setTimeout: sleep } = globalThis;
    clock.enter();
    network.hum(10);
    const fails = new Promise((_resolve, reject) => sleep(reject, 20, new Error('it')));
    expect(turns.hold(fails)).toBe(fails);
    fails.catch(note('failed'));
    const holds = turns.hold(new Promise((resolve) => sleep(resolve, 40)));
    void holds.then(note('resolved'));
    expect(await turns.run(never, LONG)).toBe('deadlock');
    expect(log).toEqual(['0 failed', '0 resolved']);
  });

  it('refuses what is no promise', () => {
    for (const wrong of [undefined, null, 5, {}]) {
      expect(() => turns.hold(wrong as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });
});

describe('what keeps time still', () => {
  let loop: ToldLoop;

  beforeEach(() => {
    clock.close();
    loop = new ToldLoop();
    begin(loop);
  });

  it('is told', () => {
    expect(turns.describe()).toEqual([]);
    void turns.hold(new Promise(() => undefined), 'the database');
    void turns.hold(new Promise(() => undefined));
    loop.underWay = 2;
    loop.extra = ['Immediate', 'FSReqCallback'];
    expect(turns.describe()).toEqual([
      'time is held by the database',
      'time is held by a promise',
      '2 requests of the event loop are under way (files, DNS, zlib, crypto)',
      '1 immediates of the program are pending',
    ]);
  });

  it('is told together with what has come and does not', async () => {
    loop.extra = ['PipeWrap', 'Timeout'];
    call(1000, () => (loop.extra = ['PipeWrap', 'Timeout', 'PipeWrap', 'ProcessWrap', 'Timeout']));
    await turns.run(never, LONG);
    expect(turns.describe()).toEqual([
      'not waited for unless held: PipeWrap, ProcessWrap, Timeout (docs/virtual-time.md)',
    ]);
  });

  it('lets the loop rest when it takes long', async () => {
    let looks = 0;
    network.hum(1);
    jest.spyOn(loop, 'requests').mockImplementation(() => (looks++ < 300 ? 1 : 0));
    await turns.run(never, LONG);
    expect(loop.rests).toBeGreaterThan(50);
    expect(loop.rests).toBeLessThan(150);
  });
});

describe('in a process of its own', () => {
  const script = (body: string) => `
    const { ProgramClock } = require('./lib/testing/time/program-clock.ts');
    const { Turns } = require('./lib/testing/time/turns.ts');
    const { ToyNetwork } = require('./test/support/toy-network.ts');
    const clock = new ProgramClock(), turns = new Turns(new ToyNetwork(), clock);
    ${body}`;
  const args = (body: string) => ['-r', './test/support/register.js', '-e', script(body)];
  const fails = `
    clock.enter();
    setTimeout(() => { throw new Error('of the callback'); }, 5);
    setTimeout(() => console.log('another', Date.now() - clock.epoch), 5);
    turns.run(() => false, 1e12).then((outcome) => console.log(outcome));`;

  it('what a timer throws ends it', () => {
    const child = spawnSync(process.execPath, args(fails), { cwd: ROOT, encoding: 'utf8' });
    expect(child.status).toBe(1);
    expect(child.stderr).toContain('Error: of the callback');
    expect(child.stdout).toBe('');
  });

  it('what a timer throws can be caught as uncaughtException, and time goes on', () => {
    const catches = `process.on('uncaughtException', (error) => console.log(error.message));`;
    const options = { cwd: ROOT, encoding: 'utf8' } as const;
    expect(execFileSync(process.execPath, args(catches + fails), options)).toBe(
      'of the callback\nanother 5\ndeadlock\n',
    );
  });

  it('the mock timers of node:test are refused', () => {
    const body = `
      const { mock } = require('node:test');
      for (const apis of [['setTimeout'], ['Date']]) {
        mock.timers.enable({ apis });
        try { clock.enter(); } catch (error) { console.log(error.code); }
        mock.timers.reset();
      }
      clock.enter();`;
    expect(execFileSync(process.execPath, args(body), { cwd: ROOT, encoding: 'utf8' })).toBe(
      'ERR_NETLAND_FAKE_TIMERS\nERR_NETLAND_FAKE_TIMERS\n',
    );
  });

  it('what Node has first loaded inside of a run keeps to real time', () => {
    const body = `
      clock.enter();
      const started = process.hrtime.bigint();
      const { execFile } = require('node:child_process');
      const child = execFile('sleep', ['0.2'], { timeout: 60_000 }, (error) => {
        console.log(error, clock.next());
        clock.leave();
      });`;
    expect(execFileSync(process.execPath, args(body), { cwd: ROOT, encoding: 'utf8' })).toBe(
      'null Infinity\n',
    );
  });
});
