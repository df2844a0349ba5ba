import type { Duplex } from 'node:stream';
import * as timers from 'node:timers';
import { load16 } from '../codec/bytes';
import { buildPackets, largestPacket, packetCount, packetsLength } from '../codec/fragment';
import { IPV6_HEADER } from '../codec/headers';
import { Errno } from '../core/errno';
import type { SegmentBatch } from '../core/segment/batch';
import { codeError, failedCall, invalidArgType, invalidArgValue } from '../errors';
import { ByteIntake, MessageIntake } from './intake';
import type { Link, LinkContext, LinkCounters, LinkHost, LinkPort } from './link';
import { Turn } from './turn';
import { checkInteger, checkNames } from './validate';

// Taken at import, so that fake timers that are installed later don't reach the links.
const { setTimeout, clearTimeout } = timers;

export interface StreamLinkOptions {
  /** Largest IP packet that is sent, 68 to 65535 bytes. Default: 1500. */
  mtu?: number;
  /**
   * How packets stand in the stream. 'bytes': one behind the other, told apart by the length fields
   * of IP, in chunks of any size. 'message': one packet (also a fragment) in each chunk, both ways;
   * the stream's `readableObjectMode` must be true, or it would join chunks. Default: 'message'
   * where `readableObjectMode` is true, else 'bytes'.
   */
  framing?: 'bytes' | 'message';
}

const MIN_MTU = 68;
const MAX_MTU = 65_535;
const DEFAULT_MTU = 1500;
/** What the stream may hold unwritten before packets are dropped, bytes. */
const QUEUE_LIMIT = 8 * 1024 * 1024;
/** Bytes that are read in one turn of the event loop … */
const TURN_LIMIT = 1024 * 1024;
/** … where each chunk counts for so many more. */
const CHUNK_COST = 1024;
/** How long a stream has, after the port was closed, to write what it holds, ms. */
const END_TIMEOUT = 5000;

/**
 * IP packets, bare, over a stream: the socket of a tunnel, a WebSocket, the channel of an SSH
 * connection, a pair of streams in the process. It needs no privileges and no native code.
 *
 * The stream becomes the link's: one stack can open it, once. Closing the stack ends the stream,
 * and destroys it when it has finished, or after 5 s. When the stream ends, closes or fails the
 * link is down and the stream destroyed; `Stack.closed` has its error, or one with the code
 * ERR_STREAM_PREMATURE_CLOSE.
 *
 * A stream that says, by the result of `write`, that it wants no more makes the stack wait for
 * 'drain'; with more than 8 MiB in it packets are dropped (`dropped`). It is read as fast as the
 * stack takes packets, and holds the rest back itself.
 *
 * What arrives may be of any length. A packet that is wrong is counted and dropped: by what is
 * wrong with it, or as `badMessage` where a message isn't bytes. In a stream of bytes one whose
 * version or length can't be right ends the link with EPROTO, since nobody knows where the next one
 * begins.
 *
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
 */
export function streamLink(stream: Duplex, options: StreamLinkOptions = {}): Link {
  checkStream(stream);
  checkNames('options', options, ['mtu', 'framing']);
  const { mtu = DEFAULT_MTU, framing = stream.readableObjectMode ? 'message' : 'bytes' } = options;
  checkInteger('mtu', mtu, MIN_MTU, MAX_MTU);
  if (framing !== 'bytes' && framing !== 'message') {
    throw invalidArgValue('options.framing', framing, "must be 'bytes' or 'message'");
  }
  if (framing === 'message' && !stream.readableObjectMode) {
    const reason = 'needs a stream whose readableObjectMode is true: others join chunks';
    throw invalidArgValue('options.framing', framing, reason);
  }
  let opened = false;
  return {
    kind: 'stream',
    open: async (context) => {
      if (opened) throw failedCall(Errno.EBUSY, 'open', 'a stream carries one stack, once');
      if (stream.destroyed || !stream.readable || !stream.writable) throw closedError();
      opened = true;
      return new StreamPort(stream, framing === 'message', mtu, context);
    },
  };
}

function checkStream(stream: unknown): void {
  const methods = ['read', 'write', 'end', 'destroy', 'on'];
  const isDuplex =
    typeof stream === 'object' &&
    stream !== null &&
    methods.every((name) => typeof (stream as Record<string, unknown>)[name] === 'function');
  if (!isDuplex) throw invalidArgType('stream', 'an instance of stream.Duplex', stream);
}

function closedError(what = 'the stream is closed'): Error {
  return codeError(Error, 'ERR_STREAM_PREMATURE_CLOSE', what);
}

/** What a socket has beside a Duplex. */
interface Handle {
  ref?: () => void;
  unref?: () => void;
}

class StreamPort implements LinkPort {
  readonly name = 'stream';
  readonly gsoMax = 0;
  readonly counters: LinkCounters = { sent: 0, received: 0, tooBig: 0, invalid: 0, dropped: 0 };
  private readonly host: LinkHost;
  private readonly slabs: readonly Uint8Array[];
  private readonly intake: ByteIntake | MessageIntake;
  private readonly turn = new Turn(() => this.run());
  /** Bytes that one unit of the stream's `writableLength` stands for, at most. */
  private readonly unit: number;
  private blocked = false;
  private tellWritable = false;
  /** Why nothing passes any more; the stack is told in a turn of its own. */
  private failure: Error | null = null;
  private closed = false;

