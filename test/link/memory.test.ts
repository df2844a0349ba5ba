import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Checksum, Flag, Word } from '../../lib/core/segment/layout';
import { memoryLink } from '../../lib/link/memory';
import { RecordingHost, nextTurn, settle } from '../support/recording-host';
import { type Fields, pattern } from '../support/segments';

const A = '10.0.0.1';
const B = '10.0.0.2';
const TO_B: Fields = { from: A, to: B };

async function pair(options = {}) {
  const link = memoryLink(options);
  const a = await RecordingHost.open(link, `${A}/24`, 'fd00::1/64');
  const b = await RecordingHost.open(link, `${B}/24`, 'fd00::2/64');
  return { link, a, b };
}

describe('the memory link', () => {
  test('carries segments of both families as real packets', async () => {
    const { a, b } = await pair();
    const payload = [pattern(100), pattern(33, 5)];
    expect(
      a.send(
        { ...TO_B, sequence: 7, flags: Flag.SYN, mss: 1460, windowScale: 7 },
        { from: 'fd00::1', to: 'fd00::2', sequence: 9, payload, timestamps: [1, 2] },
      ),
    ).toBe(true);
    await settle(a, b);
    expect(b.arrivals.map((arrival) => arrival.line)).toEqual([
      `IP ${A}.40000 > ${B}.50000: Flags [S], seq 7, win 500, ` +
        'options [mss 1460,nop,wscale 7], length 0',
      'IP6 fd00::1.40000 > fd00::2.50000: Flags [.], seq 9:142, ack 0, win 500, ' +
        'options [nop,nop,TS val 1 ecr 2], length 133',
    ]);
    expect([...b.arrivals[1].payload]).toEqual(payload.flatMap((bytes) => [...bytes]));
    for (const { words } of b.arrivals) {
      expect(words[Word.Checksum]).toBe(Checksum.Verified);
      expect(words[Word.Hash]).not.toBe(0);
    }
    expect(a.arrivals).toEqual([]);
    expect(a.port.counters).toMatchObject({ sent: 2, received: 0, undeliverable: 0 });
    expect(b.port.counters).toMatchObject({ sent: 0, received: 2, dropped: 0 });
  });

  test('delivers in a later turn, in order, in batches', async () => {
    const { a, b } = await pair();
    a.send(...Array.from({ length: 100 }, (_, i) => ({ ...TO_B, sequence: i })));
    a.send(...Array.from({ length: 50 }, (_, i) => ({ ...TO_B, sequence: 100 + i })));
    expect(b.arrivals).toEqual([]);
    await nextTurn();
    expect(b.sequences).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect(b.batches).toEqual([64, 64, 22]);
  });

  test('what is sent while a batch is handed over arrives a turn later', async () => {
    const { a, b } = await pair();
    let before = -1;
    b.onReceive = () => {
      b.send({ from: B, to: A });
      before = a.arrivals.length;
    };
    a.send(TO_B);
    await settle(a, b);
    expect(before).toBe(0);
    expect(a.arrivals).toHaveLength(1);
  });

  test('the payload may change as soon as transmit has returned', async () => {
    const { a, b } = await pair();
    const payload = pattern(500);
    a.send({ ...TO_B, payload: [payload] });
    payload.fill(0);
    await settle(a, b);
    expect(b.arrivals[0].payload).toEqual(pattern(500));
  });

  test('what goes to an own address comes back to its sender alone', async () => {
    const link = memoryLink();
    const a = await RecordingHost.open(link, A, '127.0.0.1/8', '::1/128');
    const b = await RecordingHost.open(link, B, '127.0.0.1/8', '::1/128');
    a.send(
      { from: A, to: A, sequence: 1 },
      { from: '127.0.0.1', to: '127.200.3.4', sequence: 2 },
      { from: '::1', to: '::1', sequence: 3 },
    );
    await settle(a, b);
    expect(a.sequences).toEqual([1, 2, 3]);
    expect(b.arrivals).toEqual([]);
  });

  test('of other prefixes only the address itself is owned', async () => {
    const { a, b } = await pair();
    a.send({ from: A, to: '10.0.0.3' }, { from: A, to: '128.0.0.1' }, { from: A, to: '::1' });
    await settle(a, b);
    expect(b.arrivals).toEqual([]);
    expect(a.port.counters).toMatchObject({ sent: 3, undeliverable: 3 });
  });

  test('two owners of an address both get the packet', async () => {
    const { link, a, b } = await pair();
    const c = await RecordingHost.open(link, B);
    a.send(TO_B);
    await settle(a, b, c);
    expect([b.arrivals.length, c.arrivals.length]).toEqual([1, 1]);
  });

  test('packets over the MTU, and such as cannot be built, are counted and dropped', async () => {
    const { a, b } = await pair({ mtu: 1500 });
    expect(a.port.mtu).toBe(1500);
    a.send(
      { ...TO_B, payload: [pattern(1460)], sequence: 1 },
      { ...TO_B, payload: [pattern(1461)], sequence: 2 },
      { ...TO_B, payload: [pattern(65_500)], sequence: 3 },
    );
    await settle(a, b);
    expect(b.sequences).toEqual([1]);
    expect(a.port.counters).toMatchObject({ sent: 1, tooBig: 1, invalid: 1 });
  });

  test('by default takes the longest packets of both families', async () => {
    const { a, b } = await pair();
    expect(a.port.mtu).toBe(65_536);
    a.send(
      { ...TO_B, payload: [pattern(65_495)] },
      { from: 'fd00::1', to: 'fd00::2', payload: [pattern(65_476)] },
    );
    await settle(a, b);
    expect(b.arrivals.map(({ payload }) => payload.length)).toEqual([65_495, 65_476]);
    expect(b.arrivals[1].payload).toEqual(pattern(65_476));
  });

  test('wires are apart, and so are their stacks', async () => {
    const { a } = await pair();
    const other = await pair();
    a.send(TO_B);
    await settle(a, other.a, other.b);
    expect(other.b.arrivals).toEqual([]);
  });

  describe('with more on its way than the receiver takes', () => {
    const big = { ...TO_B, payload: [new Uint8Array(60_000)] };

    test('tells the sender to wait, and when there is room again', async () => {
      const { a, b } = await pair();
      let sent = 0;
      while (a.send({ ...big, sequence: sent++ }));
      expect(sent).toBe(18);
      expect(a.send({ ...big, sequence: sent++ })).toBe(false);
      expect(a.writables).toBe(0);
      await settle(a, b);
      expect(a.writables).toBe(1);
      expect(b.sequences).toEqual(Array.from({ length: sent }, (_, i) => i));
      expect(a.send(big)).toBe(true);
    });

    test('drops and counts what goes beyond the limit of memory', async () => {
      const { a, b } = await pair();
      for (let i = 0; i < 200; i++) a.send({ ...big, sequence: i });
      await settle(a, b);
      const { received, dropped } = b.port.counters;
      expect(received + dropped).toBe(200);
      expect(dropped).toBeGreaterThan(50);
      expect(b.sequences).toEqual(Array.from({ length: received }, (_, i) => i));
      a.send({ ...big, sequence: 999 });
      await settle(a, b);
      expect(b.sequences.at(-1)).toBe(999);
      // Memory is used again.
      expect(b.slabs.slabs.length).toBeLessThanOrEqual(8 * 4);
    });

    test('a receiver that closes lets its senders go on', async () => {
      const { a, b } = await pair();
      while (a.send(big));
      b.port.close();
      expect(a.writables).toBe(0);
      await settle(a);
      expect(a.writables).toBe(1);
      expect(a.send({ from: A, to: A })).toBe(true);
    });
  });

  test('a port that closes loses its own packets only', async () => {
    const { link, a, b } = await pair();
    const c = await RecordingHost.open(link, '10.0.0.3');
    a.send(TO_B, { from: A, to: '10.0.0.3' });
    b.send({ from: B, to: A });
    b.port.close();
    b.port.close();
    await settle(a, b, c);
    expect(b.arrivals).toEqual([]);
    expect([a.arrivals.length, c.arrivals.length]).toEqual([1, 1]);
    a.send(TO_B);
    expect(a.port.counters.undeliverable).toBe(1);
  });

  test('a port may close while it is handed a batch', async () => {
    const { a, b } = await pair();
    b.onReceive = () => b.port.close();
    a.send(...Array.from({ length: 100 }, () => TO_B));
    await settle(a, b);
    expect(b.batches).toEqual([64]);
  });

  test('works while timers are faked', async () => {
    const { a, b } = await pair();
    jest.useFakeTimers();
    try {
      a.send(TO_B);
    } finally {
      jest.useRealTimers();
    }
    await settle(a, b);
    expect(b.arrivals).toHaveLength(1);
  });

  test.each([
    ['67', 67, RangeError],
    ['65537', 65_537, RangeError],
    ['1500.5', 1500.5, RangeError],
    ['NaN', NaN, RangeError],
    ['a text', '1500' as unknown as number, TypeError],
  ])('an MTU of %s is refused', (_, mtu, Class) => {
    expect(() => memoryLink({ mtu })).toThrow(Class);
    expect(() => memoryLink({ mtu })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_/) }),
    );
  });

  test('an address that is none is refused', async () => {
    await expect(RecordingHost.open(memoryLink(), '10.0.0.256')).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });
});

