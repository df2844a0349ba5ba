import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { Flag, Option, Word } from '../../lib/core/segment/layout';
import { Has, Timer, type Connection } from '../../lib/core/tcp/connection';
import { State, stateName } from '../../lib/core/tcp/state';
import { formatSegment } from '../../lib/observe/tcpdump';
import type { LabHost } from './lab';

/** What one direction of a connection has shown on the wire. */
interface Flow {
  /** Of the SYN; the rest is relative to it. */
  iss: number;
  /** The highest number sent, FIN included. */
  end: number;
  /** The highest number acknowledged, and the right edge of the windows announced, of the other. */
  acknowledged: number;
  edge: number;
  scale: number;
}

/** Sees every packet on the wire, and what both stacks hold; throws when something can't be. */
export class Inspector {
  private readonly words = new Int32Array(Word.Stride);
  private readonly flows = new Map<string, Flow>();
  /** SYN+ACKs that are not looked at any further. */
  private readonly strays = new Set<string>();
  private looks = 0;
  private readonly edges = new WeakMap<Connection, number>();
  private readonly key = new Int32Array(2);

  constructor(private readonly hosts: readonly LabHost[]) {}

  /** A packet that a stack has sent. */
  sent(packet: Uint8Array): void {
    const { words } = this;
    const result = parsePacket(packet, 0, 0, packet.length, words, 0, this.key);
    check(result === ParseResult.Ok, `a packet that can't be parsed: ${result}`);
    const at = (address: Word, port: Word): string =>
      `${words.subarray(address, address + 4).join('.')}:${words[port]}`;
    const from = at(Word.Source, Word.SourcePort);
    const to = at(Word.Destination, Word.DestinationPort);
    const flags = words[Word.Flags];
    if ((flags & Flag.RST) !== 0) return;
    if ((flags & Flag.SYN) !== 0) this.syn(`${from} ${to}`, `${to} ${from}`, words);
    const flow = this.flows.get(`${from} ${to}`);
    const back = this.flows.get(`${to} ${from}`);
    if (flow === undefined || back === undefined) return;
    try {
      this.segment(flow, back, words);
    } catch (error) {
      throw new Error(formatSegment(words, 0), { cause: error });
    }
  }

  private syn(key: string, back: string, words: Int32Array): void {
    const before = this.flows.get(key);
    if (before !== undefined && before.iss === words[Word.Sequence]) return;
    const name = `${key} ${words[Word.Sequence]}`;
    if (this.strays.has(name)) return;
    const other = this.flows.get(back);
    if ((words[Word.Flags] & Flag.ACK) === 0) {
      // A new connection: what the other end may still say of an old one is not looked at.
      this.flows.delete(back);
    } else if (before !== undefined || !this.isFirst(other, words[Word.Acknowledgment])) {
      // Perhaps the answer to an old SYN, which leads nowhere.
      this.strays.add(name);
      this.flows.delete(key);
      return;
    }
    const scale = (words[Word.Options] & Option.WindowScale) !== 0 ? words[Word.WindowScale] : -1;
    this.flows.set(key, {
      iss: words[Word.Sequence],
      end: 1,
      acknowledged: 0,
      edge: 1 + words[Word.Window],
      scale,
    });
  }

  /** Whether `ack` is the first acknowledgment of what was sent. */
  private isFirst(flow: Flow | undefined, ack: number): boolean {
    return flow === undefined || (ack === ((flow.iss + 1) | 0) && flow.acknowledged <= 1);
  }

  private segment(flow: Flow, back: Flow, words: Int32Array): void {
    const flags = words[Word.Flags];
    const syn = (flags & Flag.SYN) !== 0;
    const seq = (words[Word.Sequence] - flow.iss) | 0;
    const length = words[Word.PayloadLength];
    const end = seq + length;
    // Nothing beyond what the other has ever allowed; a SYN, FIN or probe takes no room.
    check(length === 0 || end <= back.edge, 'beyond the window');
    check(seq >= -1 && seq <= flow.end, 'a number that leaves a hole');
    flow.end = Math.max(flow.end, end + Number(syn) + (flags & Flag.FIN));
    if ((flags & Flag.ACK) === 0) return;
    const ack = (words[Word.Acknowledgment] - back.iss) | 0;
    check(ack <= back.end, 'acknowledges what was not sent');
    check(ack >= back.acknowledged, 'acknowledges less than before');
    back.acknowledged = ack;
    const scale = !syn && flow.scale >= 0 && back.scale >= 0 ? flow.scale : 0;
    const edge = ack + words[Word.Window] * 2 ** scale;
    // Less than a unit may be lost in rounding: the receiver takes it all the same.
    check(edge > flow.edge - 2 ** Math.max(scale, 0) || syn, 'the right edge moves left');
    flow.edge = Math.max(flow.edge, edge);
  }

