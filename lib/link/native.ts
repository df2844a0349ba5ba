import { join } from 'node:path';
import load from 'node-gyp-build';

/** Events that a device tells; the same numbers as in native/addon/device.h. */
export const enum DeviceEvent {
  /** So many descriptors are in the words. */
  Receive = 0,
  /** After `transmit` has said 1: there is room again. */
  Writable = 1,
  /** The device is gone; the value is the errno. */
  Down = 2,
}

/** How a port guard stays silent; the same numbers as in native/device/port_guard.h. */
export const enum GuardForm {
  Filter = 1,
  Md5 = 2,
  /** UDP's: a filter, which needs no privilege there. */
  Datagram = 3,
}

/** What a filter is for. */
export const enum FilterKind {
  Tcp = 0,
  /** ICMP errors. */
  Quotes = 1,
  Udp = 2,
}

/** Words of a row of `setPorts`: family, first port, last port, address (a wildcard: every one). */
export const PORT_RANGE_WORDS = 7;

/** Memory that a device receives into, and whom it tells. */
export interface DeviceOptions {
  slab: Uint8Array;
  slabIndex: number;
  /** Bytes from one slot to the next, at least the addon's `slotRoom`; 0: packets lie one behind
   * the other, a batch ends where there is no such room left. */
  slotSize: number;
  /** Packets in one batch, 1 to 1024. */
  slots: number;
  /** Descriptors of a batch. */
  words: Int32Array;
  hashKey: Int32Array;
  /** One place for each of the addon's `counterNames`. */
  counters: Float64Array;
  raw: boolean;
  onEvent(event: DeviceEvent, value: number): void;
}

/** Raw sockets or a TUN descriptor on the event loop. Results below 0 are minus the errno. */
export interface NativeDevice {
  /** Opens the raw sockets of a family, for TCP and for the ICMP errors about it, through an
   * interface if one is named. */
  openRaw(family: 4 | 6, device: string): number;
  /** Makes or attaches to a TUN device, or takes over a descriptor of one; its name, and whether
   * there is offload. */
  openTun(device: string | number, offload: boolean): [string, boolean] | number;
  /** Opens a packet socket on an Ethernet interface for a host with that hardware address: 16 bits,
   * unsigned, and 32. Wants slots of a size. */
  openPacket(interfaceIndex: number, own: Int32Array, offload: boolean): number;
  /** Opens the raw socket that datagrams of a family come in through, unless it is open; behind
   * `openRaw`. */
  openDatagrams(family: 4 | 6, device: string): number;
  /** Lets what raw sockets would send leave through a packet socket, where the kernel knows the
   * next hop's hardware address; behind `openRaw`.
   * @param interfaceIndex through which everything goes; 0: any */
  openFrames(interfaceIndex: number): number;
  /** Lets in TCP, or UDP, to these ports of both families, and ICMP errors about what was sent from
   * them; sets the filters of one family. */
  setPorts(rows: Int32Array, family: 4 | 6, protocol: 6 | 17): number;
  /** Interfaces that partial checksums are taken from; null: all. */
  allowPartial(interfaces: Int32Array | null): void;
  /** Pairs of interface index and packets that had a partial checksum. */
  partialSeen(): number[];
  addSlab(index: number, slab: Uint8Array): void;
  /** 0: all is on its way; 1: some had to wait. */
  transmit(words: Int32Array, slices: Int32Array, count: number): number;
  keepAlive(alive: boolean): void;
  /** @param keepDescriptors whether what it reads from stays open, for somebody else */
  close(keepDescriptors?: boolean): void;
}

/** Port guards by number. Results below 0 are minus the errno. */
export interface NativePortGuards {
  open(address: Int32Array, port: number): number;
  /** Guards consecutive ports; each place of `out` gets the guard's number or minus the errno. */
  openRange(address: Int32Array, first: number, out: Int32Array): void;
  /** A socket that is in a multicast group on the interface of that index, 0: the system's choice;
   * it is closed like a guard. */
  join(group: Int32Array, interfaceIndex: number): number;
  close(guard: number): void;
  closeAll(): void;
}

/** What an address is to the host; the same numbers as in native/device/netlink.h. */
export const enum AddressKind {
  Foreign = 0,
  Local = 1,
  Broadcast = 2,
}

/** The kernel's routes. Results below 0 are minus the errno. */
export interface NativeRoutes {
  /** Words: remote (4), local (4; becomes the source), MTU. */
  find(words: Int32Array, fromLocal: boolean): number;
  /** Whether packets to the address are for this host, or for all hosts of a network of it. */
  kindOf(address: Int32Array): AddressKind;
  /** Index of the interface that has the address; 0: none has. */
  interfaceOf(address: Int32Array): number;
  close(): void;
}

/** Tells of links, addresses and routes that change. */
export interface NativeMonitor {
  open(): number;
  close(): void;
}

type Table = Record<string, number>;

