import { hasNamespaces } from '../support/netns';
import { hasCommand, needs } from '../support/skip';
import { Daemon } from './support/daemon';
import { patternDigest } from './support/pattern';
import { until } from '../support/until';
import { canWire, FAMILIES, RAW_VETH, type Wire, WIRE_NEEDS, WIRES } from './support/wires';

const BYTES = 3 << 20;

/**
 * Accepts one connection. `first`: ends its own side at once, after a greeting, and then takes what
 * comes. `last`: takes what comes until the other side has ended, and then answers.
 */
const PYTHON_SERVER = `
import hashlib, socket, sys
host, mode = sys.argv[1:]
family = socket.AF_INET6 if ':' in host else socket.AF_INET
listener = socket.create_server((host, 0), family=family)
print('port', listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
if mode == 'first':
    peer.sendall(b'goodbye')
    peer.shutdown(socket.SHUT_WR)
digest = hashlib.sha256()
while data := peer.recv(65536):
    digest.update(data)
if mode == 'last':
    peer.sendall(digest.hexdigest().encode())
peer.close()
print('digest', digest.hexdigest(), flush=True)
`;

describe.each(WIRES)('half-close, $name', ({ open }) => {
  needs(canWire() && hasCommand('python3'), `${WIRE_NEEDS}, python3`)('against python', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open({ trace: true });
    });

    afterAll(() => wire.close());

    describe.each(FAMILIES)('IPv%d', (family) => {
      test.each(['first', 'last'])('the peer ends its side %s', async (mode) => {
        const { kernelIn, ours, kernelAddress } = wire;
        const host = kernelAddress[family];
        const command = ['python3', '-c', PYTHON_SERVER, host, mode];
        const python = await Daemon.start(kernelIn, command, /^port \d+$/m);
        try {
          const port = Number(/^port (\d+)$/m.exec(python.output)?.[1]);
          await ours.forget();
          const digest = patternDigest(1, BYTES);
          if (mode === 'first') {
            const end = await ours.connect(host, port, { end: 'told' });
            // Our side is open for as long as we like.
            await until(
              () => end.report(),
              ({ events }) => events.includes('end'),
            );
            await end.write('x'.repeat(100_000));
            await end.end();
            const report = await end.closed();
            expect(report.text).toBe('goodbye');
            expect(report.events).toEqual(['connect', 'end', 'finish', 'close']);
            await python.printed(/^digest d69e6898/m);
          } else {
            const end = await ours.connect(host, port, { send: BYTES });
            const report = await end.closed();
            expect(report.text).toBe(digest);
            expect(report.events).toEqual(['connect', 'finish', 'end', 'close']);
            await python.printed(new RegExp(`^digest ${digest}`, 'm'));
          }
          // We end last, and are CLOSED then; or first, and wait.
          const last = mode === 'first' ? 'CLOSED' : 'TIME-WAIT';
          const trace = await until(
            () => ours.trace(),
            (lines) => lines.at(-1)?.endsWith(last) === true,
          );
          const before = mode === 'first' ? /LAST-ACK$/ : /FIN-WAIT-1$/;
          expect(trace.some((line) => before.test(line))).toBe(true);
        } finally {
          await python.stop('SIGKILL');
        }
      });
    });
  });
});

needs(hasNamespaces(), 'root and network namespaces')('what crosses on the way', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await RAW_VETH.open({ trace: true, gate: true });
  });

  afterAll(() => wire.close());

  /** Holds up what both send, until each has sent what `act` tells it to. */
  async function crossing<T>(act: () => Promise<T>): Promise<T> {
    const { ours } = wire;
    const { link: before } = await ours.counters();
    await ours.hold();
    const result = await act();
    await until(
      () => ours.counters(),
      ({ link }) => link.outDelayed > before.outDelayed && link.inDelayed > before.inDelayed,
    );
    await ours.release();
    return result;
  }

  /** The states of the connection to a port of the peer's, each once, in their order. */
  async function states(port: number): Promise<string[]> {
    const trace = await wire.ours.trace();
    const own = trace.filter((line) => new RegExp(`\\.${port}[ :]`).test(line));
    const all = own.map((line) => line.slice(line.lastIndexOf(' ') + 1));
    return all.filter((state, index) => state !== all[index - 1]);
  }

  test.each(FAMILIES)('simultaneous close (IPv%d)', async (family) => {
    const { ours, kernel, kernelAddress, kernelIn } = wire;
    const listener = await kernel.listen(kernelAddress[family], 0, { end: 'told' });
    const end = await ours.connect(kernelAddress[family], listener.port, { end: 'told' });
    await end.opened();
    const peer = await listener.accepted(0);
    await crossing(async () => {
      await end.end();
      await peer.end();
    });
    expect((await end.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
    expect((await peer.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
    const seen = await until(
      () => states(listener.port),
      (all) => all.at(-1) === 'TIME-WAIT',
    );
    expect(seen).toEqual(['SYN-SENT', 'ESTABLISHED', 'FIN-WAIT-1', 'CLOSING', 'TIME-WAIT']);
    await until(
      () => kernelIn.run('ss', '-Htan', 'state', 'time-wait'),
      ({ stdout }) => stdout.includes(`:${listener.port} `),
    );
    await listener.close();
  });

  test.each(FAMILIES)('simultaneous open (IPv%d)', async (family) => {
    const { ours, kernel, kernelAddress, ourAddress } = wire;
    const [ourPort, kernelPort] = family === 4 ? [5001, 5002] : [5003, 5004];
    const plan = { send: 100_000 };
    const [end, peer] = await crossing(async () => {
      const { link: before } = await ours.counters();
      const own = await ours.connect(kernelAddress[family], kernelPort, plan, ourPort);
      // Ours first: from its SYN on the port is guarded.
      await until(
        () => ours.counters(),
        ({ link }) => link.outDelayed > before.outDelayed,
      );
      return [own, await kernel.connect(ourAddress[family], ourPort, plan, kernelPort)];
    });
    const digest = patternDigest(1, 100_000);
    expect(await end.closed()).toMatchObject({ digest, localPort: ourPort });
    expect(await peer.closed()).toMatchObject({ digest, localPort: kernelPort });
    const seen = await states(kernelPort);
    expect(seen.slice(0, 3)).toEqual(['SYN-SENT', 'SYN-RECEIVED', 'ESTABLISHED']);
  });
});
