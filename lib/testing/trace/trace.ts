import type { State } from '../../core/tcp/state';
import { State as States } from '../../core/tcp/state';
import { invalidArgType, outOfRange } from '../../errors';
import { checkNames } from '../../link/validate';
import type { LossReason, NetworkNode } from '../engine/node';
import type { Packet } from '../engine/packet';
import type { Names } from '../segment-view';
import { writeCapture, type CaptureOptions } from './capture';
import { History } from './history';
import { readLines, type LineOptions } from './lines';
import { Kind, Records } from './records';
import { packetMatcher, readSegments, type SegmentFilter, type TracedSegment } from './segments';

export interface TraceOptions {
  /**
   * Memory for what is kept, bytes, about; the oldest is forgotten when there is more. 65536 or
   * more. Default: 64 MiB.
   */
  limit?: number;
}

const LIMIT = 64 * 1024 * 1024;
const LEAST = 64 * 1024;

/**
 * What has happened in a network: the segments that hosts have sent, what became of them, and what
 * was done to the network.
 */
export class Trace {
  /** Events that have been forgotten, since there were too many. */
  dropped = 0;
  private readonly records: Records;
  /** What there is to be known of all that has been forgotten. */
  private readonly before = new History();

  /**
   * @internal Made by `Network`.
   * @param clock its `now` is the network's time, µs
   * @param epoch when that began, ms since 1970
   * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_OUT_OF_RANGE
   */
  constructor(
    private readonly clock: { readonly now: number },
    private readonly epoch: number,
    private readonly names: Names,
    { limit = LIMIT }: TraceOptions = {},
  ) {
    if (typeof limit !== 'number') throw invalidArgType('options.limit', 'of type number', limit);
    if (!(limit >= LEAST)) throw outOfRange('options.limit', `>= ${LEAST}`, limit);
    this.records = new Records(limit, (kind, words, base) => {
      this.dropped++;
      if (kind === Kind.Sent) this.before.take(words, base);
    });
  }

  /** @internal */
  sent(host: Pick<NetworkNode, 'name'>, packet: Packet, state: State): void {
    this.records.add(Kind.Sent, this.clock.now, host.name, state, '', packet);
  }

  /** @internal */
  received(host: NetworkNode, packet: Packet, state: State): void {
    this.records.add(Kind.Received, this.clock.now, host.name, state, '', packet);
  }

  /** @internal */
  lost(packet: Packet, where: string, reason: LossReason): void {
    this.records.add(Kind.Lost, this.clock.now, where, States.CLOSED, reason, packet);
  }

  /** @internal */
  noted(text: string): void {
    this.records.note(this.clock.now, text);
  }

  /**
   * The segments that hosts have sent and that the filter wants, in the order of sending, and what
   * became of them.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  segments(filter: SegmentFilter = {}): TracedSegment[] {
    const matches = packetMatcher(filter, ['data', 'retransmission', 'lost', 'absolute']);
    const { data, retransmission, lost, absolute = false } = filter;
    return readSegments(this.records.all(), new History(this.before), this.names, absolute).filter(
      (segment) =>
        matches(segment, segment.time) &&
        (data === undefined || data === segment.length > 0) &&
        (retransmission === undefined || retransmission === segment.retransmission) &&
        (lost === undefined || lost === (segment.lost !== undefined)),
    );
  }

  /**
   * One line for each event, in tcpdump's notation with hosts' names. Behind a segment stands the
   * sender's state, or how it ended: that it was received, with the receiver's state after that, or
   * where and why it was lost. What was done to the network has a line of its own.
   * ```
   * 0.000000 client.40000 > server.80: Flags [S], seq 0, win 500, length 0 [SYN-SENT]
   * 0.020000 client.40000 > server.80: Flags [S], seq 0, win 500, length 0 [received, SYN-RECEIVED]
   * 0.030000 -- crash server
   * ```
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  lines(options: LineOptions = {}): string[] {
    return readLines(this.records.all(), new History(this.before), this.names, options);
  }

  /** All lines, with a word on what has been forgotten before them. */
  toString(): string {
    const lines = this.lines();
    if (this.dropped > 0) lines.unshift(`(${this.dropped} events before these are forgotten)`);
    return lines.map((line) => `${line}\n`).join('');
  }

  /**
   * The packets as a capture file (pcapng) for Wireshark: with the names of the hosts, an interface
   * for each, and comments on what was lost. Times are the network's, from its epoch on.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  toPcapng(options: CaptureOptions = {}): Buffer {
    checkNames('options', options, ['host']);
    const { host } = options;
    if (host !== undefined && typeof host !== 'string') {
      throw invalidArgType('options.host', 'of type string', host);
    }
    return writeCapture([...this.records.all()], this.names, this.epoch, options);
  }
}
