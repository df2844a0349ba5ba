import { isUdp } from '../../core/segment/kind';
import { stateName } from '../../core/tcp/state';
import { formatFields, type SegmentReference } from '../../observe/tcpdump';
import { formatBody } from '../../observe/tcpdump-ip';
import { type Names, SegmentView } from '../segment-view';
import type { History } from './history';
import { Kind, type NoteRecord, type PacketRecord } from './records';
import { packetMatcher, type PacketFilter } from './segments';

const NO_REFERENCE: SegmentReference = { sequence: 0, acknowledgment: 0, sack: 0 };

/** Which lines are wanted, and how. Of notes only `since` and `until` count. */
export interface LineOptions extends PacketFilter {
  /** Sequence numbers as they stand in the header, instead of counted from the SYNs. */
  absolute?: boolean;
}

/**
 * One line for each event: what hosts have sent, what has arrived or was lost, what was done to the
 * network.
 */
export function readLines(
  records: Iterable<PacketRecord | NoteRecord>,
  history: History,
  names: Names,
  options: LineOptions,
): string[] {
  const matches = packetMatcher(options, ['absolute']);
  const { since = 0, until = Infinity, absolute = false } = options;
  const lines: string[] = [];
  const references = new Map<number, SegmentReference>();
  for (const record of records) {
    const time = record.time / 1000;
    if (record.kind === Kind.Note) {
      if (time >= since && time <= until)
        lines.push(`${formatTime(record.time)} -- ${record.text}`);
      continue;
    }
    const { packet } = record;
    const isNew = record.kind === Kind.Sent && !references.has(packet.id);
    if (!packet.isSegment) {
      const view = new SegmentView(packet, names, NO_REFERENCE);
      if (!matches(view, time)) continue;
      const ends = isUdp(packet.words, 0) ? withPorts(view) : `${view.from} > ${view.to}`;
      const fields = formatBody(packet.words, 0, packet.payload);
      lines.push(`${formatTime(record.time)} ${ends}: ${fields}${told(record)}`);
      continue;
    }
    // What arrives late counts as it did when it was sent.
    const reference = references.get(packet.id) ?? history.reference(packet);
    if (isNew) references.set(packet.id, reference);
    const repeated = isNew && history.isRepeated(packet);
    const view = new SegmentView(packet, names, reference);
    if (!matches(view, time)) continue;
    const ends = withPorts(view);
    const relativeTo = absolute ? undefined : reference;
    const fields = formatFields(packet.words, 0, { relativeTo });
    lines.push(`${formatTime(record.time)} ${ends}: ${fields} [${fate(record, repeated)}]`);
  }
  return lines;
}

function withPorts(view: SegmentView): string {
  return `${view.from}.${view.sourcePort} > ${view.to}.${view.destinationPort}`;
}

/** Of what isn't TCP no state is told. */
function told(record: PacketRecord): string {
  switch (record.kind) {
    case Kind.Sent:
      return '';
    case Kind.Received:
      return ' [received]';
    case Kind.Lost:
      return ` [${lossText(record.place, record.reason)}]`;
  }
}

function fate(record: PacketRecord, repeated: boolean): string {
  switch (record.kind) {
    case Kind.Sent:
      return stateName(record.state) + (repeated ? ', retransmission' : '');
    case Kind.Received:
      return `received, ${stateName(record.state)}`;
    case Kind.Lost:
      return lossText(record.place, record.reason);
  }
}

/** `lost at server: down`. */
export function lossText(place: string, reason: string | null): string {
  return reason === null || reason === 'lost' ? `lost at ${place}` : `lost at ${place}: ${reason}`;
}

/** µs as seconds, exactly. */
function formatTime(time: number): string {
  return `${Math.floor(time / 1e6)}.${String(time % 1e6).padStart(6, '0')}`;
}
