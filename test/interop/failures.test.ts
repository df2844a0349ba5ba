import { statSync } from 'node:fs';

import { asNobody } from '../privileged/link/support';
import { hasNamespaces } from '../support/netns';
import { hasCommand, needs } from '../support/skip';

import type { Plan } from './support/conversation';
import { patternDigest } from './support/pattern';
import { type End, type Listener, Side } from './support/side';
import { until } from '../support/until';
import {
  canWire,
  FAMILIES,
  RAW_LOOPBACK,
  RAW_VETH,
  TUN,
  type Wire,
  WIRE_NEEDS,
  WIRES,
} from './support/wires';

const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';
const MIB = 1 << 20;
/** What goes over a cable that is cut, bytes: more than both ends can hold. */
const CUT_BYTES = (NIGHTLY ? 32 : 16) * MIB;
/** What goes over a TUN whose device is set down meanwhile. */
const TUN_BYTES = (NIGHTLY ? 64 : 32) * MIB;
/** More than will ever be sent. */
const ENDLESS = 2 ** 40;

/** Whether nobody may open the device. */
function accessToTun(): boolean {
  return (statSync('/dev/net/tun').mode & 0o006) === 0o006;
}

/** A connection from us to a process of the kernel's side that can be killed. */
interface Victim {
  process: Side;
  listener: Listener;
  ours: End;
}

async function connectToVictim(wire: Wire, ours: Plan, plan: Plan): Promise<Victim> {
  const process = await Side.start(wire.kernelIn, { link: 'kernel' });
  const listener = await process.listen(wire.kernelAddress[4], 0, plan);
  const end = await wire.ours.connect(wire.kernelAddress[4], listener.port, ours);
  return { process, listener, ours: end };
}

describe.each(WIRES)('failures, $name', ({ open }) => {
  needs(canWire(), WIRE_NEEDS)('of the peer', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await open();
    });

    afterAll(() => wire.close());

    test('it is killed while it sends: its FIN, or RST, ends what we read', async () => {
      const { process, ours } = await connectToVictim(wire, { end: 'peer' }, { send: ENDLESS });
      await until(
        () => ours.report(),
        ({ received }) => received > 4 * MIB,
      );
      await process.script.kill();
      const { events } = await ours.closed();
      expect([
        ['connect', 'end', 'finish', 'close'],
        ['connect', 'ECONNRESET', 'close'],
      ]).toContainEqual(events);
    });

    test('it is killed while it receives: what we send is answered with RST', async () => {
      const { process, listener, ours } = await connectToVictim(
        wire,
        { send: ENDLESS },
        { end: 'told' },
      );
      const victim = await listener.accepted(0);
      await until(
        () => victim.report(),
        ({ received }) => received > 4 * MIB,
      );
      await process.script.kill();
      const { events } = await ours.closed();
      const error = events.find((event) => /^E/.test(event));
      expect(['ECONNRESET', 'EPIPE']).toContain(error);
      expect(events.at(-1)).toBe('close');
    });

    test('it is killed with data unread: RST at once', async () => {
      const plan: Plan = { end: 'told', stopAfter: 0 };
      const sending: Plan = { send: 1000, end: 'told' };
      const { process, listener, ours } = await connectToVictim(wire, sending, plan);
      await until(
        () => wire.kernelIn.run('ss', '-Htn', 'sport', String(listener.port)),
        ({ stdout }) => / 1000 +0 /.test(stdout),
      );
      await process.script.kill();
      expect((await ours.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
    });

    test('a connection is reset by either side', async () => {
      const listener = await wire.kernel.listen(wire.kernelAddress[4], 0, { end: 'told' });
      for (const index of [0, 1]) {
        const { port } = listener;
        const ours = await wire.ours.connect(wire.kernelAddress[4], port, { end: 'told' });
        const kernels = await listener.accepted(index);
        await ours.opened();
        const [first, second] = index === 0 ? [ours, kernels] : [kernels, ours];
        await first.reset();
        expect((await second.closed()).events).toEqual(['connect', 'ECONNRESET', 'close']);
        expect((await first.closed()).events).toEqual(['connect', 'close']);
      }
      await listener.close();
    });

    test.each(FAMILIES)('its port is closed: ECONNREFUSED (IPv%d)', async (family) => {
      const address = wire.kernelAddress[family];
      const gone = await wire.kernel.listen(address, 0, {});
      await gone.close();
      const end = await wire.ours.connect(address, gone.port, {});
      expect((await end.closed()).events).toEqual(['ECONNREFUSED', 'close']);
    });

    test.each(FAMILIES)('ours is closed: ECONNREFUSED (IPv%d)', async (family) => {
      const address = wire.ourAddress[family];
      const gone = await wire.ours.listen(address, 0, {});
      await gone.close();
      const end = await wire.kernel.connect(address, gone.port, {});
      expect((await end.closed()).events).toEqual(['ECONNREFUSED', 'close']);
    });
  });
});

