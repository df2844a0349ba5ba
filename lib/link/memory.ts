import { largestPacket, packetCount } from '../codec/fragment';
import { ParseResult, RESULT_COUNTERS } from '../codec/result';
import { isIpv4, isLoopback, isMulticast, parsePrefix, readAddress } from '../core/ip/address';
import { SegmentBatch } from '../core/segment/batch';
import { Word } from '../core/segment/layout';
import type { Link, LinkContext, LinkCounters, LinkHost, LinkPort } from './link';
import { PacketQueue } from './packet-queue';
import { Turn } from './turn';
import { invalidArgValue } from '../errors';
import { checkInteger } from './validate';

export interface MemoryLinkOptions {
  /** Largest IP packet, 68 to 65536 bytes. Default: 65536, as that of Linux's `lo`. */
  mtu?: number;
}

const MIN_MTU = 68;
const MAX_MTU = 65_536;
/** Packets handed over in one call. */
const BATCH = 64;
/** Memory for packets on their way to one port, bytes. */
const QUEUE_LIMIT = 8 * 1024 * 1024;
/** With more bytes than this on their way to a port, those who send to it are told to wait … */
const HIGH_WATER = 1024 * 1024;
/** … until there are no more than this. */
const LOW_WATER = 256 * 1024;

/**
 * A wire inside the process. Every stack that opens it has a port on it, and gets what is sent to
 * its addresses: the exact ones, and of a loopback address its whole prefix (127.0.0.1/8). What a
 * stack sends to its own addresses comes back to it alone; what is for a group, or for all hosts of
 * the link or of their network, goes to every other stack that it is for; what nobody owns goes to
 * another stack with `anyAddress`, or is counted (`undeliverable`).
 *
 * Packets are real bytes, built and parsed again, and arrive in order in a later turn of the event
 * loop. With more than 1 MiB on its way to a stack the senders have to wait; beyond 8 MiB packets
 * are dropped (`dropped`).
 *
 * @throws RangeError ERR_OUT_OF_RANGE for a wrong MTU
 */
export function memoryLink(options: MemoryLinkOptions = {}): Link {
  const mtu = options.mtu ?? MAX_MTU;
  checkInteger('mtu', mtu, MIN_MTU, MAX_MTU);
  const wire = new Wire(mtu);
  return { kind: 'memory', open: async (context) => wire.open(context) };
}

class Wire {
  readonly ports: MemoryPort[] = [];
  private opened = 0;

  constructor(readonly mtu: number) {}

  open(context: LinkContext): LinkPort {
    const owned = new OwnedAddresses(context.addresses);
    const port = new MemoryPort(this, `memory${this.opened++}`, owned, context);
    this.ports.push(port);
    return port;
  }

  remove(port: MemoryPort): void {
    this.ports.splice(this.ports.indexOf(port), 1);
  }
}

/** The addresses of a port, five words each: an address and the mask of its last word. */
class OwnedAddresses {
  private readonly entries: Int32Array;
  /** The last address of each IPv4 network. */
  private readonly broadcasts: readonly number[];

  /** @throws TypeError ERR_INVALID_ARG_VALUE */
  constructor(texts: readonly string[]) {
    const prefixes = texts.map((text) => {
      const prefix = parsePrefix(text);
      if (prefix === null) throw invalidArgValue('options.addresses', text);
      return prefix;
    });
    this.broadcasts = prefixes
      .filter(({ address, length }) => isIpv4(address) && length > 96 && length < 127)
      .map(({ address, length }) => address.w3 | (-1 >>> (length - 96)));
    const entries = prefixes.map(({ address, length }) => {
      const whole = isIpv4(address) && isLoopback(address) && length >= 96 && length < 128;
      const mask = whole ? ~((2 ** (128 - length) - 1) | 0) : -1;
      return [address.w0, address.w1, address.w2, address.w3 & mask, mask];
    });
    this.entries = Int32Array.from(entries.flat());
  }

  hasDestination(words: Int32Array, base: number): boolean {
    const { entries } = this;
    const at = base + Word.Destination;
    for (let i = 0; i < entries.length; i += 5) {
      const same =
        (words[at + 3] & entries[i + 4]) === entries[i + 3] &&
        words[at + 2] === entries[i + 2] &&
        words[at + 1] === entries[i + 1] &&
        words[at] === entries[i];
      if (same) return true;
    }
    return false;
  }

  /** Whether it is for the hosts of a network that these addresses are in. */
  hasBroadcast(words: Int32Array, base: number): boolean {
    const at = base + Word.Destination;
    if (words[at + 2] !== 0xffff || words[at + 1] !== 0 || words[at] !== 0) return false;
    return words[at + 3] === -1 || this.broadcasts.includes(words[at + 3]);
  }
}

