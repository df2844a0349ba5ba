import fc from 'fast-check';
import {
  BlockPool,
  LARGE_BLOCK,
  POOL_SLAB,
  SMALL_BLOCK,
} from '../../../lib/core/memory/block-pool';
import { SlabTable } from '../../../lib/core/memory/slabs';

function pool() {
  const slabs = new SlabTable();
  const allocated: number[] = [];
  const blocks = new BlockPool(slabs, (bytes) => {
    allocated.push(bytes);
    return new Uint8Array(bytes);
  });
  return { slabs, allocated, blocks };
}

describe('BlockPool', () => {
  test('allocates nothing until a block is taken, then a slab', () => {
    const { slabs, allocated, blocks } = pool();
    expect(blocks.size).toBe(0);
    slabs.add(new Uint8Array(1));
    const block = blocks.takeSmall();
    expect(allocated).toEqual([POOL_SLAB]);
    expect(blocks.slabOf(block)).toBe(1);
    expect(blocks.bytesOf(block)).toBe(slabs.slabs[1]);
    expect([blocks.sizeOf(block), blocks.used]).toEqual([SMALL_BLOCK, SMALL_BLOCK]);
  });

  test('a large block whose small ones have come back is whole again', () => {
    const { allocated, blocks } = pool();
    for (let round = 0; round < 3; round++) {
      const smalls = Array.from({ length: POOL_SLAB / SMALL_BLOCK }, () => blocks.takeSmall());
      smalls.forEach((block) => blocks.free(block));
      const larges = Array.from({ length: POOL_SLAB / LARGE_BLOCK }, () => blocks.takeLarge());
      larges.forEach((block) => blocks.free(block));
    }
    expect(allocated).toHaveLength(1);
    expect(blocks.used).toBe(0);
  });

  test('blocks that are out never overlap, and keep their links', () => {
    const operation = fc.record({
      large: fc.nat(9).map((n) => n === 0),
      free: fc.nat(9),
      pick: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 700, size: 'max' }), (operations) => {
        const { blocks } = pool();
        const out: { handle: number; link: number }[] = [];
        // Which block holds each 2 KiB of each slab.
        const owners = new Map<string, number>();
        const units = (handle: number) =>
          Array.from({ length: blocks.sizeOf(handle) / SMALL_BLOCK }, (_, i) =>
            [blocks.slabOf(handle), blocks.offsetOf(handle) / SMALL_BLOCK + i].join(),
          );
        let used = 0;
        for (const [i, { large, free, pick }] of operations.entries()) {
          // By turns more and fewer are out: enough for several large ones that are divided.
          const isFreed = free < (i % 250 < 150 ? 2 : 8);
          if (isFreed && out.length > 0) {
            const [{ handle, link }] = out.splice(pick % out.length, 1);
            expect(blocks.linkOf(handle)).toBe(link);
            units(handle).forEach((unit) => owners.delete(unit));
            used -= blocks.sizeOf(handle);
            blocks.free(handle);
          } else {
            const handle = large ? blocks.takeLarge() : blocks.takeSmall();
            expect(blocks.sizeOf(handle)).toBe(large ? LARGE_BLOCK : SMALL_BLOCK);
            expect(blocks.offsetOf(handle) + blocks.sizeOf(handle)).toBeLessThanOrEqual(POOL_SLAB);
            for (const unit of units(handle)) {
              expect(owners.has(unit)).toBe(false);
              owners.set(unit, handle);
            }
            blocks.setLink(handle, pick);
            out.push({ handle, link: pick });
            used += blocks.sizeOf(handle);
          }
          expect(blocks.used).toBe(used);
        }
      }),
      { numRuns: 10 },
    );
  });
});
