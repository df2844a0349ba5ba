import * as timers from 'node:timers';
import type { SlabTable } from '../core/memory/slabs';
import { SegmentBatch } from '../core/segment/batch';
import type { LinkContext, LinkCounters, LinkHost } from './link';
import { DeviceEvent, type NativeAddon, type NativeDevice } from './native';
import { failedCall } from '../errors';

// Taken at import, so that fake timers that are installed later don't reach the links.
const { setImmediate } = timers;

/** Packets received in one batch. */
const SLOTS = 64;

/** Where packets lie one behind the other: room for some of 64 KiB, which caches can hold. */
const DENSE_SLAB = 1024 * 1024;

/** Slots start at different places of their pages, or all headers would share a few cache lines. */
const SLOT_STAGGER = 64 * 9;
const PAGE = 4096;

/** A native device as a link's port uses it: memory, descriptors, counters and events. */
export class DevicePort {
  readonly device: NativeDevice;
  private readonly host: LinkHost;
  private readonly values: Float64Array;
  private readonly names: readonly string[];
  private readonly batch = new SegmentBatch(SLOTS);
  private readonly unhook: () => void;
  private closed = false;
  private down = false;

  constructor(addon: NativeAddon, context: LinkContext, raw: boolean, slotted = raw) {
    this.host = context.host;
    this.names = addon.counterNames;
    this.values = new Float64Array(this.names.length);
    const slotSize = slotted ? Math.ceil(addon.slotRoom / PAGE) * PAGE + SLOT_STAGGER : 0;
    // The system gives its pages when packets first touch them.
    const slab = new Uint8Array(slotted ? SLOTS * slotSize : DENSE_SLAB);
    this.device = new addon.Device({
      slab,
      slabIndex: context.slabs.add(slab),
      slotSize,
      slots: SLOTS,
      words: this.batch.words,
      hashKey: context.hashKey,
      counters: this.values,
      raw,
      onEvent: (event, value) => this.onEvent(event, value),
    });
    this.unhook = registerSlabs(context.slabs, this.device);
  }

  /** Packets by what became of them. */
  counters(): LinkCounters {
    const counters: LinkCounters = {};
    this.names.forEach((name, index) => {
      // `received` says the same.
      if (name !== 'ok') counters[name] = this.values[index];
    });
    return counters;
  }

  transmit(batch: SegmentBatch): boolean {
    if (this.closed || this.down) return true;
    const result = this.device.transmit(batch.words, batch.slices, batch.count);
    if (result < 0) {
      this.down = true;
      // Never from within transmit.
      setImmediate(() => this.goDown(-result));
    }
    return result !== 1;
  }

  /** @param keepDescriptor whether the device's descriptor stays open */
  close(keepDescriptor = false): void {
    if (this.closed) return;
    this.closed = true;
    this.unhook();
    this.device.close(keepDescriptor);
  }

  private onEvent(event: DeviceEvent, value: number): void {
    if (this.closed) return;
    switch (event) {
      case DeviceEvent.Receive:
        this.batch.count = value;
        this.host.receive(this.batch);
        return;
      case DeviceEvent.Writable:
        this.host.writable();
        return;
      case DeviceEvent.Down:
        if (this.down) return;
        this.down = true;
        this.goDown(value);
        return;
    }
  }

  private goDown(errno: number): void {
    if (this.closed) return;
    this.close();
    this.host.down(failedCall(errno, 'read', 'the device is gone'));
  }
}

/** What the ports of links on a native device have in common. */
export class NativePort {
  constructor(protected readonly io: DevicePort) {}

  /** Packets by what became of them. */
  get counters(): LinkCounters {
    return this.io.counters();
  }

  transmit(batch: SegmentBatch): boolean {
    return this.io.transmit(batch);
  }

  ref(): void {
    this.io.device.keepAlive(true);
  }

  unref(): void {
    this.io.device.keepAlive(false);
  }

  close(): void {
    this.io.close();
  }
}

/** Tells the device of all slabs, now and later; the result ends that. */
function registerSlabs(slabs: SlabTable, device: NativeDevice): () => void {
  slabs.slabs.forEach((slab, index) => device.addSlab(index, slab));
  const before = slabs.onAdd;
  let active = true;
  const onAdd = (index: number, slab: Uint8Array): void => {
    before?.(index, slab);
    if (active) device.addSlab(index, slab);
  };
  slabs.onAdd = onAdd;
  return () => {
    active = false;
    if (slabs.onAdd === onAdd) slabs.onAdd = before;
  };
}