/** What native/addon exports. Results below 0 are minus the errno. */
export interface NativeAddon {
  Device: new (options: DeviceOptions) => NativeDevice;
  PortGuards: new (form: GuardForm, device: string) => NativePortGuards;
  Routes: new (device: string) => NativeRoutes;
  Monitor: new (onChange: () => void) => NativeMonitor;

  /** Whether a form of guard works here: 0; -EPROTO when the kernel answered all the same. */
  probeGuard(family: 4 | 6, form: GuardForm): number;
  /** 0 when there is none. */
  interfaceIndex(name: string): number;
  /** '' when there is none. */
  interfaceName(index: number): string;
  interfaceMtu(name: string): number;
  interfaceIsUp(name: string): number;
  /** Sets an interface up, and its MTU unless that is 0. */
  setUpInterface(name: string, mtu: number): number;
  addAddress(name: string, address: Int32Array, prefixLength: number): number;
  /** A route to a network through an interface; one that is there already is fine. */
  addRoute(name: string, network: Int32Array, prefixLength: number): number;
  /** File descriptors that this process may have. */
  descriptorLimit(): number;
  /**
   * Requests that this thread's event loop has under way: files, name look-ups, the thread pool
   * (zlib, crypto), connects and writes of real sockets. An addon of version 0.1.0 lacks it.
   */
  activeRequests?(): number;

  counterNames: readonly string[];
  slotRoom: number;
  layout: Record<
    | 'Word'
    | 'IcmpWord'
    | 'BuildWord'
    | 'ArpWord'
    | 'Checksum'
    | 'Direction'
    | 'Flag'
    | 'Option'
    | 'IpProtocol'
    | 'limits'
    | 'ParseResult',
    Table
  >;
  /** Packets are pairs of offset and length; each place of `results` gets a ParseResult. */
  parseMany(
    slab: Uint8Array,
    slabIndex: number,
    packets: Int32Array,
    hashKey: Int32Array,
    words: Int32Array,
    results: Int32Array,
  ): void;
  /**
   * The same of frames: each place of `kinds` gets a FrameKind.
   * @param own hardware address: 16 bits, unsigned, and 32
   */
  parseFrames(
    slab: Uint8Array,
    slabIndex: number,
    frames: Int32Array,
    hashKey: Int32Array,
    own: Int32Array,
    words: Int32Array,
    results: Int32Array,
    kinds: Int32Array,
  ): void;
  /** For each descriptor the header of its frame, and the ARP packet that it would be. */
  buildFrames(words: Int32Array, own: Int32Array, out: Uint8Array): void;
  /**
   * Builds packets, or their fragments one behind the other, into `out`, `room` bytes for each;
   * each place of `lengths` gets the bytes, or 0.
   */
  buildMany(
    words: Int32Array,
    slices: Int32Array,
    slabs: readonly Uint8Array[],
    out: Uint8Array,
    room: number,
    lengths: Int32Array,
  ): void;
  /** One's complement sum. */
  sum(bytes: Uint8Array): number;
  /** Writes the hash of each descriptor. */
  hashMany(hashKey: Int32Array, words: Int32Array): void;
  /**
   * Classic BPF, four numbers for each instruction; null for rows that are no ranges.
   * @param udp beside TCP's ports UDP's, for the socket that ICMP errors come to
   */
  filterProgram(
    rows: Int32Array,
    family: 4 | 6,
    kind?: FilterKind,
    udp?: Int32Array,
  ): number[] | null;
}

/** The addon, or why there is none. */
export type Native =
  { readonly addon: NativeAddon; readonly reason: null } | { addon: null; readonly reason: string };

/** From lib/link and from dist/link alike. */
const PACKAGE = join(__dirname, '../..');

let loaded: Native | null = null;

/**
 * The native addon: prebuilt, or built on this machine. Never throws. With NETLAND_NATIVE=0 in the
 * environment there is none: the package does what it can in TypeScript alone.
 */
export function loadNative(): Native {
  if (process.env.NETLAND_NATIVE === '0') {
    return { addon: null, reason: 'NETLAND_NATIVE=0 is set' };
  }
  loaded ??= tryLoad();
  return loaded;
}

function tryLoad(): Native {
  if (process.platform !== 'linux') {
    return { addon: null, reason: `it is for Linux, and this is ${process.platform}` };
  }
  try {
    return { addon: load<NativeAddon>(PACKAGE), reason: null };
  } catch (error) {
    return { addon: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * The addon for a link that can't do without.
 * @throws Error ERR_NETLAND_NO_NATIVE with the remedy
 */
export function requireNative(what: string): NativeAddon {
  const native = loadNative();
  if (native.addon !== null) return native.addon;
  const message =
    `${what} needs Netland's native addon, which isn't there (${native.reason.trim()}). ` +
    'With g++, make and python3 installed, `npm rebuild netland` builds it.';
  throw Object.assign(new Error(message), { code: 'ERR_NETLAND_NO_NATIVE' });
}
