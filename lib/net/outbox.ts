import { Errno } from '../core/errno';
import type { StreamSocket } from '../core/socket/stream-socket';
import { Msg } from '../core/tcp/user-calls';

type Callback = (error?: Error | null) => void;

/** The one write that a stream has under way, of one or more pieces. */
export class Outbox {
  #pieces: readonly Uint8Array[] = [];
  #index = 0;
  #offset = 0;
  #bytes = 0;
  #callback: Callback | null = null;

  get busy(): boolean {
    return this.#callback !== null;
  }

  /** @param callback called by whoever takes it with `finish` */
  put(pieces: readonly Uint8Array[], callback: Callback): void {
    this.#pieces = pieces;
    this.#index = 0;
    this.#offset = 0;
    this.#bytes = 0;
    this.#callback = callback;
  }

  /**
   * Gives the socket what it takes.
   * @param isUrgent whether the last byte of a piece is urgent
   * @returns 0 when it has taken all, -EAGAIN when the rest must wait, another -errno
   */
  flush(socket: StreamSocket, isUrgent: (piece: Uint8Array) => boolean): number {
    while (this.#index < this.#pieces.length) {
      const piece = this.#pieces[this.#index];
      const left = piece.length - this.#offset;
      if (left > 0) {
        // The urgent byte by itself: the mark can't be another, where there is no room for all.
        const urgent = isUrgent(piece);
        const wanted = urgent && left > 1 ? left - 1 : left;
        const length = socket.withinUnsentLimit(wanted);
        if (length === 0) return -Errno.EAGAIN;
        const taken = socket.send(piece, this.#offset, length, urgent && left === 1 ? Msg.OOB : 0);
        if (taken === 0) return -Errno.EAGAIN;
        if (taken < 0) return taken;
        this.#offset += taken;
        this.#bytes += taken;
      }
      if (this.#offset < piece.length) continue;
      this.#index++;
      this.#offset = 0;
    }
    return 0;
  }

  /** Bytes that the socket has taken of this write. */
  get taken(): number {
    return this.#bytes;
  }

  /** Empties it; the caller calls what it returns. */
  finish(): Callback | null {
    const callback = this.#callback;
    this.#callback = null;
    this.#pieces = [];
    return callback;
  }
}
