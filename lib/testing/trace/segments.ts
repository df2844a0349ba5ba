import type { StateName } from '../../core/tcp/state';
import { stateName } from '../../core/tcp/state';
import { invalidArgType, invalidArgValue } from '../../errors';
import { checkNames } from '../../link/validate';
import type { SegmentReference } from '../../observe/tcpdump';
import type { LossReason } from '../engine/node';
import { type Names, SegmentView } from '../segment-view';
import type { History } from './history';
import { Kind, type NoteRecord, type PacketRecord } from './records';

/** A segment that a host has sent, and what became of it. */
export interface TracedSegment {
  /** When it was sent, ms of the network's time. */
  time: number;
  /** Name of the host that sent it; its address where no host of the network has that. */
  from: string;
  /** Name of the host that it is for; the address where no host of the network has that. */
  to: string;
  sourcePort: number;
  destinationPort: number;
  /** In tcpdump's letters: `S`, `S.`, `P.`, `F.`, `R`, `.`, `none`. */
  flags: string;
  /** Counted from the sender's SYN, which has 0; the first byte has 1. */
  seq: number;
  /** Counted from the receiver's SYN; only with ACK. */
  ack?: number;
  /** Bytes of payload. */
  length: number;
  /** The window field, not scaled. */
  window: number;
  /** Urgent pointer; only with URG. */
  urgent?: number;
  /** Maximum segment size option. */
  mss?: number;
  /** Shift count of the window scale option. */
  windowScale?: number;
  /** The SACK-permitted option is there. */
  sackPermitted?: true;
  /** Edges of the SACK blocks, counted as `ack` is: the first byte and the one behind the last. */
  sack?: [left: number, right: number][];
  /** TSval and TSecr. */
  timestamps?: { value: number; echo: number };
  /** State of the sender's connection when it was sent. */
  state: StateName;
  /** Whether something in it had been sent before. */
  retransmission: boolean;
  /** How many copies of it have been processed by the receiver. */
  arrivals: number;
  /** When the first of them was, ms. */
  receivedAt?: number;
  /** State of the receiver's connection after that. */
  stateAfter?: StateName;
  /** Why it has not arrived; not there as long as it is on its way. */
  lost?: LossReason;
  /** Where it was lost: the name of a host, a router, or a cable with its direction. */
  lostAt?: string;
}

/** Which packets are wanted; what is left out doesn't matter. */
export interface PacketFilter {
  /** Name of the host that sent it. */
  from?: string;
  /** Name of the host that it is for. */
  to?: string;
  /** Name of a host that sent it or that it is for. */
  host?: string;
  /** A port of either end. */
  port?: number;
  /** The flags, all of them, in tcpdump's letters and order: `S.`, `FP.`. */
  flags?: string;
  /** Flags that it has at least, in tcpdump's letters: `F`. */
  having?: string;
  /** Not before this time, ms. */
  since?: number;
  /** Not after this time, ms. */
  until?: number;
}

/** Which segments are wanted; what is left out doesn't matter. */
export interface SegmentFilter extends PacketFilter {
  /** With payload, or without. */
  data?: boolean;
  retransmission?: boolean;
  lost?: boolean;
  /** Sequence numbers as they stand in the header, instead of counted from the SYNs. */
  absolute?: boolean;
}

const LETTERS = /^(?:[FSRP.UEWe]+|none)$/;
const TEXTS = ['from', 'to', 'host', 'flags', 'having'] as const;
const NUMBERS = ['port', 'since', 'until'] as const;

/** @param switches names beside those of `PacketFilter`, of booleans */
function checkFilter(filter: PacketFilter, switches: readonly string[]): void {
  checkNames('filter', filter, [...TEXTS, ...NUMBERS, ...switches]);
  const check = (names: readonly string[], type: string) => {
    for (const name of names) {
      const value: unknown = filter[name as keyof PacketFilter];
      if (value === undefined || typeof value === type) continue;
      throw invalidArgType(`filter.${name}`, `of type ${type}`, value);
    }
  };
  check(TEXTS, 'string');
  check(NUMBERS, 'number');
  check(switches, 'boolean');
}

