import { needs } from '../support/skip';
import { patternDigest } from './support/pattern';
import { until } from '../support/until';
import {
  canWire,
  RAW_LOOPBACK,
  RAW_VETH,
  TUN,
  type Wire,
  WIRE_NEEDS,
  WIRES,
} from './support/wires';

const MIB = 1 << 20;
const BYTES = (process.env.NETLAND_NIGHTLY === '1' ? 32 : 20) * MIB;

/** What a receiver that does not read may have taken: the largest buffers of both, and Node's. */
const MOST_TAKEN = 16 * MIB;

/** Of a slow interface, bits/s. */
const RATE = 32_000_000;
/** What a writer may be ahead of the reader there: the send buffer, and what is on its way. */
const MOST_HELD = 8 * MIB;

/** Window field of a line of the trace. */
function windowOf(line: string): number {
  return Number(/, win (\d+)/.exec(line)?.[1]);
}

describe.each(WIRES)('flow control, $name', ({ open }) => {
  needs(canWire(), WIRE_NEEDS)('against the kernel', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open({ trace: true });
    });

    afterAll(() => wire.close());

    test('a kernel peer does not read: its window closes, we probe, we go on', async () => {
      const { ours, kernel, kernelAddress } = wire;
      await ours.forget();
      const host = kernelAddress[4];
      const listener = await kernel.listen(host, 0, { end: 'peer', stopAfter: 0 });
      const sending = await ours.connect(host, listener.port, { send: BYTES });
      const peer = await listener.accepted(0);
      const { TcpExtTCPWinProbe: before } = await ours.counters();
      await until(
        () => ours.counters(),
        ({ TcpExtTCPWinProbe }) => TcpExtTCPWinProbe >= before + 2,
      );
      expect((await sending.report()).sent).toBeLessThan(MOST_TAKEN);
      const trace = await ours.trace();
      const answers = trace.filter((line) => line.includes(` ${host}.${listener.port} > `));
      expect(windowOf(answers.at(-1) ?? '')).toBe(0);

      await peer.resume();
      expect((await peer.closed()).digest).toBe(patternDigest(1, BYTES));
      expect((await sending.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
      await listener.close();
    });

    test('we do not read: our window closes, the kernel waits, we go on', async () => {
      const { ours, kernel, kernelAddress } = wire;
      await ours.forget();
      const host = kernelAddress[4];
      const listener = await kernel.listen(host, 0, { send: BYTES });
      const reading = await ours.connect(host, listener.port, { end: 'peer', stopAfter: MIB });
      const peer = await listener.accepted(0);
      const own = (line: string) => line.includes(`> ${host}.${listener.port}: `);
      // The kernel's probes are answered with a window that is still closed.
      await until(
        () => ours.trace(),
        (trace) => trace.filter((line) => own(line) && windowOf(line) === 0).length >= 2,
      );
      expect((await reading.report()).received).toBeLessThan(2 * MIB);
      expect((await peer.report()).sent).toBeLessThan(MOST_TAKEN);

      await reading.resume();
      const report = await reading.closed();
      expect(report.digest).toBe(patternDigest(1, BYTES));
      expect(report.events).toEqual(['connect', 'end', 'finish', 'close']);
      expect((await ours.counters()).TcpExtTCPZeroWindowDrop).toBe(0);
      await listener.close();
    });
  });
});

describe.each([RAW_VETH, TUN])('a slow interface, $name', ({ name, open }) => {
  needs(canWire(), WIRE_NEEDS)('below us', () => {
    test('holds the writer back: nothing takes more than the buffers are large', async () => {
      // The kernel takes at once what a TUN brings it.
      const impair = name === TUN.name ? { seed: 1, rate: RATE } : undefined;
      const wire = await open({ impair });
      try {
        const { ours, oursIn, kernel, kernelAddress } = wire;
        const shape = ['tbf', 'rate', String(RATE), 'burst', '32k', 'limit', '100m'];
        if (name !== TUN.name)
          await oursIn.run('tc', 'qdisc', 'add', 'dev', 'va', 'root', ...shape);
        const listener = await kernel.listen(kernelAddress[4], 0, { end: 'peer' });
        const sending = await ours.connect(kernelAddress[4], listener.port, { send: BYTES });
        const peer = await listener.accepted(0);
        const { received } = await until(
          () => peer.report(),
          (report) => report.received >= MIB,
        );
        const { sent, events } = await sending.report();
        expect(sent).toBeLessThan(received + MOST_HELD);
        expect(events).toEqual(['connect']);
        const { link } = await ours.counters();
        expect(link).toMatchObject(name === TUN.name ? { outOverflow: 0 } : { queueFull: 0 });
      } finally {
        await wire.close();
      }
    });
  });
});

describe.each([RAW_VETH, RAW_LOOPBACK])('a slow reader, $name', ({ open }) => {
  needs(canWire(), WIRE_NEEDS)('of ours', () => {
    test('stops and goes on again and again', async () => {
      const wire = await open();
      try {
        const { ours, kernel, kernelAddress } = wire;
        const listener = await kernel.listen(kernelAddress[6], 0, { send: BYTES });
        const reading = await ours.connect(kernelAddress[6], listener.port, { end: 'peer' });
        for (let i = 0; i < 20; i++) {
          await reading.pause();
          await new Promise((resolve) => setTimeout(resolve, 10));
          await reading.resume();
        }
        expect((await reading.closed()).digest).toBe(patternDigest(1, BYTES));
      } finally {
        await wire.close();
      }
    });
  });
});
