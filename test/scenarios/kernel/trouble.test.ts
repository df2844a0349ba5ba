import { Flag } from '../../../lib/core/segment/layout';
import { Daemon } from '../../interop/support/daemon';
import type { Wire } from '../../interop/support/wires';
import type { Namespace } from '../../support/netns';
import type { Fields } from '../../support/segments';
import { needs } from '../../support/skip';
import { until } from '../../support/until';
import { forge } from '../support';
import {
  canTell,
  connectPair,
  filter,
  has,
  kernelStates,
  linesOf,
  NEEDS,
  openWire,
  sees,
  statesTo,
} from './support';

/** Sends an IPv4 packet given in hexadecimal digits, as it is, to an address. */
const SEND_RAW = `
import socket, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 0))
`;

async function sendRaw(
  namespace: Namespace,
  fields: Fields & { to: string },
  spoil: (bytes: Uint8Array) => void = () => undefined,
): Promise<void> {
  const bytes = forge(fields).bytes();
  spoil(bytes);
  const packet = Buffer.from(bytes).toString('hex');
  await namespace.run('python3', '-c', SEND_RAW, packet, fields.to);
}

/** Milliseconds of the timestamps of our segments with payload. */
function timesOf(lines: string[]): number[] {
  return lines
    .filter((line) => /, length [1-9]/.test(line))
    .map((line) => Number(/TS val (\d+)/.exec(line)?.[1]));
}

