import { hasCommand, needs } from '../support/skip';
import { hasNamespaces } from '../support/netns';
import { transfer, WAYS } from './support/transfer';
import { FAMILIES, RAW_VETH, type Wire } from './support/wires';

const BYTES = (process.env.NETLAND_NIGHTLY === '1' ? 256 : 6) << 20;

/** Payload of a full segment over Ethernet at most, bytes. */
const MSS = 1460;

/** Switches of both interfaces of the cable (`ethtool -K`). */
const SETTINGS = [
  { ours: ['gro', 'on'], kernels: ['gro', 'on'] },
  { ours: ['gro', 'on'], kernels: ['gro', 'on', 'tso', 'off', 'gso', 'off'] },
  { ours: ['gro', 'on'], kernels: ['gro', 'on', 'tso', 'off', 'gso', 'off', 'tx', 'off'] },
  { ours: ['gro', 'off'], kernels: ['gro', 'off', 'tx', 'off'] },
];

needs(hasNamespaces() && hasCommand('ethtool'), 'root, network namespaces and ethtool')(
  'receivers with GRO, senders with and without offload',
  () => {
    let wire: Wire;

    beforeAll(async () => {
      wire = await RAW_VETH.open();
    });

    afterAll(() => wire.close());

    describe.each(SETTINGS)('ours: $ours, the kernel: $kernels', ({ ours, kernels }) => {
      beforeAll(async () => {
        await wire.oursIn.run('ethtool', '-K', 'va', ...ours);
        await wire.kernelIn.run('ethtool', '-K', 'vb', ...kernels);
      });

      describe.each(FAMILIES)('IPv%d', (family) => {
        test.each(WAYS)('%s', async (way) => {
          const before = await wire.ours.counters();
          await transfer(wire, family, way, BYTES);
          const after = await wire.ours.counters();
          for (const trouble of ['badChecksum', 'oversized', 'truncated', 'partialRefused']) {
            expect([trouble, after.link[trouble]]).toEqual([trouble, 0]);
          }
          if (way === 'us to kernel') return;
          const segments = after.link.received - before.link.received;
          const partial = after.link.partialChecksum - before.link.partialChecksum;
          if (ours.includes('on')) {
            // Whatever the sender did: merged segments carry the sum of the pseudo-header alone.
            expect(partial).toBeGreaterThan(0);
            expect(segments * MSS).toBeLessThan(BYTES);
          } else {
            expect(partial).toBe(0);
            expect(segments * MSS).toBeGreaterThan(BYTES);
          }
        });
      });
    });
  },
);