/**
 * Whether a packet is wanted; `time` in ms.
 * @param switches options of the caller's own, of booleans, that the filter may have
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function packetMatcher(
  filter: PacketFilter,
  switches: readonly string[],
): (packet: SegmentView | TracedSegment, time: number) => boolean {
  checkFilter(filter, switches);
  const { from, to, host, port, flags, having, since = 0, until = Infinity } = filter;
  for (const name of ['flags', 'having'] as const) {
    const value = filter[name];
    if (value === undefined || LETTERS.test(value)) continue;
    throw invalidArgValue(`filter.${name}`, value, "must be in tcpdump's letters: FSRP.UEWe");
  }
  return (packet, time) =>
    time >= since &&
    time <= until &&
    (from === undefined || packet.from === from) &&
    (to === undefined || packet.to === to) &&
    (host === undefined || packet.from === host || packet.to === host) &&
    (port === undefined || packet.sourcePort === port || packet.destinationPort === port) &&
    (flags === undefined || packet.flags === flags) &&
    (having === undefined || [...having].every((letter) => packet.flags.includes(letter)));
}

const ABSOLUTE: SegmentReference = { sequence: 0, acknowledgment: 0, sack: 0 };

/** The segments that were sent, in the order of sending. */
export function readSegments(
  records: Iterable<PacketRecord | NoteRecord>,
  history: History,
  names: Names,
  absolute: boolean,
): TracedSegment[] {
  const segments: TracedSegment[] = [];
  const byId = new Map<number, TracedSegment>();
  for (const record of records) {
    if (record.kind === Kind.Note) continue;
    const known = byId.get(record.packet.id);
    if (record.kind === Kind.Sent && known === undefined) {
      if (!record.packet.isSegment) continue;
      const counted = history.reference(record.packet);
      const reference = absolute ? ABSOLUTE : counted;
      const view = new SegmentView(record.packet, names, reference);
      const segment = toSegment(record, view, reference, history.isRepeated(record.packet));
      segments.push(segment);
      byId.set(record.packet.id, segment);
    } else if (known !== undefined) noteFate(known, record);
  }
  return segments;
}

function toSegment(
  record: PacketRecord,
  view: SegmentView,
  reference: SegmentReference,
  retransmission: boolean,
): TracedSegment {
  const { mss, windowScale, timestamps, sack } = view;
  const count = (edge: number) => (edge - reference.sack) >>> 0;
  return {
    time: record.time / 1000,
    from: view.from,
    to: view.to,
    sourcePort: view.sourcePort,
    destinationPort: view.destinationPort,
    flags: view.flags,
    seq: view.relativeSeq,
    ...(view.isAck && { ack: view.relativeAck }),
    length: view.length,
    window: view.window,
    ...(view.isUrg && { urgent: view.urgent }),
    ...(mss !== undefined && { mss }),
    ...(windowScale !== undefined && { windowScale }),
    ...(view.sackPermitted && { sackPermitted: true }),
    ...(sack.length > 0 && { sack: sack.map(([left, right]) => [count(left), count(right)]) }),
    ...(timestamps !== undefined && { timestamps }),
    state: stateName(record.state),
    retransmission,
    arrivals: 0,
  };
}

function noteFate(segment: TracedSegment, record: PacketRecord): void {
  if (record.kind === Kind.Lost) {
    if (segment.arrivals > 0 || record.reason === null) return;
    segment.lost = record.reason;
    segment.lostAt = record.place;
  } else if (record.kind === Kind.Received && segment.arrivals++ === 0) {
    delete segment.lost;
    delete segment.lostAt;
    segment.receivedAt = record.time / 1000;
    segment.stateAfter = stateName(record.state);
  }
}
