import { Direction, Flag, Option, Word } from '../segment/layout';
import { isIpv4 } from '../ip/address';
import { ECN_MASK } from './ecn';
import { announcedMss } from './establish';
import { MAX_WINDOW } from './receive-window';
import { cookieClock } from './syn-cookies';
import { SynField, SynFlag, type SynTable } from './syn-table';
import { timestamp } from './timestamps';
import type { Tcp } from './tcp';

// What a handshake of the SYN table answers: SYN+ACK and ACK.

/** The MSS that we announce, bytes. */
export function rowMss(tcp: Tcp, table: SynTable, at: number): number {
  const w = table.words;
  const family = isIpv4(tcp.tuples.local(w[at + SynField.FourTuple])) ? 4 : 6;
  const listener = tcp.listeners.get(w[at + SynField.Listener]);
  return announcedMss(w[at + SynField.PathMtu], family, listener.options.maxSegment);
}

/** The words that SYN+ACK and ACK of a row share; -1 where there is no room for a reply. */
function startAnswer(tcp: Tcp, table: SynTable, at: number): number {
  const base = tcp.replies.push();
  if (base < 0) {
    tcp.counters.NetlandReplyDrops++;
    return -1;
  }
  const words = tcp.replies.words;
  const w = table.words;
  const listener = tcp.listeners.get(w[at + SynField.Listener]);
  tcp.tuples.fill(w[at + SynField.FourTuple], words, base);
  words[base + Word.Protocol] = 6;
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.HopLimit] = listener.options.ttl;
  words[base + Word.TrafficClass] = listener.options.trafficClass & ~ECN_MASK;
  words[base + Word.Acknowledgment] = (w[at + SynField.Irs] + 1) | 0;
  if ((w[at + SynField.Options] & Option.Timestamps) !== 0) {
    words[base + Word.Options] = Option.Timestamps;
    words[base + Word.TsVal] = tsVal(tcp, w, at);
    words[base + Word.TsEcr] = w[at + SynField.TsRecent];
  }
  tcp.counters.TcpOutSegs++;
  return base;
}

function tsVal(tcp: Tcp, w: Int32Array, at: number): number {
  const offset = w[at + SynField.TsOffset];
  if ((w[at + SynField.Flags] & SynFlag.Cookie) === 0) return timestamp(tcp.now, offset);
  const clock = timestamp(tcp.now, 0);
  const ecn = (w[at + SynField.Flags] & SynFlag.Ecn) !== 0;
  const scale = w[at + SynField.PeerScale];
  return (cookieClock(clock, w[at + SynField.Options], scale, ecn) + offset) | 0;
}

/** <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> with what both agree on. */
export function sendSynAck(tcp: Tcp, table: SynTable, row: number): void {
  const w = table.words;
  const at = row * SynField.Stride;
  const base = startAnswer(tcp, table, at);
  if (base < 0) return;
  const { words } = tcp.replies;
  words[base + Word.Sequence] = w[at + SynField.Iss];
  const granted = (w[at + SynField.Flags] & SynFlag.Ecn) !== 0 ? Flag.ECE : 0;
  words[base + Word.Flags] = Flag.SYN | Flag.ACK | granted;
  words[base + Word.Window] = Math.min(w[at + SynField.ReceiveWindow], MAX_WINDOW);
  words[base + Word.Options] |=
    Option.Mss | (w[at + SynField.Options] & (Option.SackPermitted | Option.WindowScale));
  words[base + Word.Mss] = rowMss(tcp, table, at);
  words[base + Word.WindowScale] = w[at + SynField.OurScale];
}

/** SYN+ACK once more. */
export function resendSynAck(tcp: Tcp, table: SynTable, row: number): void {
  table.words[row * SynField.Stride + SynField.Flags] |= SynFlag.Resent;
  tcp.counters.TcpRetransSegs++;
  tcp.counters.TcpExtTCPSynRetrans++;
  sendSynAck(tcp, table, row);
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: the segment was not acceptable. */
export function sendSynReceivedAck(tcp: Tcp, table: SynTable, row: number): void {
  const w = table.words;
  const at = row * SynField.Stride;
  const base = startAnswer(tcp, table, at);
  if (base < 0) return;
  const { words } = tcp.replies;
  words[base + Word.Sequence] = (w[at + SynField.Iss] + 1) | 0;
  words[base + Word.Flags] = Flag.ACK;
  words[base + Word.Window] = w[at + SynField.ReceiveWindow] >> w[at + SynField.OurScale];
}

/** <SEQ=0><ACK=RCV.NXT><CTL=RST,ACK>, as for a port where nobody listens. */
export function sendSynReset(tcp: Tcp, table: SynTable, row: number): void {
  const at = row * SynField.Stride;
  const base = startAnswer(tcp, table, at);
  if (base < 0) return;
  const { words } = tcp.replies;
  words[base + Word.Options] = 0;
  words[base + Word.Flags] = Flag.RST | Flag.ACK;
  tcp.counters.TcpOutRsts++;
}
