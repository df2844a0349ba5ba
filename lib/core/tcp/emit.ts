import type { SegmentBatch } from '../segment/batch';
import { Direction, Flag, MAY_FRAGMENT, Option, Word } from '../segment/layout';
import { seqGt } from '../sequence';
import { Has, type Connection } from './connection';
import { acknowledgmentSent } from './delayed-ack';
import { reportDuplicate } from './dsack';
import { ECN_MASK, ecnSynFlags, markSegment } from './ecn';
import { scaleToOffer } from './establish';
import { announceWindow, MAX_WINDOW } from './receive-window';
import { endsPush } from './pushes';
import { endsRecord } from './records';
import { isSynchronized } from './state';
import { timestamp } from './timestamps';
import type { Tcp } from './tcp';
import { urgentFlags } from './urgent';

const TCP = 6;
/** Of the SACK option without its blocks, padding included, bytes. */
const SACK_HEADER = 4;

/** Words that all segments of a connection share. Returns the descriptor's base; -1: batch full. */
function startSegment(tcp: Tcp, c: Connection, batch: SegmentBatch): number {
  const base = batch.push();
  if (base < 0) return -1;
  const words = batch.words;
  tcp.tuples.fill(c.tuple, words, base);
  words[base + Word.Protocol] = TCP;
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.HopLimit] = c.options.ttl;
  words[base + Word.TrafficClass] = c.options.trafficClass & ~ECN_MASK;
  if (words[base + Word.Family] === 4) {
    // Never 0, which a raw socket of Linux replaces by a number of its own.
    c.ipId = (c.ipId % 0xffff) + 1;
    words[base + Word.Identification] = c.has(Has.MayFragment) ? fragmentId(c) : c.ipId;
  } else {
    words[base + Word.Identification] = c.tsOffset & 0xfffff;
  }
  return base;
}

/**
 * Of a packet that may become fragments (RFC 7739 §5): as Linux has it, each connection counts for
 * itself, from where nobody else knows.
 */
function fragmentId(c: Connection): number {
  return ((c.ipId + (c.iss >>> 12)) & 0xffff) | MAY_FRAGMENT;
}

function addTimestamps(tcp: Tcp, c: Connection, words: Int32Array, base: number): void {
  words[base + Word.Options] |= Option.Timestamps;
  words[base + Word.TsVal] = timestamp(tcp.now, c.tsOffset);
  words[base + Word.TsEcr] = c.tsRecent;
}

/**
 * RFC 2018 §4: blocks of what lies beyond the hole, after the one of a duplicate (RFC 2883 §4);
 * three fit beside timestamps. Beside payload they take at most half of the segment.
 * @returns bytes that the option takes in the header
 */
function addSackBlocks(
  tcp: Tcp,
  c: Connection,
  words: Int32Array,
  base: number,
  room: number,
): number {
  const held = c.receiveBuffer === null ? 0 : c.receiveBuffer.outOfOrder;
  if ((held === 0 && c.inbound === null) || !c.has(Has.Sack)) return 0;
  const most = c.has(Has.Timestamps) ? 3 : 4;
  const fit = Math.min((room - SACK_HEADER) >> 3, most);
  if (fit < 1) return 0;
  let count = Number(reportDuplicate(tcp, c, words, base));
  if (held > 0 && c.receiveBuffer !== null) {
    count += c.receiveBuffer.sackBlocks(fit - count, words, base + Word.Sack + 2 * count);
  }
  if (count === 0) return 0;
  words[base + Word.Options] |= Option.Sack;
  words[base + Word.SackCount] = count;
  return SACK_HEADER + 8 * count;
}

function finishSegment(tcp: Tcp, c: Connection, batch: SegmentBatch, base: number): void {
  const flags = batch.words[base + Word.Flags];
  tcp.counters.TcpOutSegs++;
  tcp.totals.left(c.row, batch.words[base + Word.PayloadLength] > 0);
  if ((flags & Flag.ACK) !== 0) acknowledgmentSent(tcp, c);
  if ((flags & Flag.RST) !== 0) tcp.counters.TcpOutRsts++;
}

/** PSH where `end` is the end of what the user has sent, or of a part of it; else 0. */
export function pushFlag(c: Connection, end: number): number {
  const isEnd = end === c.sndEnd && !c.has(Has.Unpushed);
  return isEnd || endsRecord(c, end) || endsPush(c, end) ? Flag.PSH : 0;
}

/**
 * Puts one segment of `c` into `batch`: header, window, timestamps, SACK blocks and `length` bytes
 * of the send buffer from `seq`. Every segment carries ACK (RFC 9293 §3.10.7). PSH marks the end
 * of what the user has sent, unless more is to follow; FIN, if asked for, that of the last byte.
 * @param sackRoom bytes that SACK blocks may take; beside payload half of the segment
 * @returns payload bytes covered (fewer than `length` where the slices ran out, or where SACK
 *   blocks take their room); -1: batch full
 */
