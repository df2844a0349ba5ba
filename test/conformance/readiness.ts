import { Poll } from '../../lib/core/socket/socket-status';
import { DatagramFile, type AnySocketFile } from './files';
import { Event } from './linux';

/** What poll(2) says of a socket, with the bits that go together on Linux. */
export function events(file: AnySocketFile): number {
  const mask = file.socket.poll();
  let all = mask;
  if ((mask & Poll.IN) !== 0) all |= Event.RDNORM;
  if ((mask & Poll.OUT) === 0) return all;
  all |= Event.WRNORM;
  if (file instanceof DatagramFile) all |= Event.WRBAND;
  return all;
}

/** Sees when a socket becomes ready for more than before, or for the same anew. */
export class Progress {
  private mask = 0;
  private waiting = 0;

  constructor(private readonly file: AnySocketFile) {
    this.note();
  }

  private note(): void {
    this.mask = events(this.file);
    const { file } = this;
    this.waiting = file.socket.waiting;
    if (!(file instanceof DatagramFile)) this.waiting += file.socket.available;
  }

  /** Whether something became ready since the last call: an edge. */
  advance(): boolean {
    const { mask, waiting } = this;
    this.note();
    return (this.mask & ~mask) !== 0 || this.waiting > waiting;
  }
}
