import { createHash } from 'node:crypto';

/** What has come before its turn. */
interface Early {
  sequence: number;
  data: Uint8Array;
  fin: boolean;
}

/**
 * The receiver of a kernel's connection: a hash of its bytes in their order. The kernel may send on
 * two processors at once, so segments come in any order even over loopback.
 */
export class Sink {
  bytes = 0;
  /** Acknowledgment number of what is sent. */
  next = 0;
  /** The peer's FIN has come, and all before it. */
  ended = false;
  private opened = false;
  private early: Early[] = [];
  private readonly hash = createHash('sha256');

  /** SHA-256 of what has come, hexadecimal. */
  digest(): string {
    return this.hash.copy().digest('hex');
  }

  open(sequence: number): void {
    if (!this.opened) this.next = (sequence + 1) | 0;
    this.opened = true;
  }

  /** @param data is copied where it must be kept */
  take(sequence: number, data: Uint8Array, fin: boolean): void {
    if (((sequence - this.next) | 0) > 0) {
      this.early.push({ sequence, data: data.slice(), fin });
      return;
    }
    this.append(sequence, data, fin);
    for (let at = this.due(); at >= 0; at = this.due()) {
      const [piece] = this.early.splice(at, 1);
      this.append(piece.sequence, piece.data, piece.fin);
    }
  }

  private due(): number {
    return this.early.findIndex(({ sequence }) => ((sequence - this.next) | 0) <= 0);
  }

  /** What begins at `next` or before it. */
  private append(sequence: number, data: Uint8Array, fin: boolean): void {
    const known = (this.next - sequence) | 0;
    if (known > data.length) return;
    const fresh = data.subarray(known);
    this.hash.update(fresh);
    this.bytes += fresh.length;
    this.next = (this.next + fresh.length + (fin ? 1 : 0)) | 0;
    this.ended ||= fin;
  }
}
