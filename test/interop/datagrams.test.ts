import { hasCommand, needs } from '../support/skip';
import { until } from '../support/until';
import { Daemon } from './support/daemon';
import { digestOf, messageOf } from './support/datagram-methods';
import { canWire, FAMILIES, inUrl, TUN, type Wire, WIRE_NEEDS } from './support/wires';

/** Around what one packet, two fragments and the buffers' blocks take; 65,507 is IPv4's most. */
const SIZES = [0, 1, 1452, 1453, 1472, 1473, 2952, 2953, 16_384, 40_000, 65_507];

needs(canWire() && hasCommand('socat'), `${WIRE_NEEDS}, socat`)('datagrams over a TUN', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await TUN.open();
    // Errors as often as they are due.
    await wire.kernelIn.run('sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0');
    await wire.kernelIn.run('sysctl', '-qw', 'net.ipv6.icmp.ratelimit=0');
  });

  afterAll(() => wire?.close());

  describe.each(FAMILIES)('IPv%d', (family) => {
    const ours = () => wire.ourAddress[family];
    const kernels = () => wire.kernelAddress[family];

    test('of every size there and back, as fragments', async () => {
      const far = await wire.kernel.post({ address: kernels(), echo: true });
      const near = await wire.ours.post({ address: ours(), echo: false });
      for (const [index, size] of SIZES.entries()) {
        expect(await near.send(size, far.port, kernels())).toBe('sent');
        const { length, digest, from } = await near.received(index + 1);
        expect([length, from]).toEqual([size, kernels()]);
        expect(digest).toBe(digestOf(messageOf(size)));
      }
      const echo = await wire.ours.post({ address: ours(), echo: true });
      const asker = await wire.kernel.post({ address: kernels() });
      for (const [index, size] of SIZES.entries()) {
        await asker.send(size, echo.port, ours());
        expect((await asker.received(index + 1)).digest).toBe(digestOf(messageOf(size)));
      }
      const { link } = await wire.ours.counters();
      expect([link.badChecksum, link.badTransportHeader]).toEqual([0, 0]);
      for (const post of [far, near, echo, asker]) await post.close();
    });

    test('an echo by socat, and ours asked by socat', async () => {
      const port = 5300 + family;
      const listening = `UDP${family}-RECVFROM:${port},fork`;
      const socat = await Daemon.start(
        wire.kernelIn,
        ['socat', '-d', '-d', '-d', listening, 'EXEC:cat'],
        /starting|receiving|socat .* by Gerhard/,
      );
      const near = await wire.ours.post({ address: ours() });
      const answer = await until(
        async () => {
          await near.send('hello', port, kernels());
          return wire.ours.script.call<{ text: string }[]>('datagramMessages', near.id);
        },
        ({ length }) => length > 0,
      );
      expect(answer[0].text).toBe('hello');
      await socat.stop();
      const echo = await wire.ours.post({ address: ours(), echo: true });
      const target = `UDP${family}:${inUrl(ours())}:${echo.port}`;
      const ask = `echo question | socat -t 0.3 - ${target}`;
      expect((await wire.kernelIn.run('sh', '-c', ask)).stdout).toBe('question\n');
      await near.close();
      await echo.close();
    });

    test('to closed ports: each side tells the other', async () => {
      const free = 9;
      const peer = { address: kernels(), port: free };
      const near = await wire.ours.post({ address: ours(), peer });
      await near.send('anybody?');
      await until(
        () => near.errors(),
        (errors) => errors.includes('ECONNREFUSED'),
      );
      const far = await wire.kernel.post({
        address: kernels(),
        peer: { address: ours(), port: free },
      });
      const told = await until(
        async () => [await far.send('anybody?'), ...(await far.errors())],
        (errors) => errors.includes('ECONNREFUSED'),
      );
      expect(told).toContain('ECONNREFUSED');
      await near.close();
      await far.close();
    });
  });

  test('many in one from the kernel (UDP_SEGMENT) are many', async () => {
    const near = await wire.ours.post({ address: wire.ourAddress[4] });
    const program = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 700)
s.sendto(bytes(i // 700 for i in range(50 * 700 + 1)), ('${wire.ourAddress[4]}', ${near.port}))
`;
    const before = await wire.ours.counters();
    await wire.kernelIn.run('python3', '-c', program);
    const last = await near.received(51);
    expect(last).toMatchObject({ length: 1, digest: digestOf(Uint8Array.of(50)) });
    const after = await wire.ours.counters();
    expect(after.UdpInDatagrams - before.UdpInDatagrams).toBe(51);
    // Some kernels cut them first.
    expect(after.link.received - before.link.received).toBeLessThanOrEqual(51);
    await near.close();
  });

  test('fragments that pass one by one, doubled and out of order', async () => {
    const impair = { seed: 1, duplicate: 0.3, reorder: { probability: 0.3 } };
    const other = await TUN.open({ impair });
    try {
      const far = await other.kernel.post({ address: other.kernelAddress[4], echo: true });
      const near = await other.ours.post({ address: other.ourAddress[4] });
      await near.send(20_000, far.port, other.kernelAddress[4]);
      expect((await near.received(1)).digest).toBe(digestOf(messageOf(20_000)));
    } finally {
      await other.close();
    }
  });

  test('groups, with socat', async () => {
    const member = await wire.ours.post({ address: '0.0.0.0', port: 6000, group: '239.1.2.3' });
    const to = 'UDP4-DATAGRAM:239.1.2.3:6000,ip-multicast-if=10.78.0.1';
    await wire.kernelIn.run('sh', '-c', `printf all | socat -u - ${to}`);
    expect((await member.received(1)).text).toBe('all');

    const from = 'UDP4-RECV:6001,ip-add-membership=239.1.2.4:10.78.0.1';
    const socat = await Daemon.start(
      wire.kernelIn,
      ['socat', '-d', '-d', '-u', from, 'STDOUT'],
      /starting data transfer loop/,
    );
    await member.send('heard by all', 6001, '239.1.2.4');
    await socat.printed(/heard by all/);
    await socat.stop();
    await member.close();
  });
});
