import { Side } from '../../interop/support/side';
import { FAMILIES, type Wire } from '../../interop/support/wires';
import { needs } from '../../support/skip';
import { until } from '../../support/until';
import {
  canTell,
  connectPair,
  filter,
  has,
  kernelComesTo,
  kernelStates,
  linesOf,
  NEEDS,
  openWire,
  sees,
  statesTo,
} from './support';

/** What gives up soon: after a second or so when connected, 3 s before. */
const HASTY = { retries2: 1, synRetries: 1, synLinearTimeouts: 0 };

needs(canTell(), NEEDS)('S21 against the kernel', () => {
  let wire: Wire;
  /** Another stack of ours, that has no patience. */
  let hasty: Side;

  beforeAll(async () => {
    wire = await openWire();
    hasty = await Side.start(wire.oursIn, { link: 'raw', trace: true, tcp: HASTY });
    for (const [namespace, device] of [
      [wire.oursIn, 'va'],
      [wire.kernelIn, 'vb'],
    ] as const) {
      await namespace.run('sysctl', '-qw', `net.ipv6.conf.${device}.keep_addr_on_down=1`);
    }
    await wire.kernelIn.run('sysctl', '-qw', 'net.ipv4.tcp_retries2=2');
  });

  afterAll(() => wire.close());

  beforeEach(async () => {
    await Promise.all([wire.ours.forget(), hasty.forget()]);
  });

  /** Neither end hears anything of the other. */
  const silence = async (port: number) => {
    const lift = await filter(wire.kernelIn, 'input', `tcp dport ${port} drop`);
    const table = 'inet netland_story';
    const chain = `add chain ${table} output { type filter hook output priority 0; }`;
    const rule = `add rule ${table} output tcp sport ${port} drop`;
    await wire.kernelIn.run('nft', `${chain}; ${rule}`);
    return lift;
  };

  describe.each(FAMILIES)('IPv%d', (family) => {
    test('(a) its host crashes: retransmission, ETIMEDOUT', async () => {
      const { ours, port } = await connectPair(wire, { family, side: hasty });
      const lift = await silence(port);
      await ours.write('anybody there?');
      const { events } = await ours.closed();
      expect(events).toEqual(['connect', 'ETIMEDOUT', 'close']);
      const lines = await linesOf(hasty, port);
      const data = lines.filter((line) => / length 14 /.test(line));
      expect(data.length).toBeGreaterThanOrEqual(1 + HASTY.retries2);
      expect(new Set(data.map((line) => / seq \S+,/.exec(line)?.[0])).size).toBe(1);
      await lift();
    });

    test('(b) it crashes and is booted again: RST, ECONNRESET', async () => {
      const victim = await Side.start(wire.kernelIn, { link: 'kernel' });
      const pair = await connectPair(wire, { family, peer: victim, plan: { stopAfter: 0 } });
      const { ours, port } = pair;
      await ours.write('unread');
      await until(
        () => wire.kernelIn.run('ss', '-Htn', 'sport', String(port)),
        ({ stdout }) => / 6 +0 /.test(stdout),
      );
      // It is gone without a word: what its system would say is lost, and it knows nothing more.
      const lift = await silence(port);
      await victim.script.kill();
      await kernelComesTo(wire, port, []);
      await lift();
      expect((await ours.report()).events).toEqual(['connect']);
      await ours.write('where were we?');
      expect((await ours.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
      const last = (await linesOf(wire.ours, port)).at(-1);
      expect(last).toMatch(/Flags \[R\].* CLOSED$/);
    });

    test('(f) its filter rejects the port: ECONNRESET, ECONNREFUSED', async () => {
      const { ours, port } = await connectPair(wire, { family });
      const lift = await filter(wire.kernelIn, 'input', `tcp dport ${port} reject with tcp reset`);
      await ours.write('blocked?');
      expect((await ours.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
      expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
      const again = await wire.ours.connect(wire.kernelAddress[family], port, {});
      expect((await again.closed()).events).toEqual(['ECONNREFUSED', 'close']);
      await lift();
    });
  });

  test('(c) the cable is pulled: both give up', async () => {
    const { ours, kernels, port } = await connectPair(wire, { side: hasty });
    await wire.kernelIn.run('ip', 'link', 'set', 'vb', 'down');
    await ours.write('to the kernel');
    await kernels.write('to you');
    expect((await ours.closed()).events).toEqual(['connect', 'ETIMEDOUT', 'close']);
    // The kernel knows better: its own device is down.
    const { events } = await kernels.closed();
    expect(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']).toContain(events[1]);
    expect(await kernelStates(wire, port)).toEqual([]);
    await wire.kernelIn.run('ip', 'link', 'set', 'vb', 'up');
  });

  test('(d) the cut heals: an idle connection goes on', async () => {
    const { ours, kernels } = await connectPair(wire);
    await wire.kernelIn.run('ip', 'link', 'set', 'vb', 'down');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await wire.kernelIn.run('ip', 'link', 'set', 'vb', 'up');
    await ours.write('slept well?');
    await has(kernels, 11);
    await kernels.write('well.');
    await has(ours, 5);
    expect((await ours.report()).events).toEqual(['connect']);
  });

  test('(d) it heals before we give up: the data arrives', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    const before = await wire.ours.counters();
    const lift = await silence(port);
    await ours.write('first, ');
    await until(
      () => wire.ours.counters(),
      ({ TcpRetransSegs }) => TcpRetransSegs >= before.TcpRetransSegs + 2,
    );
    await ours.write('second');
    await lift();
    await has(kernels, 13);
    expect((await kernels.report()).text).toBe('first, second');
  });

  test('(d) it heals after we gave up: the kernel gets RST', async () => {
    const { ours, kernels, port } = await connectPair(wire, { side: hasty });
    const lift = await silence(port);
    await ours.write('anybody?');
    expect((await ours.closed()).events).toEqual(['connect', 'ETIMEDOUT', 'close']);
    await lift();
    expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
    await kernels.write('I am here');
    expect((await kernels.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
    expect((await linesOf(hasty, port)).at(-1)).toMatch(/Flags \[R\].* CLOSED$/);
  });

  test('(d) it heals after the kernel gave up: we get RST', async () => {
    const { ours, kernels, port } = await connectPair(wire);
    const lift = await silence(port);
    await kernels.write('anybody?');
    expect((await kernels.closed()).events).toEqual(['connect', 'ETIMEDOUT', 'close']);
    await lift();
    expect((await ours.report()).events).toEqual(['connect']);
    await ours.write('I am here');
    expect((await ours.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
  });

  test('(e) its process is killed: FIN, and an orderly close', async () => {
    const victim = await Side.start(wire.kernelIn, { link: 'kernel' });
    const { ours, kernels, port } = await connectPair(wire, { peer: victim });
    await kernels.write('my last words');
    await has(ours, 13);
    await victim.script.kill();
    await sees(ours, 'end');
    await kernelComesTo(wire, port, ['FIN-WAIT-2']);
    await ours.end();
    const { events, text } = await ours.closed();
    expect(text).toBe('my last words');
    expect(events).toEqual(['connect', 'end', 'finish', 'close']);
    expect(await statesTo(wire.ours, port, 'CLOSED')).toEqual([
      ...['SYN-SENT', 'ESTABLISHED', 'CLOSE-WAIT', 'LAST-ACK', 'CLOSED'],
    ]);
    await kernelComesTo(wire, port, ['TIME-WAIT']);
    const again = await wire.ours.connect(wire.kernelAddress[4], port, {});
    expect((await again.closed()).events).toEqual(['ECONNREFUSED', 'close']);
  });

  test('(e) where we go on writing, RST tells us: EPIPE', async () => {
    const victim = await Side.start(wire.kernelIn, { link: 'kernel' });
    const { ours, port } = await connectPair(wire, { peer: victim });
    await victim.script.kill();
    await sees(ours, 'end');
    await ours.write('still talking');
    await statesTo(wire.ours, port, 'CLOSED');
    await ours.write('anybody?');
    expect((await ours.closed()).events).toEqual(['connect', 'end', 'EPIPE', 'close']);
    expect((await linesOf(wire.ours, port)).at(-1)).toMatch(/Flags \[R\]/);
  });

  test('(f) its filter drops: silence, ETIMEDOUT', async () => {
    const { ours, port } = await connectPair(wire, { side: hasty });
    const lift = await filter(wire.kernelIn, 'input', `tcp dport ${port} drop`);
    await ours.write('blocked?');
    const again = await hasty.connect(wire.kernelAddress[4], port, {});
    expect((await ours.closed()).events).toEqual(['connect', 'ETIMEDOUT', 'close']);
    expect((await again.closed()).events).toEqual(['ETIMEDOUT', 'close']);
    expect(await kernelStates(wire, port)).toEqual(['ESTAB']);
    const syns = (await linesOf(hasty, port)).filter((line) => line.includes('Flags [S],'));
    expect(syns).toHaveLength(1 + 2);
    await lift();
  });

  test.each([
    ["the kernel's", 'kernel'],
    ['ours', 'ours'],
  ] as const)('(f) a listener that closes leaves its connections alive: %s', async (_, who) => {
    const [to, from] = who === 'kernel' ? [wire.kernel, wire.ours] : [wire.ours, wire.kernel];
    const address = who === 'kernel' ? wire.kernelAddress[4] : wire.ourAddress[4];
    const listener = await to.listen(address, 0, { echo: true });
    const end = await from.connect(address, listener.port, { end: 'told' });
    await end.opened();
    await listener.accepted(0);
    // Its answer comes when the last connection is closed.
    const closed = listener.close();
    const refused = await until(
      async () => (await (await from.connect(address, listener.port, {})).closed()).events,
      (events) => !events.includes('connect'),
    );
    expect(refused).toEqual(['ECONNREFUSED', 'close']);
    await end.write('still open?');
    await has(end, 11);
    expect((await end.report()).text).toBe('still open?');
    await end.end();
    expect((await end.closed()).events).toEqual(['connect', 'finish', 'end', 'close']);
    await closed;
  });
});
