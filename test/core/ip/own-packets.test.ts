import { MAX_OWN_BYTES, MAX_OWN_PACKETS, OwnPackets } from '../../../lib/core/ip/own-packets';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { Direction, SLICE_WORDS, Word } from '../../../lib/core/segment/layout';
import { Counters } from '../../../lib/core/stack/counters';
import { DatagramHost, ip, say } from '../../support/datagrams';

class Lab {
  readonly slabs = new SlabTable();
  readonly counters = new Counters();
  readonly own = new OwnPackets(this.slabs, (bytes) => new Uint8Array(bytes), this.counters);

  /** Adds a packet of that length, all of whose bytes are `value`; whether there was room. */
  push(length: number, value: number): boolean {
    const base = this.own.push(length);
    if (base < 0) return false;
    this.own.words[base + Word.Protocol] = value;
    const bytes = new Uint8Array(length).fill(value);
    const half = length >> 1;
    this.own.append(bytes, 0, half);
    this.own.append(bytes, half, length - half);
    return true;
  }

  /** Protocol, length and payload of each packet of the batch. */
  take(capacity: number): [number, number, boolean][] {
    const batch = new SegmentBatch(capacity);
    this.own.transmit(batch);
    return Array.from({ length: batch.count }, (_, i) => {
      const { words, slices } = batch;
      const base = batch.base(i);
      const value = words[base + Word.Protocol];
      let length = 0;
      let right = words[base + Word.Direction] === (Direction.Out as number);
      for (let k = 0; k < words[base + Word.SliceCount]; k++) {
        const at = batch.sliceBase(base) + k * SLICE_WORDS;
        const slab = this.slabs.slabs[slices[at]];
        const part = slab.subarray(slices[at + 1], slices[at + 1] + slices[at + 2]);
        right &&= part.every((byte) => byte === value);
        length += part.length;
      }
      return [value, length, right && length === words[base + Word.PayloadLength]];
    });
  }
}

describe('packets that the stack itself sends', () => {
  test('leave whole, in their order, as far as a batch has room', () => {
    const lab = new Lab();
    const lengths = [0, 1, 2048, 2049, 16_384, 16_385, 65_535];
    for (const [i, length] of lengths.entries()) expect(lab.push(length, i)).toBe(true);
    const expected = lengths.map((length, i) => [i, length, true]);
    expect(lab.take(3)).toEqual(expected.slice(0, 3));
    expect(lab.push(7, 7)).toBe(true);
    expect(lab.take(9)).toEqual([...expected.slice(3), [7, 7, true]]);
    expect(lab.own.count).toBe(0);
  });

  test('are dropped, and counted, where too many wait, or too much', () => {
    const many = new Lab();
    for (let i = 0; i < MAX_OWN_PACKETS; i++) expect(many.push(0, 1)).toBe(true);
    expect(many.push(0, 1)).toBe(false);
    expect(many.counters.NetlandOwnPacketDrops).toBe(1);
    const much = new Lab();
    let taken = 0;
    while (much.push(65_535, 1)) taken++;
    expect(taken).toBe(MAX_OWN_BYTES / 65_536);
    expect(much.slabs.slabs.map(({ length }) => length)).toEqual([MAX_OWN_BYTES]);
    // There is room again when some have left.
    much.take(1);
    expect(much.push(65_535, 1)).toBe(true);
    expect(much.counters.NetlandOwnPacketDrops).toBe(1);
  });

  test('leave before everything else', () => {
    const host = new DatagramHost({ batch: 1 });
    const socket = host.socket(4, '10.0.0.1', 1000);
    expect(say(socket, 'later', '10.0.0.9', 9)).toBe(5);
    const { ownPackets } = host.core;
    const base = ownPackets.push(0);
    ownPackets.words[base + Word.Family] = 4;
    ownPackets.words[base + Word.Protocol] = 2;
    ownPackets.words[base + Word.Destination + 3] = ip('10.0.0.9').w3;
    expect(host.flush().map(({ words }) => words[Word.Protocol])).toEqual([2, 17]);
    expect(host.core.hasOutput).toBe(false);
  });
});