needs(hasNamespaces(), 'root and network namespaces')('our process is killed', () => {
  test.each([RAW_VETH, RAW_LOOPBACK])(
    'its guards go with it, and the kernel answers the peer with RST, $name',
    async ({ open }) => {
      const wire = await open();
      try {
        const plan: Plan = { end: 'told', stopAfter: 0 };
        const listener = await wire.ours.listen(wire.ourAddress[4], 0, plan);
        const peer = await wire.kernel.connect(wire.ourAddress[4], listener.port, {
          send: ENDLESS,
          end: 'told',
        });
        await listener.accepted(0);
        await wire.ours.script.kill();
        await peer.write('to a dead one');
        const { events } = await peer.closed();
        expect(events).toEqual(['connect', 'ECONNRESET', 'close']);
        const next = await wire.kernel.connect(wire.ourAddress[4], listener.port, {});
        expect((await next.closed()).events).toEqual(['ECONNREFUSED', 'close']);
      } finally {
        await wire.close();
      }
    },
  );
});

needs(hasNamespaces(), 'root and network namespaces')('the cable', () => {
  let wire: Wire;

  beforeAll(async () => {
    wire = await RAW_VETH.open();
    for (const namespace of [wire.oursIn, wire.kernelIn]) {
      // IPv4 keeps its addresses anyway.
      await namespace.run('sysctl', '-qw', 'net.ipv6.conf.all.keep_addr_on_down=1');
      for (const device of ['va', 'vb']) {
        const path = `net.ipv6.conf.${device}.keep_addr_on_down=1`;
        await namespace.run('sysctl', '-qw', '-e', path);
      }
    }
  });

  afterAll(() => wire.close());

  const CUTS = [
    { whose: "the peer's", device: 'vb' },
    { whose: 'our', device: 'va' },
  ] as const;

  describe.each(CUTS)('$whose interface is set down and up', ({ device }) => {
    describe.each(FAMILIES)('IPv%d', (family) => {
      test.each(['kernel to us', 'us to kernel'])('the transfer heals, %s', async (way) => {
        const toUs = way === 'kernel to us';
        const [sender, receiver] = toUs ? [wire.kernel, wire.ours] : [wire.ours, wire.kernel];
        const address = toUs ? wire.ourAddress[family] : wire.kernelAddress[family];
        const listener = await receiver.listen(address, 0, { end: 'peer', stopAfter: 4 * MIB });
        const sending = await sender.connect(address, listener.port, { send: CUT_BYTES });
        const receiving = await listener.accepted(0);
        await until(
          () => receiving.report(),
          ({ received }) => received >= 4 * MIB,
        );
        const namespace = device === 'va' ? wire.oursIn : wire.kernelIn;
        await namespace.run('ip', 'link', 'set', device, 'down');
        await receiving.resume();
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect((await receiving.report()).received).toBeLessThan(CUT_BYTES);
        await namespace.run('ip', 'link', 'set', device, 'up');
        const report = await receiving.closed();
        expect(report.digest).toBe(patternDigest(1, CUT_BYTES));
        expect((await sending.closed()).events).not.toContain('ETIMEDOUT');
        await listener.close();
      });
    });
  });
});

needs(canWire(), WIRE_NEEDS)('the device of a TUN is set down for a while', () => {
  test.each(['kernel to us', 'us to kernel'] as const)('%s: the transfer goes on', async (way) => {
    const wire = await TUN.open();
    try {
      const [from, to] =
        way === 'kernel to us' ? [wire.kernel, wire.ours] : [wire.ours, wire.kernel];
      const addresses = way === 'kernel to us' ? wire.ourAddress : wire.kernelAddress;
      const listener = await to.listen(addresses[4], 0, { end: 'peer' });
      const sending = await from.connect(addresses[4], listener.port, { send: TUN_BYTES });
      await sending.opened();
      await wire.oursIn.run('ip', 'link', 'set', 'nl0', 'down');
      await wire.oursIn.run('ip', 'link', 'set', 'nl0', 'up');
      const report = await (await listener.accepted(0)).closed();
      expect(report.digest).toBe(patternDigest(1, TUN_BYTES));
    } finally {
      await wire.close();
    }
  });
});

needs(canWire(), WIRE_NEEDS)('the device of a TUN is deleted', () => {
  test('open sockets get ENETDOWN, and the process lives', async () => {
    const wire = await TUN.open();
    try {
      const listener = await wire.kernel.listen(wire.kernelAddress[4], 0, { end: 'told' });
      const plan: Plan = { send: ENDLESS };
      const end = await wire.ours.connect(wire.kernelAddress[4], listener.port, plan);
      await end.opened();
      await wire.oursIn.run('ip', 'link', 'del', 'nl0');
      expect((await end.closed()).events).toEqual(['connect', 'ENETDOWN', 'close']);
      const after = await wire.ours.connect(wire.kernelAddress[4], listener.port, {});
      expect((await after.closed()).events).not.toContain('connect');
    } finally {
      await wire.close();
    }
  });
});

