import { SegmentBatch } from '../core/segment/batch';
import { IpProtocol, MAX_SLICES, SLICE_WORDS, Word } from '../core/segment/layout';
import type { AddressPaths } from '../core/ip/paths';
import type { LinkCounters, LinkPort } from '../link/link';

/** Words of one descriptor's slices. */
const SLICES = MAX_SLICES * SLICE_WORDS;

/** A wire with a loopback beside it: what goes to an own address doesn't leave the stack. */
export class LoopbackSwitch implements LinkPort {
  readonly name: string;
  readonly gsoMax: number;
  readonly #inside: SegmentBatch;
  readonly #outside: SegmentBatch;

  /** @param capacity of the batches that come, descriptors */
  constructor(
    private readonly wire: LinkPort,
    private readonly loopback: LinkPort,
    private readonly own: Pick<AddressPaths, 'isLocalAt'>,
    capacity: number,
  ) {
    this.name = wire.name;
    // The loopback takes a super-segment as a packet: its MTU is that of Linux's `lo`.
    this.gsoMax = wire.gsoMax;
    this.#inside = new SegmentBatch(capacity);
    this.#outside = new SegmentBatch(capacity);
  }

  get mtu(): number {
    return this.wire.mtu;
  }

  get isUp(): boolean | undefined {
    return this.wire.isUp;
  }

  get counters(): LinkCounters {
    return this.wire.counters;
  }

  transmit(batch: SegmentBatch): boolean {
    const inside = this.#inside;
    const outside = this.#outside;
    inside.count = 0;
    outside.count = 0;
    let foreign = 0;
    while (foreign < batch.count && !this.#isLocal(batch, foreign)) foreign++;
    if (foreign === batch.count) return this.wire.transmit(batch);
    for (let index = 0; index < batch.count; index++) {
      const local = index >= foreign && this.#isLocal(batch, index);
      copyDescriptor(batch, index, local ? inside : outside);
    }
    const looped = this.loopback.transmit(inside);
    return outside.count === 0 ? looped : this.wire.transmit(outside) && looped;
  }

  /** What ARP says of an own address is for others. */
  #isLocal(batch: SegmentBatch, index: number): boolean {
    const { words } = batch;
    const base = batch.base(index);
    if (!this.own.isLocalAt(words, base + Word.Destination)) return false;
    return words[base + Word.Protocol] !== (IpProtocol.Arp as number);
  }

  ref(): void {
    this.wire.ref();
    this.loopback.ref();
  }

  unref(): void {
    this.wire.unref();
    this.loopback.unref();
  }

  close(): void {
    this.wire.close();
    this.loopback.close();
  }
}

function copyDescriptor(from: SegmentBatch, index: number, to: SegmentBatch): void {
  const source = from.base(index);
  const target = to.push();
  to.words.set(from.words.subarray(source, source + Word.Stride), target);
  const slices = from.sliceBase(source);
  to.slices.set(from.slices.subarray(slices, slices + SLICES), to.sliceBase(target));
}