  /** What holds between two events. */
  settled(): void {
    for (const host of this.hosts) this.host(host);
  }

  private host(host: LabHost): void {
    const { tcp } = host.core;
    let connections = 0;
    let unfinished = 0;
    let established = 0;
    let queued = 0;
    tcp.forEachConnection((c) => {
      try {
        this.connection(host, c);
      } catch (error) {
        throw new Error(`${stateName(c.state)} of ${host.name}`, { cause: error });
      }
      connections++;
      if (c.has(Has.Unfinished)) unfinished++;
      if (c.state === State.ESTABLISHED || c.state === State.CLOSE_WAIT) established++;
      queued += c.queued;
    });
    check(tcp.unfinished === unfinished, 'the number of unfinished connections');
    check(tcp.counters.TcpCurrEstab === established, 'the number of established connections');
    const rows = connections + tcp.synReceived.count + tcp.timeWait.count;
    check(tcp.tuples.count === rows, 'the number of four-tuples');
    check(queued > 0 || tcp.pool.used === 0, 'memory for nothing');
  }

  private connection(host: LabHost, c: Connection): void {
    const { tcp } = host.core;
    const handshake = c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED;
    const fin = c.has(Has.Fin) ? 1 : 0;
    check(c.state > State.LISTEN && c.state < State.TIME_WAIT, 'a connection');
    check(c.inFlight >= 0 && c.inFlight <= c.queued + fin + Number(handshake), 'in flight');
    check(c.cwnd >= (handshake ? 0 : 1) && c.ssthresh >= 2, 'cwnd');
    check(c.rto > 0 && c.rto <= tcp.settings.rtoMax * 1000, 'rto');
    check(c.quick >= 0 && c.dupAcks >= 0 && c.cwndCount >= 0, 'a negative count');
    check(((c.rcvNxt - c.rcvWup) | 0) >= 0 || handshake, 'RCV.NXT');
    this.timers(host, c);
    const edge = ((c.rcvWup + c.rcvWnd) | 0) - c.irs;
    const before = this.edges.get(c);
    check(before === undefined || ((edge - before) | 0) >= 0, 'the right edge');
    if (c.state >= State.ESTABLISHED) this.edges.set(c, edge);
    if ((this.looks++ & 15) === 0) this.tuple(host, c);
  }

  /** A timer for whatever waits, and none where nothing does. */
  private timers(host: LabHost, c: Connection): void {
    const { timers, settings } = host.core.tcp;
    const retransmit = timers.due(c.row, Timer.Retransmit);
    const persist = timers.due(c.row, Timer.Persist);
    const delayed = timers.due(c.row, Timer.DelayedAck);
    const limit = host.core.now + settings.rtoMax * 1000;
    for (const due of [retransmit, persist, delayed]) {
      check(due === Infinity || due <= limit, 'a timer far away');
    }
    // What is in the queue of those that have something to send is looked at first.
    if (c.has(Has.Ready)) return;
    const waits = ((c.sndEnd - c.sndNxt) | 0) > 0 || (c.has(Has.Fin) && c.sndNxt === c.sndEnd);
    check(c.inFlight > 0 === (retransmit !== Infinity), 'the retransmission timer');
    if (c.state >= State.ESTABLISHED && c.inFlight === 0 && waits) {
      check(persist !== Infinity, 'unsent data and no timer');
    }
    check(!c.has(Has.AckScheduled) || delayed !== Infinity, 'an acknowledgment and no timer');
  }

  /** The connection can still be found by what arrives for it. */
  private tuple(host: LabHost, c: Connection): void {
    const { tuples } = host.core.tcp;
    const local = tuples.local(c.tuple);
    const remote = tuples.remote(c.tuple);
    const ports = [tuples.localPort(c.tuple), tuples.remotePort(c.tuple)] as const;
    check(tuples.lookup(local, ports[0], remote, ports[1]) === c.tuple, 'a lost four-tuple');
  }
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`invariant broken: ${what}`);
}
