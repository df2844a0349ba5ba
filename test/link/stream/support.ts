import { Duplex, duplexPair } from 'node:stream';
import { buildPacket, packetLength } from '../../../lib/codec/build';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { type StreamLinkOptions, streamLink } from '../../../lib/link/stream';
import { RecordingHost } from '../../support/recording-host';
import { type Fields, pushSegment } from '../../support/segments';

export const A = '10.0.0.1';
export const B = '10.0.0.2';
export const TO_B: Fields = { from: A, to: B };
export const TO_A: Fields = { from: B, to: A };

/** The packet of these fields. */
export function packet(fields: Fields): Buffer {
  const batch = new SegmentBatch(1);
  const slabs = new SlabTable();
  const base = pushSegment(batch, slabs, fields);
  const out = Buffer.alloc(packetLength(batch.words, base));
  buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, out, 0);
  return out;
}

/** A port on one end of a pair of streams, and the other end. */
export async function opened(objectMode: boolean, options: StreamLinkOptions = {}) {
  const [near, far] = duplexPair({ objectMode });
  const host = await RecordingHost.open(streamLink(near, options), A);
  return { host, near, far };
}

/** A stream whose reader is the test: it takes what is written only when it is told to. */
export class Stuck extends Duplex {
  readonly written: unknown[] = [];
  private release: (() => void) | null = null;

  override _read(): void {
    // Nothing comes.
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.release = done;
  }

  /** Takes one chunk. */
  accept(): void {
    const { release } = this;
    this.release = null;
    release?.();
  }
}