describe('local ports', () => {
  const SCARCE = [
    { ...RAW_VETH, options: { raw: { ports: { block: 2, max: 4 } } } },
    { ...RAW_LOOPBACK, options: { raw: { ports: { block: 2, max: 4 } } } },
    { ...TUN, options: { localPortRange: [40_000, 40_003] as [number, number] } },
  ];

  describe.each(SCARCE)('are used up, $name', ({ open, options }) => {
    needs(canWire(), WIRE_NEEDS)('of four', () => {
      test('EADDRNOTAVAIL; another peer, and a port that is free again, can be had', async () => {
        const wire = await open(options);
        try {
          const plan: Plan = { end: 'told' };
          const address = wire.kernelAddress[4];
          const listener = await wire.kernel.listen(address, 0, plan);
          const other = await wire.kernel.listen(address, 0, plan);
          const ends: End[] = [];
          for (let i = 0; i < 4; i++) {
            const end = await wire.ours.connect(address, listener.port, plan);
            expect((await end.opened()).events).toEqual(['connect']);
            ends.push(end);
          }
          const fifth = await wire.ours.connect(address, listener.port, plan);
          expect((await fifth.closed()).events).toEqual(['EADDRNOTAVAIL', 'close']);
          const elsewhere = await wire.ours.connect(address, other.port, plan);
          expect((await elsewhere.opened()).events).toEqual(['connect']);
          await ends[0].reset();
          await ends[0].closed();
          const again = await wire.ours.connect(address, listener.port, plan);
          expect((await again.opened()).events).toEqual(['connect']);
        } finally {
          await wire.close();
        }
      });
    });
  });

  needs(hasNamespaces(), 'root and network namespaces')('and the kernel', () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await RAW_LOOPBACK.open();
    });

    afterAll(() => wire.close());

    test.each(FAMILIES)(
      'what one has, the other does not get: EADDRINUSE (IPv%d)',
      async (family) => {
        const { kernel, ours, kernelAddress } = wire;
        const address = kernelAddress[family];
        const any = family === 4 ? '0.0.0.0' : '::';
        for (const [owner, other] of [
          [kernel, ours],
          [ours, kernel],
        ]) {
          const { port } = await owner.listen(address, 0, {});
          for (const where of [address, any]) {
            await expect(other.listen(where, port, {})).rejects.toMatchObject({
              code: 'EADDRINUSE',
              syscall: 'listen',
              port,
            });
          }
        }
      },
    );

    test.each(FAMILIES)(
      'a local port of the kernel is not ours: EADDRINUSE (IPv%d)',
      async (family) => {
        const { kernel, ours, kernelAddress } = wire;
        const address = kernelAddress[family];
        const listener = await kernel.listen(address, 0, { end: 'told' });
        const theirs = await kernel.connect(address, listener.port, { end: 'told' });
        const { localPort } = await theirs.opened();
        const end = await ours.connect(address, listener.port, { end: 'told' }, localPort);
        expect((await end.closed()).events).toEqual(['EADDRINUSE', 'close']);
      },
    );
  });
});

needs(hasNamespaces() && hasCommand('setpriv'), 'root, network namespaces and setpriv')(
  'without permission',
  () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await RAW_LOOPBACK.open();
    });

    afterAll(() => wire.close());

    test('a port below 1024: EACCES', async () => {
      const side = await Side.start(wire.oursIn, { link: 'raw' }, { via: asNobody('net_raw') });
      for (const address of ['127.0.0.1', '::1']) {
        await expect(side.listen(address, 80, {})).rejects.toMatchObject({
          code: 'EACCES',
          syscall: 'listen',
          address,
          port: 80,
        });
        const listener = await side.listen(address, 0, { echo: true });
        const end = await wire.kernel.connect(address, listener.port, { send: 100_000 });
        expect((await end.closed()).digest).toBe(patternDigest(1, 100_000));
      }
    });

    // /dev/net/tun may have a mode that refuses before capabilities count.
    test.each([
      ['raw', 'EPERM'],
      ['tun', accessToTun() ? 'EPERM' : 'EACCES'],
    ] as const)('%s: %s, and what helps', async (link, code) => {
      const error = await Side.start(wire.oursIn, { link }, { via: asNobody() }).catch(
        (reason: Error) => reason,
      );
      expect(error).toMatchObject({ code });
      expect((error as Error).message).toMatch(/: sudo (setcap cap_net_|chmod 0666)/);
    });
  },
);
