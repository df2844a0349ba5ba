import type { StackCore } from '../../core/stack/stack-core';

/** What a stack holds for connections, each a number of things or of bytes. */
export interface Leftovers {
  /** Control blocks, SYN-SENT to LAST-ACK. */
  connections: number;
  /** SYN-RECEIVED of passive opens. */
  handshakes: number;
  timeWaits: number;
  fourTuples: number;
  /** Connections with something that the peer has not acknowledged. */
  unfinished: number;
  /** `TcpCurrEstab`. */
  established: number;
  /** Send buffers, bytes. */
  sendMemory: number;
  /** Answers that have not left. */
  replies: number;
  /** UDP sockets that have a port. */
  datagramSockets: number;
  /** Datagrams that have not left, packets of the stack's own, and fragments; bytes or packets. */
  datagrams: number;
  ownPackets: number;
  fragments: number;
}

/** What `core` holds now: all zero when everything is over. */
export function leftovers(core: StackCore): Leftovers {
  const { tcp } = core;
  let connections = 0;
  tcp.forEachConnection(() => connections++);
  return {
    connections,
    handshakes: tcp.synReceived.count,
    timeWaits: tcp.timeWait.count,
    fourTuples: tcp.tuples.count,
    unfinished: tcp.unfinished,
    established: tcp.counters.TcpCurrEstab,
    sendMemory: tcp.pool.used,
    replies: tcp.replies.count,
    datagramSockets: [...core.datagramSockets].length,
    datagrams: core.datagramMemory,
    ownPackets: core.ownPackets.count,
    fragments: core.ip.fragmentMemory,
  };
}