export function emitSegment(
  tcp: Tcp,
  c: Connection,
  batch: SegmentBatch,
  seq: number,
  length: number,
  fin: boolean,
  sackRoom: number = length > 0 ? c.sndMss >> 1 : c.sndMss,
): number {
  const base = startSegment(tcp, c, batch);
  if (base < 0) return -1;
  const words = batch.words;
  let flags: number = Flag.ACK;
  let covered = 0;
  const sack = addSackBlocks(tcp, c, words, base, sackRoom);
  if (length > 0 && c.sendBuffer !== null) {
    const at = batch.sliceBase(base);
    const room = Math.min(length, c.sndMss - sack);
    covered = c.sendBuffer.slice((seq - c.sndUna) | 0, room, batch.slices, at);
    words[base + Word.SliceCount] = c.sendBuffer.sliceCount;
    words[base + Word.PayloadLength] = covered;
    flags |= pushFlag(c, (seq + covered) | 0);
  }
  if (fin && covered === length) flags |= Flag.FIN;
  if (c.has(Has.Ecn)) flags |= markSegment(c, words, base, seq, covered);
  flags |= urgentFlags(c, words, base, seq);
  words[base + Word.Sequence] = seq;
  words[base + Word.Acknowledgment] = c.rcvNxt;
  words[base + Word.Flags] = flags;
  // As the peer sees it: a window of less than its unit is closed.
  const before = c.rcvWnd >> c.rcvScale;
  const window = announceWindow(c);
  words[base + Word.Window] = window;
  if (window === 0 && before > 0) tcp.counters.TcpExtTCPToZeroWindowAdv++;
  if (window > 0 && before === 0) tcp.counters.TcpExtTCPFromZeroWindowAdv++;
  if (c.has(Has.Timestamps)) addTimestamps(tcp, c, words, base);
  finishSegment(tcp, c, batch, base);
  return covered;
}

/**
 * Sends again what lies from `seq` to `end`, our FIN perhaps included. It keeps the bounds that it
 * had: SACK blocks, which other segments have too, get the room that is left.
 * @returns where the segment ends; `seq`: the batch is full
 */
export function emitRetransmission(
  tcp: Tcp,
  c: Connection,
  batch: SegmentBatch,
  seq: number,
  end: number,
): number {
  const fin = seqGt(end, c.sndEnd);
  const length = ((end - seq) | 0) - (fin ? 1 : 0);
  const covered = emitSegment(tcp, c, batch, seq, length, fin, c.sndMss - length);
  if (covered < 0) return seq;
  return (seq + covered + (fin && covered === length ? 1 : 0)) | 0;
}

/** Whether the segment that was put into `batch` last has PSH. */
export function hasPush(batch: SegmentBatch): boolean {
  return (batch.words[batch.base(batch.count - 1) + Word.Flags] & Flag.PSH) !== 0;
}

/** Gives PSH to the segment that was put into `batch` last, or takes it away. */
export function setPush(batch: SegmentBatch, push: boolean): void {
  const at = batch.base(batch.count - 1) + Word.Flags;
  if (push) batch.words[at] |= Flag.PSH;
  else batch.words[at] &= ~Flag.PSH;
}

/** Puts an empty acknowledgment into `batch`; false when it is full. */
export function emitAck(tcp: Tcp, c: Connection, batch: SegmentBatch): boolean {
  return emitSegment(tcp, c, batch, c.sndNxt, 0, false) >= 0;
}

/** Puts our SYN (SYN-SENT) or SYN+ACK (SYN-RECEIVED) into `batch`; false when it is full. */
export function emitSyn(tcp: Tcp, c: Connection, batch: SegmentBatch, ack: boolean): boolean {
  const base = startSegment(tcp, c, batch);
  if (base < 0) return false;
  const words = batch.words;
  words[base + Word.Sequence] = c.iss;
  words[base + Word.Acknowledgment] = ack ? c.rcvNxt : 0;
  const flags = ack ? Flag.SYN | Flag.ACK : Flag.SYN;
  words[base + Word.Flags] = flags | ecnSynFlags(c, tcp.settings, ack);
  // The window of a segment with SYN is never scaled (RFC 7323 §2.2).
  words[base + Word.Window] = Math.min(c.rcvWnd, MAX_WINDOW);
  words[base + Word.Options] |= Option.Mss;
  words[base + Word.Mss] = c.advMss;
  // What we offer, also where the peer's SYN has crossed ours without it, as Linux has it.
  const { windowScaling, sack, timestamps } = tcp.settings;
  if (windowScaling === 1) {
    words[base + Word.Options] |= Option.WindowScale;
    const isOpen = !ack || c.has(Has.WindowScale);
    words[base + Word.WindowScale] = isOpen ? c.rcvScale : scaleToOffer(tcp, c);
  }
  if (sack === 1) words[base + Word.Options] |= Option.SackPermitted;
  if (timestamps === 1) addTimestamps(tcp, c, words, base);
  finishSegment(tcp, c, batch, base);
  return true;
}

/**
 * <SEQ=SND.NXT><CTL=RST,ACK>, at once, into a batch with room (RFC 9293 §3.10.5); before the
 * handshake is over there is nothing to reset for a connection that we opened.
 */
export function sendReset(tcp: Tcp, c: Connection, batch: SegmentBatch): void {
  const base = startSegment(tcp, c, batch);
  const { words } = batch;
  words[base + Word.Sequence] = c.sndNxt;
  words[base + Word.Acknowledgment] = c.rcvNxt;
  words[base + Word.Flags] = Flag.RST | Flag.ACK;
  const isOpen = isSynchronized(c.state);
  words[base + Word.Window] = isOpen ? c.receiveWindow >> c.rcvScale : announceWindow(c);
  if (c.has(Has.Timestamps)) addTimestamps(tcp, c, words, base);
  finishSegment(tcp, c, batch, base);
}

/**
 * An acknowledgment at once, one for each segment that calls for it: duplicate acknowledgments
 * count for the peer (RFC 5681 §4.2). Where the replies are full it leaves with the next segment.
 */
export function sendAckNow(tcp: Tcp, c: Connection): void {
  if (emitAck(tcp, c, tcp.replies)) return;
  c.set(Has.AckNow);
  tcp.markReady(c);
}