needs(canTell(), NEEDS)('against the kernel', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await openWire();
  });

  afterAll(() => wire.close());

  beforeEach(() => wire.ours.forget());

  test('S9: data that is lost is sent again and again, at doubled intervals', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    const before = await wire.ours.counters();
    const lift = await filter(wire.kernelIn, 'input', `tcp dport ${port} drop`);
    await ours.write('lost three times');
    await until(
      () => wire.ours.counters(),
      ({ TcpRetransSegs }) => TcpRetransSegs >= before.TcpRetransSegs + 3,
    );
    expect((await kernels.report()).received).toBe(0);
    await lift();
    await has(kernels, 16);
    expect((await kernels.report()).text).toBe('lost three times');
    const times = timesOf(await linesOf(wire.ours, port));
    const waits = times.slice(1).map((time, i) => time - times[i]);
    for (const [i, wait] of waits.entries()) {
      // A probe comes first, and the timeout runs anew from then on. A timer may be late, and the
      // next interval starts then.
      expect(wait).toBeGreaterThanOrEqual(200 * 2 ** Math.max(i - 1, 0));
    }
    expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
  });

  test('S9: one acknowledgment of the kernel speaks for all that were lost', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    const lift = await filter(wire.kernelIn, 'output', `tcp sport ${port} drop`);
    const before = await wire.ours.counters();
    await ours.write('x'.repeat(10 * 1448));
    await has(kernels, 10 * 1448);
    await until(
      () => wire.ours.counters(),
      ({ TcpRetransSegs }) => TcpRetransSegs > before.TcpRetransSegs,
    );
    await lift();
    await ours.end();
    await sees(kernels, 'end');
    await statesTo(wire.ours, port, 'FIN-WAIT-2');
    const lines = await linesOf(wire.ours, port);
    const first = Number(/seq (\d+)/.exec(lines[0])?.[1]) + 1;
    const answers = lines.slice(2).filter((line) => line.includes(`.${port} > `));
    const acks = answers.map((line) => Number(/ack (\d+)/.exec(line)?.[1]) - first);
    expect(Math.min(...acks)).toBeGreaterThanOrEqual(10 * 1448);
  });

  test('S10: what arrives with a wrong checksum is counted, and arrives again', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    const counted = async () => {
      const { stdout } = await wire.kernelIn.run('nstat', '-asz', 'TcpInCsumErrors');
      return Number(/TcpInCsumErrors +(\d+)/.exec(stdout)?.[1]);
    };
    const before = await counted();
    const lift = await filter(wire.kernelIn, 'input', `tcp dport ${port} tcp checksum set 0xbad`);
    await ours.write('owe 100 pounds');
    await until(counted, (count) => count >= before + 2);
    expect((await kernels.report()).received).toBe(0);
    await lift();
    await has(kernels, 14);
    expect((await kernels.report()).text).toBe('owe 100 pounds');
    const data = (await linesOf(wire.ours, port)).filter((line) => / length 14 /.test(line));
    expect(data.length).toBeGreaterThanOrEqual(3);
  });

  test('S16: we reset: ECONNRESET there, and nothing is left on either side', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    await ours.write('half a ');
    await has(kernels, 7);
    await ours.reset();
    expect((await kernels.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
    expect((await ours.closed()).events).toEqual(['connect', 'close']);
    expect(await kernelStates(wire, port)).toEqual([]);
    expect((await statesTo(wire.ours, port, 'CLOSED')).at(-2)).toBe('ESTABLISHED');
  });

  describe('what somebody else has forged', () => {
    /** Numbers of an idle connection, as they stand in headers. */
    async function idle() {
      const pair = await connectPair(wire);
      const [syn, synAck] = await linesOf(wire.ours, pair.port);
      const number = (line: string) => Number(/seq (\d+)/.exec(line)?.[1]) + 1;
      const { localPort } = await pair.ours.report();
      const kernelsEnd = { from: wire.kernelAddress[4], sourcePort: pair.port };
      const oursEnd = { from: wire.ourAddress[4], sourcePort: localPort };
      return {
        ...pair,
        /** What the kernel would send to us, and we to the kernel. */
        toUs: {
          ...kernelsEnd,
          to: oursEnd.from,
          destinationPort: localPort,
          sequence: number(synAck),
          flags: Flag.RST,
        },
        toKernel: {
          ...oursEnd,
          to: kernelsEnd.from,
          destinationPort: pair.port,
          sequence: number(syn),
          flags: Flag.RST,
        },
      };
    }

    test('S10: data with a wrong checksum is counted, and nothing else', async () => {
      const { ours, kernels, toUs, toKernel } = await idle();
      const { TcpInCsumErrors: before } = await wire.ours.counters();
      const { link } = await wire.ours.counters();
      const data = { ...toUs, flags: Flag.ACK, acknowledgment: toKernel.sequence };
      const payload = [Buffer.from('owe 100 pounds')];
      await sendRaw(wire.kernelIn, { ...data, payload }, (bytes) => (bytes[46] ^= 1));
      await until(
        () => wire.ours.counters(),
        ({ TcpInCsumErrors }) => TcpInCsumErrors === before + 1,
      );
      expect((await wire.ours.counters()).link.sent).toBe(link.sent);
      expect((await ours.report()).received).toBe(0);
      await kernels.write('owe 200 pounds');
      await has(ours, 14);
      expect((await ours.report()).text).toBe('owe 200 pounds');
    });

    test('S16: a reset ends ours only with the next number; else we challenge it', async () => {
      const { ours, kernels, port, toUs } = await idle();
      const { TcpExtTCPChallengeACK: before } = await wire.ours.counters();
      await sendRaw(wire.kernelIn, { ...toUs, sequence: toUs.sequence + 1000 });
      await until(
        () => wire.ours.counters(),
        ({ TcpExtTCPChallengeACK }) => TcpExtTCPChallengeACK === before + 1,
      );
      await ours.write('still here');
      await has(kernels, 10);
      await sendRaw(wire.kernelIn, toUs);
      expect((await ours.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
      // The kernel has sent nothing, knows nothing, and is told when it speaks.
      expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
      await kernels.write('hello?');
      expect((await kernels.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
    });

    test("S16: the kernel's as well, and its challenge does ours no harm", async () => {
      const { ours, kernels, port, toKernel } = await idle();
      await sendRaw(wire.oursIn, { ...toKernel, sequence: toKernel.sequence + 1000 });
      await until(
        () => linesOf(wire.ours, port),
        (lines) => /\[\.\].* ESTABLISHED$/.test(lines.slice(3).at(-1) ?? ''),
      );
      expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
      await kernels.write('still here');
      await has(ours, 10);
      await sendRaw(wire.oursIn, toKernel);
      expect((await kernels.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
      await ours.write('hello?');
      await sees(ours, 'ECONNRESET');
    });
  });
});

/** Reads 100 bytes at a time, with a small buffer. */
const SLOW_READER = `
import socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
listener.bind((sys.argv[1], 0))
listener.listen()
print('port', listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
time.sleep(1)
total = 0
while data := peer.recv(100):
    total += len(data)
    time.sleep(0.0005)
print('total', total, flush=True)
`;

needs(canTell(), NEEDS)('S12: a slow reader of the kernel', () => {
  test('makes us wait, and gets no silly little segments', async () => {
    const wire = await openWire();
    const host = wire.kernelAddress[4];
    const python = await Daemon.start(
      wire.kernelIn,
      ['python3', '-c', SLOW_READER, host],
      /^port \d+$/m,
    );
    try {
      const port = Number(/^port (\d+)$/m.exec(python.output)?.[1]);
      const end = await wire.ours.connect(host, port, { send: 100_000 });
      await python.printed(/^total 100000$/m);
      expect((await end.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
      const lines = await linesOf(wire.ours, port);
      const lengths = lines
        .filter((line) => line.includes(`> ${host}.${port}: `))
        .map((line) => Number(/, length (\d+) /.exec(line)?.[1]))
        .filter((length) => length > 0);
      const windows = lines
        .filter((line) => line.includes(` ${host}.${port} > `))
        .map((line) => Number(/, win (\d+)/.exec(line)?.[1]));
      expect(Math.min(...windows)).toBe(0);
      const average = 100_000 / lengths.length;
      expect(average).toBeGreaterThan(500);
    } finally {
      await python.stop('SIGKILL');
      await wire.close();
    }
  });
});
