import { Flag } from '../../../lib/core/segment/layout';
import { loadNative } from '../../../lib/link/native';
import { hasNamespaces, hasTun, Namespace } from '../../support/netns';
import type { Script } from '../../support/script';
import { hasCommand, needs } from '../../support/skip';
import { until } from '../../support/until';
import { asNobody, type Counters, linkChild, type Taken, taken } from './support';

const HOST = ['10.78.0.1/24', 'fd78::1/64'];
const OURS = ['10.78.0.2/24', 'fd78::2/64'];

const [IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR] = [1, 2, 0x1000, 0x4000];

/** Attaches descriptor 9 to a device, held0 by default, and runs the rest of its arguments. */
const HOLDER = `
import fcntl, os, struct, sys
name = b'frames0' if sys.argv[2] == 'frames0' else b'held0'
fd = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name, int(sys.argv[1])))
os.dup2(fd, 9)
rest = sys.argv[3:] if name == b'frames0' else sys.argv[2:]
os.execvp(rest[0], rest)
`;

needs(
  hasNamespaces() && hasTun() && hasCommand('setpriv'),
  'root, network namespaces, /dev/net/tun, setpriv',
)('the TUN link against the kernel', () => {
  let here: Namespace;
  let link: Script;

  beforeAll(async () => {
    expect(loadNative().reason).toBeNull();
    here = await Namespace.create();
  });
  afterAll(() => here?.close());

  beforeEach(() => {
    link = linkChild(here);
  });
  afterEach(() => link.kill());

  const addresses = async (device: string) =>
    (await here.run('ip', '-o', 'addr', 'show', 'dev', device)).stdout;

  test("makes the device, up, with the kernel's addresses and MTU, and takes it away", async () => {
    const options = { name: 'nl0', hostAddresses: HOST, mtu: 1400 };
    expect(await link.call('openTun', options, OURS)).toEqual({ name: 'nl0', mtu: 1400 });
    const shown = await addresses('nl0');
    expect(shown).toMatch(/inet 10\.78\.0\.1\/24 /);
    expect(shown).toMatch(/inet6 fd78::1\/64 scope global nodad/);
    expect((await here.run('ip', 'link', 'show', 'nl0')).stdout).toMatch(/[<,]UP[,>].* mtu 1400 /);
    await link.call('close');
    await expect(addresses('nl0')).rejects.toThrow('does not exist');
  });

  test('tells of another MTU, and of nothing else', async () => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST }, OURS);
    expect(await link.call('changes')).toEqual([0, 1500]);
    await here.run('ip', 'addr', 'add', '10.78.1.1/24', 'dev', 'nl0');
    await here.run('ip', 'link', 'set', 'nl0', 'mtu', '1300');
    await until(
      () => link.call<number[]>('changes'),
      ([changes]) => changes > 0,
    );
    expect(await link.call('changes')).toEqual([1, 1300]);
  });

  test('the kernel finds a free number for the name', async () => {
    expect(await link.call('openTun', {}, OURS)).toEqual({ name: 'nl0', mtu: 1500 });
    const second = linkChild(here);
    expect(await second.call('openTun', {}, OURS)).toEqual({ name: 'nl1', mtu: 1500 });
    await second.kill();
  });

  test.each([
    ['10.78.0.2', true],
    ['fd78::2', true],
    ['10.78.0.2', false],
    ['fd78::2', false],
  ])('carries segments both ways (%s, offload: %s)', async (ours, offload) => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST, offload }, OURS);
    await link.call('sink');
    const client = linkChild(here);
    await client.call('kernelConnect', ours, 80);
    const bytes = 1 << 20;
    const digest = await client.call('kernelSend', bytes);
    await until(
      () => link.call<{ bytes: number }>('sunk'),
      (sunk) => sunk.bytes === bytes,
    );
    expect(await link.call('sunk')).toEqual({ bytes, digest });
    const counters = await link.call<Counters>('counters');
    expect(counters).toMatchObject({ badChecksum: 0, partialRefused: 0, truncated: 0 });
    const { longest } = await link.call<Taken>('take');
    if (offload) {
      // All TCP: the kernel leaves its checksum to the device.
      expect(counters.partialChecksum).toBeGreaterThan(bytes / 65_536);
      expect(longest).toBeGreaterThan(30_000);
    } else {
      expect(counters.partialChecksum).toBe(0);
      expect(counters.sent).toBeGreaterThan(100);
      expect(longest).toBe(1500);
    }
    await client.end();
  });

  test('brings what is not TCP too; counts what is too long', async () => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST }, OURS);
    await here.run('ping', '-c', '1', '-W', '1', '10.78.0.2').catch(() => undefined);
    expect((await link.call<Taken>('take')).others).toBeGreaterThan(0);
    const ends = { sourcePort: 1, destinationPort: 2, flags: Flag.SYN };
    const toHost = { ...ends, source: '10.78.0.2', destination: '10.78.0.1' };
    await link.call('send', { ...toHost, length: 70_000 });
    expect((await link.call<Counters>('counters')).unbuildable).toBe(1);
    await link.call('send', { ...toHost, destinationPort: 9 });
    const { seen } = await taken(link, 1);
    expect(seen.map((each) => each.flags)).toEqual([Flag.RST | Flag.ACK]);
  });

  test('attaches to a device that exists, and leaves it as it was', async () => {
    await here.run('ip', 'tuntap', 'add', 'dev', 'kept0', 'mode', 'tun', 'user', '65534');
    await here.run('ip', 'addr', 'add', '10.79.0.1/24', 'dev', 'kept0');
    await here.run('ip', 'link', 'set', 'kept0', 'up', 'mtu', '1300');
    // CAP_DAC_OVERRIDE stands for the usual mode of /dev/net/tun, which anyone may open.
    const nobody = linkChild(here, { via: asNobody('dac_override') });
    expect(await nobody.call('openTun', { name: 'kept0' }, ['10.79.0.2/24'])).toEqual({
      name: 'kept0',
      mtu: 1300,
    });
    await expect(link.call('openTun', { name: 'kept0' }, [])).rejects.toMatchObject({
      code: 'EBUSY',
      message: expect.stringContaining('in use'),
    });
    await nobody.kill();
    expect(await addresses('kept0')).toContain('10.79.0.1/24');

    const again = { name: 'kept0', hostAddresses: ['10.79.0.1/24', '10.79.1.1/24'] };
    await link.call('openTun', again, []);
    expect(await addresses('kept0')).toContain('10.79.1.1/24');
    await here.run('ip', 'link', 'del', 'kept0');
  });

  describe('a descriptor that a privileged process hands over', () => {
    /** Runs what follows with descriptor 9 attached to held0. */
    const holding = (flags: number) => ['python3', '-c', HOLDER, String(flags)];
    const held = (flags: number) => linkChild(here, { via: [...holding(flags), ...asNobody()] });

    beforeAll(async () => {
      await here.run('ip', 'tuntap', 'add', 'dev', 'held0', 'mode', 'tun');
      await here.run('ip', 'addr', 'add', '10.80.0.1/24', 'dev', 'held0');
      await here.run('ip', 'link', 'set', 'held0', 'up', 'mtu', '1400');
    });
    afterAll(() => here.run('ip', 'link', 'del', 'held0'));

    test.each([
      ['with virtio_net_hdr', IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, undefined],
      ['the same, without offload', IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, false],
      ['without', IFF_TUN | IFF_NO_PI, undefined],
    ])('%s: nobody takes it over', async (_, flags, offload) => {
      const nobody = held(flags);
      expect(await nobody.call('openTun', { fd: 9, offload }, ['10.80.0.2/24'])).toEqual({
        name: 'held0',
        mtu: 1400,
      });
      await nobody.call('sink');
      await link.call('kernelConnect', '10.80.0.2', 80);
      const digest = await link.call('kernelSend', 1 << 18);
      await until(
        () => nobody.call<{ bytes: number }>('sunk'),
        (sunk) => sunk.bytes === 1 << 18,
      );
      expect(await nobody.call('sunk')).toEqual({ bytes: 1 << 18, digest });
      const { longest } = await nobody.call<Taken>('take');
      if (offload === undefined && (flags & IFF_VNET_HDR) !== 0) {
        expect(longest).toBeGreaterThan(1400);
      } else {
        expect(longest).toBe(1400);
      }
      // It is closed with the link, which has used it up.
      await nobody.call('close');
      await expect(nobody.call('openTun', { fd: 9 }, [])).rejects.toMatchObject({ code: 'EBADF' });
      await nobody.kill();
    });

    test('closed under the link, it ends it', async () => {
      const nobody = held(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
      await nobody.call('openTun', { fd: 9 }, ['10.80.0.2/24']);
      await nobody.call('closeDescriptor', 9);
      const segment = { source: '10.80.0.2', destination: '10.80.0.1', flags: Flag.SYN };
      await nobody.call('send', { ...segment, sourcePort: 1, destinationPort: 9, count: 3 });
      const { down } = await until(
        () => nobody.call<Taken>('take'),
        (seen) => seen.down !== null,
      );
      expect(down).toMatchObject({ code: 'ENETDOWN' });
      await nobody.call('close');
      await nobody.kill();
    });

    test('one that is none is refused, and stays open', async () => {
      const plain = held(IFF_TUN);
      const refusal = { code: 'EPROTO', message: expect.stringContaining('IFF_NO_PI') };
      await expect(plain.call('openTun', { fd: 9 }, [])).rejects.toMatchObject(refusal);
      await expect(plain.call('openTun', { fd: 9 }, [])).rejects.toMatchObject(refusal);
      await expect(plain.call('openTun', { fd: 1 }, [])).rejects.toMatchObject({
        code: 'EINVAL',
        message: expect.stringContaining('not attached to a TUN device'),
      });
      await plain.kill();
      const known = held(IFF_TUN | IFF_NO_PI);
      // Setting what it may not set.
      const more = { fd: 9, hostAddresses: ['10.81.0.1/24'] };
      await expect(known.call('openTun', more, [])).rejects.toMatchObject({ code: 'EPERM' });
      expect(await known.call('openTun', { fd: 9 }, [])).toMatchObject({ name: 'held0' });
      await known.kill();
      await here.run('ip', 'tuntap', 'add', 'dev', 'frames0', 'mode', 'tap');
      const tap = linkChild(here, { via: ['python3', '-c', HOLDER, String(IFF_TAP), 'frames0'] });
      await expect(tap.call('openTun', { fd: 9 }, [])).rejects.toMatchObject({
        code: 'EPROTOTYPE',
        message: expect.stringContaining('TAP'),
      });
      await tap.kill();
      await here.run('ip', 'link', 'del', 'frames0');
    });
  });

  test('routes networks to the device', async () => {
    const routes = ['10.90.7.7/16', 'fd90::/32', '10.78.9.0/24'];
    const options = { name: 'nl0', hostAddresses: HOST, routes };
    await link.call('openTun', options, OURS);
    const shown = (await here.run('ip', 'route', 'show', 'dev', 'nl0')).stdout;
    expect(shown).toMatch(/^10\.90\.0\.0\/16 /m);
    expect(shown).toMatch(/^10\.78\.9\.0\/24 /m);
    expect((await here.run('ip', '-6', 'route', 'show', 'dev', 'nl0')).stdout).toMatch(
      /^fd90::\/32 /m,
    );
    const other = linkChild(here);
    await expect(other.call('openTun', { routes: ['10.90.0.0/16'] }, [])).rejects.toMatchObject({
      code: 'EEXIST',
      syscall: 'netlink',
    });
    await other.kill();
    // One that is there already is as it should be.
    await here.run('ip', 'tuntap', 'add', 'dev', 'kept1', 'mode', 'tun');
    await here.run('ip', 'link', 'set', 'kept1', 'up');
    for (let i = 0; i < 2; i++) {
      const again = linkChild(here);
      await again.call('openTun', { name: 'kept1', routes: ['10.91.0.0/16'] }, []);
      await again.kill();
    }
    await here.run('ip', 'link', 'del', 'kept1');
  });

  test('a device that is set down drops, and goes on when it is up again', async () => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST }, OURS);
    const segment = {
      source: '10.78.0.2',
      destination: '10.78.0.1',
      sourcePort: 1,
      destinationPort: 9,
      flags: Flag.SYN,
    };
    await here.run('ip', 'link', 'set', 'nl0', 'down');
    await link.call('send', { ...segment, count: 3 });
    expect(await link.call('counters')).toMatchObject({ sendENETDOWN: 3, sent: 0 });
    await here.run('ip', 'link', 'set', 'nl0', 'up');
    // What the kernel answers before its queue works again is dropped.
    await until(
      async () => {
        await link.call('send', segment);
        return link.call<Taken>('take');
      },
      ({ total }) => total > 0,
    );
    expect((await link.call<Taken>('take')).down).toBeNull();
  });

  test('a device that is deleted ends the link', async () => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST }, OURS);
    await here.run('ip', 'link', 'del', 'nl0');
    const { down } = await until(
      () => link.call<Taken>('take'),
      (seen) => seen.down !== null,
    );
    expect(down).toMatchObject({ code: 'ENETDOWN', errno: -100 });
    const segment = { source: '10.78.0.2', destination: '10.78.0.1', flags: Flag.SYN };
    expect(await link.call('send', { ...segment, sourcePort: 1, destinationPort: 9 })).toBe(true);
    await link.call('close');
  });

  test('a device that is deleted while nothing but sending goes on ends the link too', async () => {
    await link.call('openTun', { name: 'nl0', hostAddresses: HOST }, OURS);
    const segment = { source: '10.78.0.2', destination: '10.78.0.1', flags: Flag.SYN };
    const sending = { ...segment, sourcePort: 1, destinationPort: 9, count: 20 };
    const deleted = here.run('ip', 'link', 'del', 'nl0');
    const { down } = await until(
      async () => {
        await link.call('send', sending);
        return link.call<Taken>('take');
      },
      (seen) => seen.down !== null,
    );
    expect(down).toMatchObject({ code: 'ENETDOWN' });
    await deleted;
  });

  test('errors say what helps', async () => {
    const nobody = linkChild(here, { via: asNobody('dac_override') });
    await expect(nobody.call('openTun', { name: 'nl0' }, [])).rejects.toMatchObject({
      code: 'EPERM',
      syscall: 'open',
      message: expect.stringMatching(/CAP_NET_ADMIN.*setcap/),
    });
    await nobody.kill();
    await here.run('ip', 'link', 'add', 'cable0', 'type', 'veth', 'peer', 'name', 'cable1');
    await expect(link.call('openTun', { name: 'cable0' }, [])).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('another kind'),
    });
    await here.run('ip', 'link', 'del', 'cable0');
    const tooSmall = { name: 'nl0', hostAddresses: HOST, mtu: 1000 };
    await expect(link.call('openTun', tooSmall, [])).rejects.toMatchObject({
      code: expect.any(String),
      syscall: 'netlink',
    });
    await expect(addresses('nl0')).rejects.toThrow('does not exist');
  });
});