describe('the life of the process', () => {
  /** Runs a program with two ports `a` and `b`; what it prints. */
  function run(program: string): string {
    const register = join(__dirname, '../support/register.js');
    const source = `
      const { memoryLink } = require('./lib/link/memory.ts');
      const { RecordingHost } = require('./test/support/recording-host.ts');
      (async () => {
        const link = memoryLink();
        const a = await RecordingHost.open(link, '${A}');
        const b = await RecordingHost.open(link, '${B}');
        b.onReceive = () => console.log('arrived');
        ${program}
      })();`;
    return execFileSync(process.execPath, ['-r', register, '-e', source], {
      cwd: join(__dirname, '../..'),
      encoding: 'utf8',
      timeout: 30_000,
    });
  }

  test('packets in flight keep it, idle ports do not', () => {
    expect(run(`a.send({ from: '${A}', to: '${B}' });`)).toBe('arrived\n');
  });

  test('a port that is not referenced does not keep it', () => {
    const program = `b.port.unref(); a.send({ from: '${A}', to: '${B}' });`;
    expect(run(program)).toBe('');
  });

  test('a port that is not referenced receives while something else keeps it', () => {
    const program = `
      const kept = setTimeout(() => console.log('too late'), 20_000);
      b.onReceive = () => { console.log('arrived'); clearTimeout(kept); };
      b.port.unref();
      setTimeout(() => a.send({ from: '${A}', to: '${B}' }), 20);`;
    expect(run(program)).toBe('arrived\n');
  });
});
