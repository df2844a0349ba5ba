import type { SegmentBatch } from '../core/segment/batch';
import type { SlabTable } from '../core/memory/slabs';
import type { GroupAuthority, Paths, PortAuthority, Random } from '../core/environment';

/** What a link tells the stack above it. Every call is made from the event loop, never reentrantly
 * from `transmit`. */
export interface LinkHost {
  /** Packets have arrived. The batch and the bytes behind it belong to the link again on return. */
  receive(batch: SegmentBatch): void;
  /** After `transmit` has returned false: there is room again. */
  writable(): void;
  /** Addresses, routes or MTUs may be others than before. */
  changed(): void;
  /** The link is gone (device deleted, interface down for good): nothing passes any more. */
  down(error: Error): void;
}

/** What a link is given when a stack opens it. */
export interface LinkContext {
  host: LinkHost;
  /** Slabs that descriptors and slices point into; the link adds those it receives into. */
  slabs: SlabTable;
  /** 64-bit key of the four-tuple hash, two words: every received descriptor carries the hash. */
  hashKey: Int32Array;
  /** The stack's own addresses as CIDR text; empty where the link knows them (raw). */
  addresses: readonly string[];
  /** Every other address is the stack's, too. */
  anyAddress?: boolean;
  /** The stack's, where it has one of its own (a seed). */
  random?: Random;
}

/** Counters of a link by name; each counts packets. */
export type LinkCounters = Record<string, number>;

/** One end of something that carries IP packets, opened. */
export interface LinkPort {
  readonly name: string;
  /** Largest IP packet that can be sent, bytes; it may change (`LinkHost.changed`). */
  readonly mtu: number;
  /** Largest super-segment's payload that `transmit` takes, bytes; 0 where it takes none. */
  readonly gsoMax: number;
  /** Given where the link itself knows addresses and routes (raw: the host's). */
  readonly paths?: Paths;
  /** Given where ports are shared with someone else (raw: the kernel). */
  readonly ports?: PortAuthority;
  /** The same for UDP; `ports` are TCP's alone then. */
  readonly udpPorts?: PortAuthority;
  /** Given where the system joins multicast groups (raw), and tells the routers of them. */
  readonly groups?: GroupAuthority;
  /** Given where packets leave in frames, and next hops have to be resolved: ours, six bytes. */
  readonly hardwareAddress?: Uint8Array;
  /** There: whether IPv6 addresses and routes are taken from routers. */
  readonly autoconf?: boolean;
  /** Whether it can send, where that changes (`LinkHost.changed`). */
  readonly isUp?: boolean;
  readonly counters: LinkCounters;
  /**
   * Sends every descriptor of the batch, in order. All are taken: what can't leave now is kept (the
   * bytes copied) or dropped and counted. False: ask for no more until `writable`.
   */
  transmit(batch: SegmentBatch): boolean;
  /** Whether the port keeps the process alive. */
  ref(): void;
  unref(): void;
  /** Frees everything. No call to the host follows. */
  close(): void;
}

/** A link as the program makes it, to be given to `Stack.open`. */
export interface Link {
  readonly kind: 'memory' | 'tun' | 'raw' | 'stream' | 'packet';
  /** Opens a port for one stack. Rejects with Node's errors (EPERM with its remedy, …). */
  open(context: LinkContext): Promise<LinkPort>;
}
