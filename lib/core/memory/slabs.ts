/**
 * The slabs that descriptors and slices point into: one table for each stack, shared with its link.
 * An index, once given, keeps its meaning as long as the stack lives.
 */
export class SlabTable {
  readonly slabs: Uint8Array[] = [];
  /** Told of each slab that is added later; a native link registers its memory here. */
  onAdd: ((index: number, slab: Uint8Array) => void) | null = null;

  add(slab: Uint8Array): number {
    const index = this.slabs.push(slab) - 1;
    this.onAdd?.(index, slab);
    return index;
  }
}
