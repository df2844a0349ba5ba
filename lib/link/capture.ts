import { closeSync, openSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Writable } from 'node:stream';
import type { SegmentBatch } from '../core/segment/batch';
import { Direction } from '../core/segment/layout';
import { invalidArgType, outOfRange } from '../errors';
import { PacketBytes } from '../observe/packet-bytes';
import { PacketRing } from '../observe/packet-ring';
import { PcapngWriter } from '../observe/pcapng';
import { PortDecorator } from './decorator';
import type { Link, LinkContext, LinkCounters, LinkHost, LinkPort } from './link';

// Taken at import, so that fake timers that are installed later don't reach the links.
const milliseconds = performance.now.bind(performance);
const ORIGIN = performance.timeOrigin;

/** What a stream may hold unwritten before packets are left out of the capture, bytes. */
const STREAM_LIMIT = 64 * 1024 * 1024;
/** The least that a ring keeps, bytes. */
const MIN_RING = 1024;

/**
 * A link that writes what passes `link`, both ways, as pcapng.
 *
 * Each stack that opens it is an interface of the capture. A file is begun anew by the first of
 * them, written synchronously with each batch, closed with the last port, and appended to (as a new
 * section) when the link is opened again. A stream is not ended, it is its owner's; while it holds
 * more than 64 MiB unwritten, packets are left out.
 *
 * Checksums that are left to a device, in either direction, are in the capture as they would be on
 * a wire. Super-segments are in it as one packet.
 *
 * When writing fails, the capture ends with a process warning and the link goes on. The counters
 * `captured` and `captureDropped` say how many packets the capture has, and how many passed and are
 * not in it.
 *
 * `open` rejects with the errors of `fs.open` (ENOENT, EACCES, …) when the file can't be written.
 *
 * @param target a file's path, or a stream
 */
export function capture(link: Link, target: string | Writable): Link {
  return captured(
    link,
    typeof target === 'string' ? new FileTarget(target) : new StreamTarget(target),
  );
}

/** A link that remembers what has passed last. */
export interface RingLink extends Link {
  /** What is kept now, as a file for tshark or Wireshark. */
  toPcapng(): Buffer;
}

/**
 * A link that keeps in memory the last packets that have passed `link`, both ways, for the moment
 * in which something turns out to have gone wrong.
 *
 * Stacks that open it are interfaces of the capture by the names of their ports; what was captured
 * stays when they have closed.
 *
 * @param bytes how much is kept at most, 1024 or more; each packet counts for 64 more than it has
 * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE
 */
export function captureRing(link: Link, bytes: number): RingLink {
  if (typeof bytes !== 'number') throw invalidArgType('bytes', 'of type number', bytes);
  if (!Number.isSafeInteger(bytes) || bytes < MIN_RING) {
    throw outOfRange('bytes', `an integer >= ${MIN_RING}`, bytes);
  }
  const ring = new PacketRing(bytes);
  const target = { open: () => ring, hasRoom: () => true, close: () => undefined };
  return { ...captured(link, target), toPcapng: () => ring.toPcapng() };
}

function captured(link: Link, target: Target): Link {
  const recording = new Recording(target);
  return {
    kind: link.kind,
    async open(context: LinkContext): Promise<LinkPort> {
      recording.retain();
      try {
        const tap = new Tap(
          context.host,
          new PacketBytes(context.slabs.slabs),
          recording,
          link.kind,
        );
        const port = await link.open({ ...context, host: tap });
        tap.name = port.name;
        return new CapturePort(port, tap, recording);
      } catch (error) {
        recording.release();
        throw error;
      }
    },
  };
}

/** Where the packets of a capture go. */
type PacketLog = Pick<PcapngWriter, 'addInterface' | 'packet' | 'flush'>;

interface Target {
  /**
   * @param onError told of a failure that comes later, not from `write`
   * @throws Node's errors
   */
  open(onError: (error: Error) => void): PacketLog;
  /** Whether a packet that is written now is kept. */
  hasRoom(): boolean;
  close(): void;
}