class MemoryPort implements LinkPort {
  readonly gsoMax = 0;
  readonly mtu: number;
  readonly counters: LinkCounters = {
    sent: 0,
    received: 0,
    undeliverable: 0,
    tooBig: 0,
    invalid: 0,
    dropped: 0,
  };
  private readonly host: LinkHost;
  private readonly inbound: PacketQueue;
  private readonly batch = new SegmentBatch(BATCH);
  private readonly turn = new Turn(() => this.run());
  private closed = false;
  /** Ports that wait until there is less on its way to this one. */
  private waiting: MemoryPort[] = [];
  /** Ports that this one waits for. */
  private awaited = 0;
  private tellWritable = false;

  constructor(
    private readonly wire: Wire,
    readonly name: string,
    private readonly owned: OwnedAddresses,
    private readonly context: LinkContext,
  ) {
    this.mtu = wire.mtu;
    this.host = context.host;
    this.inbound = new PacketQueue(context.slabs, QUEUE_LIMIT);
  }

  transmit(batch: SegmentBatch): boolean {
    for (let i = 0; i < batch.count; i++) this.send(batch, batch.base(i));
    return this.awaited === 0;
  }

  ref(): void {
    this.turn.ref();
  }

  unref(): void {
    this.turn.unref();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.turn.cancel();
    this.wire.remove(this);
    this.wake();
  }

  private send(batch: SegmentBatch, base: number): void {
    const count = packetCount(batch.words, base);
    if (count === 0) {
      this.counters.invalid++;
      return;
    }
    if (largestPacket(batch.words, base) > this.mtu) {
      this.counters.tooBig++;
      return;
    }
    this.counters.sent += count;
    if (this.owned.hasDestination(batch.words, base)) {
      this.deliver(this, batch, base);
      return;
    }
    let found = false;
    for (const port of this.wire.ports) {
      if (!port.owned.hasDestination(batch.words, base)) continue;
      found = true;
      this.deliver(port, batch, base);
    }
    if (!found && !this.sendToMany(batch, base)) this.sendAbroad(batch, base);
  }

  /** What is for a group or a broadcast address; false if it isn't, or is for nobody. */
  private sendToMany(batch: SegmentBatch, base: number): boolean {
    const { words } = batch;
    const isGroup = isMulticast(readAddress(words, base + Word.Destination));
    let found = false;
    for (const port of this.wire.ports) {
      if (port === this || !(isGroup || port.owned.hasBroadcast(words, base))) continue;
      found = true;
      this.deliver(port, batch, base);
    }
    return found;
  }

  /** Nobody has the address by name. */
  private sendAbroad(batch: SegmentBatch, base: number): void {
    const gateway = this.wire.ports.find((port) => port !== this && port.context.anyAddress);
    if (gateway === undefined) this.counters.undeliverable++;
    else this.deliver(gateway, batch, base);
  }

  private deliver(to: MemoryPort, batch: SegmentBatch, base: number): void {
    if (!to.inbound.push(batch, base, this.context.slabs.slabs)) {
      to.counters.dropped++;
      return;
    }
    to.turn.request();
    if (to.inbound.bytes > HIGH_WATER && !to.waiting.includes(this)) {
      to.waiting.push(this);
      this.awaited++;
    }
  }

  /** Hands over what had arrived when the turn began; what is sent meanwhile waits for the next. */
  private run(): void {
    try {
      if (this.tellWritable) {
        this.tellWritable = false;
        this.host.writable();
      }
      for (let left = this.inbound.count; left > 0 && !this.closed; left -= BATCH) {
        this.receive(Math.min(left, BATCH));
      }
    } finally {
      if (this.inbound.bytes <= LOW_WATER) this.wake();
      if (!this.closed && (this.inbound.count > 0 || this.tellWritable)) this.turn.request();
    }
  }

  private receive(packets: number): void {
    this.batch.count = 0;
    for (let i = 0; i < packets; i++) {
      const result = this.inbound.take(this.batch, this.context.hashKey);
      if (result !== ParseResult.Ok) this.count(RESULT_COUNTERS[result]);
    }
    this.counters.received += this.batch.count;
    try {
      this.host.receive(this.batch);
    } finally {
      this.inbound.release();
    }
  }

  private count(name: string): void {
    this.counters[name] = (this.counters[name] ?? 0) + 1;
  }

  /** Tells those who wait for this port, in a turn of their own. */
  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const port of waiting) {
      if (--port.awaited > 0 || port.closed) continue;
      port.tellWritable = true;
      port.turn.request();
    }
  }
}
