import type { Connection } from '../tcp/connection';
import type { SynRequests } from '../tcp/syn-requests';
import type { StreamSocket } from './stream-socket';

/** What a socket has while it is in LISTEN. */
export class Listening {
  /** Connections to be accepted, the oldest first; of one that has ended meanwhile its socket. */
  readonly queue: (Connection | StreamSocket)[] = [];
  /** Handshakes under way: entries of the SYN table. */
  handshakes = 0;
  /** Those among them whose SYN+ACK has been sent once. */
  young = 0;
  /** When a SYN was last answered with a cookie, ms; null: never. */
  cookieMs: number | null = null;
  /** SYNs that wait for the program's decision; null: none does, all are answered at once. */
  requests: SynRequests | null = null;

  /** @param id stands for the listener in the SYN table */
  constructor(
    readonly id: number,
    /** As listen(2) was given it, bounded by somaxconn. */
    public backlog: number,
  ) {}

  /** Whether the program is to be asked before a SYN is answered. */
  get asks(): boolean {
    return this.requests !== null && this.requests.asks();
  }

  /** Whether one more connection may not wait to be accepted (Linux lets backlog + 1 wait). */
  get isFull(): boolean {
    return this.queue.length > this.backlog;
  }
}