class FileTarget implements Target {
  private descriptor = -1;
  private flags: 'w' | 'a' = 'w';

  constructor(private readonly path: string) {}

  open(): PacketLog {
    this.descriptor = openSync(this.path, this.flags);
    this.flags = 'a';
    return new PcapngWriter(this);
  }

  hasRoom(): boolean {
    return true;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.descriptor, bytes, at);
  }

  close(): void {
    closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

class StreamTarget implements Target {
  private onError: (error: Error) => void = () => undefined;

  constructor(private readonly stream: Writable) {}

  open(onError: (error: Error) => void): PacketLog {
    this.onError = onError;
    this.stream.on('error', onError);
    return new PcapngWriter(this);
  }

  hasRoom(): boolean {
    return this.stream.writableLength < STREAM_LIMIT;
  }

  write(bytes: Uint8Array): void {
    if (!this.stream.writable) throw new Error('the stream is closed');
    this.stream.write(Buffer.from(bytes));
  }

  close(): void {
    this.stream.off('error', this.onError);
  }
}

/** One capture, shared by the ports that are open. */
class Recording {
  private users = 0;
  private writer: PacketLog | null = null;

  constructor(private readonly target: Target) {}

  /** @throws Node's errors */
  retain(): void {
    if (this.users === 0) {
      this.writer = this.target.open((error) => this.fail(error));
    }
    this.users++;
  }

  release(): void {
    if (--this.users > 0) return;
    this.attempt((writer) => writer.flush());
    try {
      this.target.close();
    } catch (error) {
      this.fail(error);
    }
    this.writer = null;
  }

  /** Whether a packet that is written now is kept. */
  get isOpen(): boolean {
    return this.writer !== null && this.target.hasRoom();
  }

  /** Runs what may write; its failure ends the capture, and nothing else. */
  attempt(action: (writer: PacketLog) => void): void {
    if (this.writer === null) return;
    try {
      action(this.writer);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.writer === null) return;
    this.writer = null;
    process.emitWarning(`the capture has ended: ${String(error)}`, 'NetlandWarning');
  }
}

/** Between a port and its stack: records what passes. */
class Tap implements LinkHost {
  captured = 0;
  dropped = 0;
  private interfaceNumber = -1;

  constructor(
    private readonly host: LinkHost,
    private readonly bytes: PacketBytes,
    private readonly recording: Recording,
    public name: string,
  ) {}

  receive(batch: SegmentBatch): void {
    this.record(batch, Direction.In);
    this.host.receive(batch);
  }

  writable(): void {
    this.host.writable();
  }

  changed(): void {
    this.host.changed();
  }

  down(error: Error): void {
    this.host.down(error);
  }

  record(batch: SegmentBatch, direction: Direction): void {
    let recorded = 0;
    if (this.recording.isOpen) {
      this.recording.attempt((writer) => {
        const time = Math.floor((ORIGIN + milliseconds()) * 1000);
        if (this.interfaceNumber < 0) this.interfaceNumber = writer.addInterface(this.name);
        let written = 0;
        const write = (bytes: Uint8Array): void => {
          writer.packet(this.interfaceNumber, direction, time, bytes);
          written++;
        };
        let found = 0;
        for (let i = 0; i < batch.count; i++) {
          if (this.bytes.forEach(batch, i, direction, write)) found++;
        }
        writer.flush();
        this.captured += written;
        recorded = found;
      });
    }
    this.dropped += batch.count - recorded;
  }
}

class CapturePort extends PortDecorator {
  private closed = false;

  constructor(
    port: LinkPort,
    private readonly tap: Tap,
    private readonly recording: Recording,
  ) {
    super(port);
  }

  override get counters(): LinkCounters {
    const { captured, dropped } = this.tap;
    return { ...this.port.counters, captured, captureDropped: dropped };
  }

  transmit(batch: SegmentBatch): boolean {
    this.tap.record(batch, Direction.Out);
    return this.port.transmit(batch);
  }

  override close(): void {
    if (this.closed) return;
    this.closed = true;
    this.port.close();
    this.recording.release();
  }
}
