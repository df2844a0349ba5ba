import { needs } from '../support/skip';
import { transfer, WAYS } from './support/transfer';
import { canWire, RAW_LOOPBACK, RAW_VETH, TUN, type Wire, WIRE_NEEDS } from './support/wires';

const MIB = 1 << 20;
const NIGHTLY = process.env.NETLAND_NIGHTLY === '1';

/** What a transfer of 100 MiB may take, ms. */
const LIMIT = 120_000;

/** Of 2 % a bit is flipped, 2 % are lost, 5 % are overtaken by one to three others, both ways. */
const ROUGH = {
  loss: 0.02,
  corrupt: 0.02,
  reorder: { probability: 0.05, by: [1, 3] as [number, number] },
};

/** MiB; a segment over loopback has up to 64 KiB. */
const KINDS = [
  { kind: RAW_VETH, family: 4 as const, seed: 7, size: NIGHTLY ? 100 : 4 },
  { kind: RAW_VETH, family: 6 as const, seed: 8, size: NIGHTLY ? 100 : 2 },
  { kind: RAW_LOOPBACK, family: 4 as const, seed: 9, size: NIGHTLY ? 256 : 32 },
  { kind: TUN, family: 6 as const, seed: 10, size: NIGHTLY ? 20 : 2 },
];

describe.each(KINDS)(
  '2 % lost, 2 % spoilt, 5 % out of order, $kind.name, IPv$family',
  ({ kind, family, seed, size }) => {
    needs(canWire(), WIRE_NEEDS)('against the kernel', () => {
      let wire: Wire;

      beforeAll(async () => {
        wire = await kind.open({ impair: { seed, ...ROUGH } });
      });

      afterAll(() => wire.close());

      test.each(WAYS)(
        `${size} MiB, %s`,
        async (way) => {
          const before = await wire.ours.counters();
          const { ours } = await transfer(wire, family, way, size * MIB);
          const after = await wire.ours.counters();
          const passed = (name: string) => (after.link[name] ?? 0) - (before.link[name] ?? 0);
          const side = way === 'kernel to us' ? 'in' : 'out';
          const again = after.TcpRetransSegs - before.TcpRetransSegs;
          const losses =
            `lost ${passed(`${side}Lost`)}, spoilt ${passed(`${side}Corrupted`)}, ` +
            `held back ${passed(`${side}Reordered`)}`;
          process.stdout.write(
            `${kind.name}, IPv${family}, ${size} MiB ${way}: ${ours.ms / 1000} s, ` +
              `${losses}, sent again by us ${again}\n`,
          );
          expect(ours.ms).toBeLessThan(LIMIT);
          expect(passed(`${side}Lost`)).toBeGreaterThan(0);
          expect(passed(`${side}Corrupted`)).toBeGreaterThan(0);
          expect(passed(`${side}Reordered`)).toBeGreaterThan(0);
          const found = after.TcpInCsumErrors - before.TcpInCsumErrors;
          if (way === 'kernel to us') expect(found).toBeGreaterThan(0);
          if (way === 'us to kernel') expect(again).toBeGreaterThan(0);
        },
        LIMIT + 30_000,
      );
    });
  },
);
