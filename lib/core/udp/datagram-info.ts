/** What recvmsg(2) tells of a datagram beside its bytes; to be used again for the next. */
export class DatagramInfo {
  /** Four words, as in a descriptor: who has sent it. */
  readonly source = new Int32Array(4);
  /** To whom: an address of ours, a group, or a broadcast address (IP_PKTINFO). */
  readonly destination = new Int32Array(4);
  /** 0: the sender wants no answer. */
  sourcePort = 0;
  /** To which port: the socket's own, unless it is bound to any. */
  destinationPort = 0;
  /** Bytes of the datagram, however many were asked for. */
  length = 0;
  /** MSG_TRUNC: there was no room for all of it. */
  truncated = false;
  hopLimit = 0;
  trafficClass = 0;
  interface = 0;
}