  constructor(
    private readonly stream: Duplex,
    private readonly messages: boolean,
    readonly mtu: number,
    context: LinkContext,
  ) {
    this.host = context.host;
    this.slabs = context.slabs.slabs;
    const Intake = messages ? MessageIntake : ByteIntake;
    this.intake = new Intake(context, this.counters);
    this.unit = stream.writableObjectMode ? mtu : 1;
    this.listen();
  }

  transmit(batch: SegmentBatch): boolean {
    if (this.closed || this.failure !== null) {
      this.counters.dropped += batch.count;
      return true;
    }
    // Never used again: a stream may pass on what it was given, and keep it for ever.
    const out = Buffer.allocUnsafe(this.room(batch));
    let end = 0;
    for (let i = 0; i < batch.count; i++) {
      const length = this.build(batch, batch.base(i), out, end);
      if (this.messages) this.writeEach(out.subarray(end, end + length));
      end += length;
    }
    if (!this.messages && end > 0) this.write(out.subarray(0, end));
    return !this.blocked;
  }

  ref(): void {
    (this.stream as Handle).ref?.();
    this.turn.ref();
  }

  unref(): void {
    (this.stream as Handle).unref?.();
    this.turn.unref();
  }

  close(): void {
    if (this.closed) return;
    this.shut();
    if (!this.stream.destroyed) finish(this.stream);
  }

  /** For good: what fails when the port is closed is nobody's matter, but has to be heard. */
  private listen(): void {
    const { stream, intake } = this;
    stream.on('readable', () => this.turn.request());
    stream.on('drain', () => {
      this.tellWritable = this.blocked;
      this.blocked = false;
      this.turn.request();
    });
    stream.on('end', () => {
      const isCut = intake instanceof ByteIntake && intake.isWithinPacket;
      this.fail(closedError(`the stream has ended${isCut ? ' within a packet' : ''}`));
    });
    stream.on('close', () => this.fail(closedError()));
    stream.on('error', (error: Error) => this.fail(error));
  }

  private fail(error: Error): void {
    if (this.closed) return;
    this.failure ??= error;
    this.turn.request();
  }

  /** Bytes of the batch's packets, but no more than the stream may still hold. */
  private room(batch: SegmentBatch): number {
    let size = 0;
    for (let i = 0; i < batch.count; i++) {
      const base = batch.base(i);
      if (largestPacket(batch.words, base) <= this.mtu) size += packetsLength(batch.words, base);
    }
    const left = QUEUE_LIMIT - this.stream.writableLength * this.unit;
    return Math.max(0, Math.min(size, left));
  }

  /** Builds a packet at `at`, or its fragments; their length, 0 for what is dropped. */
  private build(batch: SegmentBatch, base: number, out: Uint8Array, at: number): number {
    const { counters } = this;
    const { words, slices } = batch;
    if (largestPacket(words, base) > this.mtu) {
      counters.tooBig++;
      return 0;
    }
    const count = packetCount(words, base);
    if (at + packetsLength(words, base) > out.length) {
      counters.dropped += count;
      return 0;
    }
    const built = buildPackets(words, base, slices, batch.sliceBase(base), this.slabs, out, at);
    if (built === 0) counters.invalid++;
    else counters.sent += count;
    return built;
  }

  /** Packets that stand one behind the other, one in each message. */
  private writeEach(packets: Uint8Array): void {
    for (let at = 0, length; at < packets.length; at += length) {
      length =
        packets[at] >>> 4 === 4 ? load16(packets, at + 2) : load16(packets, at + 4) + IPV6_HEADER;
      this.write(packets.subarray(at, at + length));
    }
  }

  private write(bytes: Uint8Array): void {
    if (!this.stream.write(bytes)) this.blocked = true;
  }

  /** Every call to the stack comes from here: a stream may call back whenever it likes. */
  private run(): void {
    try {
      if (this.tellWritable && !this.closed) this.host.writable();
    } finally {
      this.tellWritable = false;
      this.read();
    }
    if (this.failure === null || this.closed) return;
    this.shut();
    this.stream.destroy();
    this.host.down(this.failure);
  }

  private shut(): void {
    this.closed = true;
    this.turn.unref();
    this.intake.stop();
  }

  /**
   * Hands over what the stream has, up to a limit; the rest is for the next turn. When the port is
   * closed it is discarded: some streams can't finish before they are read.
   */
  private read(): void {
    const { intake } = this;
    let taken = 0;
    while (taken < TURN_LIMIT) {
      const chunk: unknown = this.stream.read();
      if (chunk === null) break;
      taken += CHUNK_COST + ((chunk as { byteLength?: number }).byteLength ?? 0);
      if (!this.closed && intake.fault === null) intake.take(chunk);
    }
    intake.flush();
    if (intake.fault !== null) this.failure ??= failedCall(Errno.EPROTO, 'read', intake.fault);
    if (taken >= TURN_LIMIT && !this.stream.destroyed) this.turn.request();
  }
}

/** Ends the stream, lets it write what it holds, but not for ever, and destroys it. */
function finish(stream: Duplex): void {
  const destroy = () => stream.destroy();
  const timer = setTimeout(destroy, END_TIMEOUT).unref();
  stream.once('close', () => clearTimeout(timer));
  stream.end(destroy);
}
