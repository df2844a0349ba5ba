import type { StreamSocket } from '../core/socket/stream-socket';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { DescribedSocket } from './described-socket';

/**
 * Urgent data (RFC 9293 §3.8.5; RFC 6093: not for new protocols). Node has none of this; names and
 * behaviour are those of Linux's sockets, where one byte at a time is urgent.
 *
 * - 'urgentPending': an urgent pointer has come (SIGURG): urgent data is ahead, perhaps far ahead
 *   of what was read, or still on its way. It is told at once, whatever waits to be read.
 * - 'urgent' (byte): the urgent byte, 0 to 255, out of band: as soon as its segment is here, ahead
 *   of what comes before it in the stream. It is then not in the stream. Where a second pointer
 *   comes before the first byte could be told, the first stays in the stream, as on Linux.
 * - With `oobInline` there is no 'urgent'; the byte stays in the stream, and `atMark` finds it.
 */
export abstract class UrgentSocket extends DescribedSocket {
  #urgentChunks: WeakSet<Uint8Array> | null = null;
  /** `bytesRead` before the urgent byte, once it was met; -1: never. */
  #mark = -1;

  abstract get bytesRead(): number;

  /**
   * Sends `data` behind what was written, its last byte urgent (MSG_OOB). The peer is told at once,
   * even if its window is closed.
   *
   * @param data text as UTF-8, bytes, or one byte as a number from 0 to 255
   * @param callback as of `write`
   * @returns as `write` does
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for nothing at all; RangeError
   *   ERR_OUT_OF_RANGE
   */
  sendUrgent(
    data: string | Uint8Array | number,
    callback?: (error: Error | null | undefined) => void,
  ): boolean {
    const chunk = toChunk(data);
    this.#urgentChunks ??= new WeakSet();
    this.#urgentChunks.add(chunk);
    return this.write(chunk, callback);
  }

  /**
   * Whether what was read ends just before the urgent byte (SIOCATMARK): no 'data' has bytes from
   * both sides of it, but a `read()` of several of them may.
   */
  get atMark(): boolean {
    return this.#mark === this.bytesRead - this.readableLength;
  }

  /** @internal Whether the last byte of a chunk is urgent. */
  protected isUrgent(chunk: Uint8Array): boolean {
    return this.#urgentChunks?.has(chunk) === true;
  }

  /** @internal Tells what is new; before any reading, which would pass over the byte. */
  protected tellUrgent(stream: StreamSocket): void {
    if (!stream.hasUrgent) return;
    this.noteMark(stream);
    const byte = stream.receiveUrgent();
    if (stream.takeUrgentNews()) this.emit('urgentPending');
    if (byte !== null && byte >= 0 && !this.destroyed) this.emit('urgent', byte);
  }

  /** @internal After bytes were taken and before they are passed on. */
  protected noteMark(stream: StreamSocket): void {
    if (stream.atMark) this.#mark = this.bytesRead;
  }
}

function toChunk(data: unknown): Buffer {
  if (typeof data === 'number') {
    if (Number.isInteger(data) && data >= 0 && data <= 0xff) return Buffer.of(data);
    throw outOfRange('data', '>= 0 && <= 255', data);
  }
  const isBytes = data instanceof Uint8Array;
  if (!isBytes && typeof data !== 'string') {
    throw invalidArgType('data', 'of type string or number, or an instance of Buffer', data);
  }
  // An object of its own, so that nobody else writes it.
  const chunk = isBytes
    ? Buffer.from(data.buffer, data.byteOffset, data.length)
    : Buffer.from(data);
  if (chunk.length === 0) throw invalidArgValue('data', data, 'must not be empty');
  return chunk;
}
