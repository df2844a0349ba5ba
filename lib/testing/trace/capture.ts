import { readAddress, type IpAddress } from '../../core/ip/address';
import { Direction, Word } from '../../core/segment/layout';
import { PcapngWriter } from '../../observe/pcapng';
import type { Names } from '../segment-view';
import { lossText } from './lines';
import { Kind, type NoteRecord, type PacketRecord } from './records';

/** What a capture is made of. */
export interface CaptureOptions {
  /**
   * Name of a host: what a capture on its interface would have, sent and received. Default: what
   * all hosts have sent, each packet once, on an interface for each host; what was lost is there
   * too, with a comment that says where and why.
   */
  host?: string;
}

/** Why a host itself drops what a capture on it would still show. */
const SEEN = ['invalid', 'firewall'];

/**
 * The packets as a pcapng file.
 * @param epoch when the network's time began, ms since 1970
 */
export function writeCapture(
  records: readonly (PacketRecord | NoteRecord)[],
  names: Names,
  epoch: number,
  { host }: CaptureOptions,
): Buffer {
  const pieces: Buffer[] = [];
  const writer = new PcapngWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) });
  writer.addNames(namesIn(records, names));
  const losses = host === undefined ? lossesIn(records) : new Map<number, string>();
  const interfaces = new Map<string, number>();
  for (const record of records) {
    if (record.kind === Kind.Note || !isCaptured(record, host)) continue;
    const { kind, packet, place, reason, time } = record;
    let number = interfaces.get(place);
    if (number === undefined) interfaces.set(place, (number = writer.addInterface(place)));
    const direction = kind === Kind.Sent ? Direction.Out : Direction.In;
    const comment =
      kind === Kind.Lost
        ? lossText(place, reason)
        : kind === Kind.Sent
          ? losses.get(packet.id)
          : '';
    writer.packet(number, direction, epoch * 1000 + time, packet.bytes(), comment);
  }
  writer.flush();
  return Buffer.concat(pieces);
}

function isCaptured(record: PacketRecord, host: string | undefined): boolean {
  if (host === undefined) return record.kind === Kind.Sent;
  if (record.place !== host) return false;
  return record.kind !== Kind.Lost || SEEN.includes(record.reason ?? '');
}

/** What is to be said of packets of which no copy has arrived. */
function lossesIn(records: readonly (PacketRecord | NoteRecord)[]): Map<number, string> {
  const losses = new Map<number, string>();
  const arrived = new Set<number>();
  for (const record of records) {
    if (record.kind === Kind.Received) arrived.add(record.packet.id);
    if (record.kind === Kind.Lost) {
      losses.set(record.packet.id, lossText(record.place, record.reason));
    }
  }
  for (const id of arrived) losses.delete(id);
  return losses;
}

/** The addresses that hosts of the network have, and the hosts' names. */
function namesIn(
  records: readonly (PacketRecord | NoteRecord)[],
  names: Names,
): [IpAddress, string][] {
  const found = new Map<string, [IpAddress, string]>();
  for (const record of records) {
    if (record.kind === Kind.Note) continue;
    const { words } = record.packet;
    for (const at of [Word.Source, Word.Destination]) {
      const key = words.subarray(at, at + 4).join();
      if (found.has(key)) continue;
      const name = names.nameAt(words, at);
      if (name !== null) found.set(key, [readAddress(words, at), name]);
    }
  }
  return [...found.values()];
}
