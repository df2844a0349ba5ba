import { isIpv4 } from '../ip/address';
import { Direction, Flag, MAY_FRAGMENT, Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { largestReceiveBuffer, type SocketOptions } from '../socket/options';
import type { StreamSocket } from '../socket/stream-socket';
import { Shape } from '../stack/four-tuples';
import { isAcceptable } from './acceptability';
import { openSendWindow } from './acknowledgment';
import { arrivesOtherwise } from './arrives-otherwise';
import { refuse } from './arrives-closed';
import { Connection, Has } from './connection';
import { ECN_MASK, grantsEcn } from './ecn';
import { announcedMss, established, peerMss, peerScale, setSendMss } from './establish';
import { initialWindow, MAX_WINDOW, windowScaleFor } from './receive-window';
import { dontFragment, knownMtu, startPathMtu } from './path-mtu';
import { measuredRtt, setRto } from './rtt';
import { SynField, SynTable } from './syn-table';
import { issBeyond } from './time-wait';
import { isOlder, timestamp } from './timestamps';
import type { Tcp } from './tcp';

/** The options that a SYN may ask for and a SYN+ACK grant. */
const NEGOTIABLE = Option.Timestamps | Option.SackPermitted | Option.WindowScale;

/** Bits of `SynField.Flags`. */
const enum SynFlag {
  /** The SYN+ACK was sent again for a SYN that came again. */
  Resent = 1,
  /** Explicit congestion notification was asked for and granted. */
  Ecn = 2,
}

/**
 * SYN-RECEIVED of a passive OPEN (RFC 9293 §3.10.7.4 for that state): a row of integers for each
 * handshake, so that a SYN costs little (mission S4); a control block is made when it succeeds.
 */
export class SynReceived {
  readonly table = new SynTable();

  constructor(private readonly tcp: Tcp) {}

  get count(): number {
    return this.table.count;
  }

  next(): number {
    return this.table.timers.next();
  }

  /** Takes a SYN: the row of its handshake is made and answered. */
  open(listener: StreamSocket, seg: Segment, mtu: number, afterIss: number | null): void {
    const { tcp, table } = this;
    const { tuples } = tcp;
    const tuple = tuples.addReceived(seg.words, seg.base);
    const local = tuples.local(tuple);
    const localPort = tuples.localPort(tuple);
    const remote = tuples.remote(tuple);
    const remotePort = tuples.remotePort(tuple);
    tcp.ports.retain(local, localPort);
    const row = table.alloc(tuple, listener.id);
    const w = table.words;
    const at = row * SynField.Stride;
    const { options } = listener;
    const family = seg.words[seg.base + Word.Family];
    const pathMtu = knownMtu(tcp, tuple, mtu);
    const mss = announcedMss(pathMtu, family, options.maxSegment);
    const isn = tcp.isn.isn(local, localPort, remote, remotePort, tcp.now);
    w[at + SynField.Iss] = issBeyond(isn, afterIss);
    w[at + SynField.Irs] = seg.seq;
    w[at + SynField.PathMtu] = pathMtu;
    w[at + SynField.PeerMss] = peerMss(seg);
    w[at + SynField.PeerScale] = peerScale(seg);
    w[at + SynField.Options] = seg.options & this.offered();
    if (grantsEcn(tcp.settings, seg)) w[at + SynField.Flags] |= SynFlag.Ecn;
    w[at + SynField.TsRecent] = seg.tsVal;
    w[at + SynField.TsOffset] = tcp.isn.timestampOffset(local, localPort, remote, remotePort);
    w[at + SynField.SentAt] = tcp.now | 0;
    if ((w[at + SynField.Options] & Option.WindowScale) !== 0) {
      w[at + SynField.OurScale] = windowScaleFor(largestReceiveBuffer(options, tcp.settings));
    }
    const tsBytes = (w[at + SynField.Options] & Option.Timestamps) !== 0 ? 12 : 0;
    w[at + SynField.ReceiveWindow] = initialWindow(options.receiveBuffer, mss - tsBytes);
    tuples.set(tuple, Shape.Syn, row);
    listener.synCount++;
    this.sendSynAck(row);
    table.timers.set(row, 0, tcp.now + tcp.settings.rtoInitial * 1000);
  }

  private offered(): number {
    const { timestamps, sack, windowScaling } = this.tcp.settings;
    return (
      NEGOTIABLE &
      ((timestamps === 1 ? Option.Timestamps : 0) |
        (sack === 1 ? Option.SackPermitted : 0) |
        (windowScaling === 1 ? Option.WindowScale : 0))
    );
  }

  /** The MSS that we announce, bytes. */
  private mss(at: number): number {
    const w = this.table.words;
    const { tuples, listeners } = this.tcp;
    const family = isIpv4(tuples.local(w[at + SynField.FourTuple])) ? 4 : 6;
    const listener = listeners.get(w[at + SynField.Listener]);
    return announcedMss(w[at + SynField.PathMtu], family, listener?.options.maxSegment ?? 0);
  }

  /** SEGMENT ARRIVES at a handshake, in the order of RFC 9293 §3.10.7.4. */
  arrives(row: number, seg: Segment): void {
    const { tcp } = this;
    const w = this.table.words;
    const at = row * SynField.Stride;
    const irs = w[at + SynField.Irs];
    const paws = this.isOld(at, seg);
    if (seg.isSyn && !seg.isAck && !seg.isRst && seg.seq === irs && !paws) {
      // The peer has sent its SYN again: ours was lost, or is on its way.
      w[at + SynField.Flags] |= SynFlag.Resent;
      this.sendSynAck(row);
      return;
    }
    // Before the sequence check, so that an old duplicate is told to go away (as Linux does).
    const acceptableAck = seg.isAck && seg.ack === ((w[at + SynField.Iss] + 1) | 0);
    if (seg.isAck && !acceptableAck) {
      refuse(tcp, seg);
      return;
    }
    if (paws || !isAcceptable((irs + 1) | 0, w[at + SynField.ReceiveWindow], seg.seq, seg.len)) {
      if (paws) tcp.counters.TcpExtPAWSEstab++;
      if (!seg.isRst) this.sendAck(row);
      return;
    }
    // Second: RFC 5961 §3.2 holds here too.
    if (seg.isRst && seg.seq !== ((irs + 1) | 0)) {
      this.sendAck(row);
      return;
    }
    // Fourth: a SYN returns to LISTEN, as the RST does.
    if (seg.isRst || seg.isSyn) {
      tcp.counters.TcpExtEmbryonicRsts++;
      tcp.counters.TcpAttemptFails++;
      this.drop(row);
      return;
    }
    if (acceptableAck) this.complete(row, seg);
  }

  private isOld(at: number, seg: Segment): boolean {
    const w = this.table.words;
    if ((w[at + SynField.Options] & Option.Timestamps) === 0 || !seg.hasTimestamps || seg.isRst) {
      return false;
    }
    return isOlder(seg.tsVal, w[at + SynField.TsRecent], 0, 0);
  }

  /** The third segment: a control block takes the row's place and waits to be accepted. */
  private complete(row: number, seg: Segment): void {
    const { tcp, table } = this;
    const at = row * SynField.Stride;
    const listener = tcp.listeners.get(table.words[at + SynField.Listener]);
    if (listener === null || listener.acceptQueueFull) {
      // The acknowledgment is forgotten; the SYN+ACK, sent again, will bring another.
      tcp.counters.TcpExtListenOverflows++;
      tcp.counters.TcpExtListenDrops++;
      return;
    }
    const c = this.makeConnection(at, listener.options, seg);
    listener.synCount--;
    table.free(row);
    tcp.enter(c);
    c.listener = listener;
    c.set(Has.Embryo);
    tcp.counters.TcpPassiveOpens++;
    established(tcp, c);
    listener.enqueue(c);
    arrivesOtherwise(tcp, c, seg);
    if (c.row >= 0) tcp.settle(c);
  }

  private makeConnection(at: number, options: SocketOptions, seg: Segment): Connection {
    const { tcp } = this;
    const w = this.table.words;
    const c = new Connection(tcp.allocateRow(), options, tcp.congestion);
    const agreed = w[at + SynField.Options];
    c.tuple = w[at + SynField.FourTuple];
    c.iss = w[at + SynField.Iss];
    c.sndUna = (c.iss + 1) | 0;
    c.sndNxt = c.sndUna;
    c.irs = w[at + SynField.Irs];
    c.rcvNxt = (c.irs + 1) | 0;
    c.rcvWup = c.rcvNxt;
    c.set(Has.Passive);
    if ((agreed & Option.Timestamps) !== 0) c.set(Has.Timestamps);
    if ((agreed & Option.SackPermitted) !== 0) c.set(Has.Sack);
    if ((agreed & Option.WindowScale) !== 0) {
      c.set(Has.WindowScale);
      c.sndScale = w[at + SynField.PeerScale];
      c.rcvScale = w[at + SynField.OurScale];
    }
    if ((w[at + SynField.Flags] & SynFlag.Ecn) !== 0) c.set(Has.Ecn);
    c.tsRecent = w[at + SynField.TsRecent];
    c.tsRecentMs = tcp.nowMs;
    c.tsOffset = w[at + SynField.TsOffset];
    c.pathMtu = w[at + SynField.PathMtu];
    c.advMss = this.mss(at);
    c.rcvMss = Math.min(c.advMss, 536);
    c.rcvWnd = w[at + SynField.ReceiveWindow];
    c.rcvSsthresh = c.rcvWnd;
    startPathMtu(tcp, c);
    setSendMss(c, w[at + SynField.PeerMss], seg.words[seg.base + Word.Family]);
    setRto(c, tcp.settings);
    c.retransmits = w[at + SynField.Retries];
    // Karn's rule: of a SYN+ACK that was sent twice it isn't known which one was acknowledged.
    if (c.retransmits === 0 && (w[at + SynField.Flags] & SynFlag.Resent) === 0) {
      measuredRtt(c, ((tcp.now | 0) - w[at + SynField.SentAt]) | 0, tcp.settings);
    }
    openSendWindow(c, seg);
    return c;
  }

  /** Retransmits every SYN+ACK that is due, with doubling intervals; gives up at the limit. */
  onTimer(): void {
    const { tcp, table } = this;
    while (table.timers.expire(tcp.now)) {
      const row = table.timers.row;
      const at = row * SynField.Stride;
      const retries = table.words[at + SynField.Retries];
      if (retries >= tcp.settings.synackRetries) {
        tcp.counters.TcpAttemptFails++;
        this.drop(row);
        continue;
      }
      table.words[at + SynField.Retries] = retries + 1;
      tcp.counters.TcpRetransSegs++;
      tcp.counters.TcpExtTCPTimeouts++;
      this.sendSynAck(row);
      const { rtoInitial, rtoMax } = tcp.settings;
      const interval = Math.min(rtoInitial * 2 ** (retries + 1), rtoMax);
      table.timers.set(row, 0, tcp.now + interval * 1000);
    }
  }

  /**
   * An ICMP error quotes what has this sequence number (Linux: tcp_req_err).
   * @param fatal it says that our SYN+ACK will not arrive
   */
  icmpArrives(row: number, sequence: number, fatal: boolean): void {
    const { counters } = this.tcp;
    if (sequence !== this.table.words[row * SynField.Stride + SynField.Iss]) {
      counters.TcpExtOutOfWindowIcmps++;
    } else if (fatal) {
      counters.TcpExtListenDrops++;
      counters.TcpAttemptFails++;
      this.drop(row);
    }
  }

  /** The listener has closed: its handshakes are forgotten without a word. */
  listenerClosed(id: number): void {
    let row = -1;
    while ((row = this.table.nextOf(id, row)) >= 0) this.drop(row);
  }

  private drop(row: number): void {
    const { tcp, table } = this;
    const at = row * SynField.Stride;
    const tuple = table.words[at + SynField.FourTuple];
    const listener = tcp.listeners.get(table.words[at + SynField.Listener]);
    if (listener !== null) listener.synCount--;
    tcp.ports.release(tcp.tuples.local(tuple), tcp.tuples.localPort(tuple));
    tcp.tuples.remove(tuple);
    table.free(row);
  }

  /** The words that SYN+ACK and ACK of a row share; -1 where there is no room for a reply. */
  private startAnswer(row: number): number {
    const { tcp, table } = this;
    const base = tcp.replies.push();
    if (base < 0) {
      tcp.counters.NetlandReplyDrops++;
      return -1;
    }
    const words = tcp.replies.words;
    const at = row * SynField.Stride;
    const listener = tcp.listeners.get(table.words[at + SynField.Listener]);
    const tuple = table.words[at + SynField.FourTuple];
    tcp.tuples.fill(tuple, words, base);
    words[base + Word.Protocol] = 6;
    words[base + Word.Direction] = Direction.Out;
    words[base + Word.HopLimit] = listener === null ? tcp.settings.ttl : listener.options.ttl;
    words[base + Word.TrafficClass] = (listener?.options.trafficClass ?? 0) & ~ECN_MASK;
    words[base + Word.Acknowledgment] = (table.words[at + SynField.Irs] + 1) | 0;
    const { options } = listener ?? { options: tcp.defaultOptions };
    if (words[base + Word.Family] === 4 && !dontFragment(tcp, tuple, options)) {
      words[base + Word.Identification] = MAY_FRAGMENT;
    }
    if ((table.words[at + SynField.Options] & Option.Timestamps) !== 0) {
      words[base + Word.Options] = Option.Timestamps;
      words[base + Word.TsVal] = timestamp(tcp.now, table.words[at + SynField.TsOffset]);
      words[base + Word.TsEcr] = table.words[at + SynField.TsRecent];
    }
    tcp.counters.TcpOutSegs++;
    return base;
  }

  /** <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> with what both agree on. */
  private sendSynAck(row: number): void {
    const base = this.startAnswer(row);
    if (base < 0) return;
    const { words } = this.tcp.replies;
    const w = this.table.words;
    const at = row * SynField.Stride;
    words[base + Word.Sequence] = w[at + SynField.Iss];
    const granted = (w[at + SynField.Flags] & SynFlag.Ecn) !== 0 ? Flag.ECE : 0;
    words[base + Word.Flags] = Flag.SYN | Flag.ACK | granted;
    words[base + Word.Window] = Math.min(w[at + SynField.ReceiveWindow], MAX_WINDOW);
    words[base + Word.Options] |= Option.Mss;
    words[base + Word.Options] |=
      w[at + SynField.Options] & (Option.SackPermitted | Option.WindowScale);
    words[base + Word.Mss] = this.mss(at);
    words[base + Word.WindowScale] = w[at + SynField.OurScale];
  }

  /** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: the segment was not acceptable. */
  private sendAck(row: number): void {
    const base = this.startAnswer(row);
    if (base < 0) return;
    const { words } = this.tcp.replies;
    const w = this.table.words;
    const at = row * SynField.Stride;
    words[base + Word.Sequence] = (w[at + SynField.Iss] + 1) | 0;
    words[base + Word.Flags] = Flag.ACK;
    words[base + Word.Window] = w[at + SynField.ReceiveWindow] >> w[at + SynField.OurScale];
  }
}
