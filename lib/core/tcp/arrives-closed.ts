import { Direction, Flag, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { ECN_MASK } from './ecn';
import type { Tcp } from './tcp';

/** Fills the next reply with the segment's addresses turned round; -1 where there is no room. */
function startReply(tcp: Tcp, seg: Segment): number {
  const base = tcp.replies.push();
  if (base < 0) {
    tcp.counters.NetlandReplyDrops++;
    return -1;
  }
  const words = tcp.replies.words;
  words[base + Word.Family] = seg.words[seg.base + Word.Family];
  words[base + Word.Protocol] = seg.words[seg.base + Word.Protocol];
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.HopLimit] = tcp.settings.ttl;
  // As on Linux the answer has the class of what it answers.
  words[base + Word.TrafficClass] = seg.words[seg.base + Word.TrafficClass] & ~ECN_MASK;
  for (let i = 0; i < 4; i++) {
    words[base + Word.Source + i] = seg.words[seg.base + Word.Destination + i];
    words[base + Word.Destination + i] = seg.words[seg.base + Word.Source + i];
  }
  words[base + Word.SourcePort] = seg.words[seg.base + Word.DestinationPort];
  words[base + Word.DestinationPort] = seg.words[seg.base + Word.SourcePort];
  return base;
}

/**
 * Answers a segment that belongs to no connection, or a wrong acknowledgment, with a RST that fits
 * it (RFC 9293 §3.10.7.1, §3.5.2 groups 1 and 2). A RST is never answered.
 */
export function refuse(tcp: Tcp, seg: Segment): void {
  if (seg.isRst) return;
  const base = startReply(tcp, seg);
  if (base < 0) return;
  const words = tcp.replies.words;
  if (seg.isAck) {
    words[base + Word.Sequence] = seg.ack;
    words[base + Word.Flags] = Flag.RST;
  } else {
    words[base + Word.Acknowledgment] = seg.end;
    words[base + Word.Flags] = Flag.RST | Flag.ACK;
  }
  tcp.counters.TcpOutSegs++;
  tcp.counters.TcpOutRsts++;
}
