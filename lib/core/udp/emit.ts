import type { SegmentBatch } from '../segment/batch';
import { BuildWord, Checksum, Direction, IpProtocol, MAY_FRAGMENT, Word } from '../segment/layout';
import type { DatagramSocket } from '../socket/datagram-socket';
import { Out, OutFlag } from './send-queue';
import type { Udp } from './udp';
import { countUdp } from './udp-counters';

/**
 * Puts the socket's oldest datagram, which must be there, into `batch`, which must have room.
 * @returns its `OutFlag` bits
 */
export function emitDatagram(udp: Udp, socket: DatagramSocket, batch: SegmentBatch): number {
  const base = batch.push();
  const { words } = batch;
  const out = socket.outgoing.rows.words;
  const row = socket.outgoing.rows.first;
  const length = out[row + Out.Length];
  const flags = out[row + Out.Flags];
  for (let i = 0; i < 4; i++) {
    words[base + Word.Source + i] = out[row + Out.Source + i];
    words[base + Word.Destination + i] = out[row + Out.Destination + i];
  }
  const to = row + Out.Destination;
  const is4 = out[to + 2] === 0xffff && out[to + 1] === 0 && out[to] === 0;
  words[base + Word.Family] = is4 ? 4 : 6;
  words[base + Word.Protocol] = IpProtocol.Udp;
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.Checksum] =
    (flags & OutFlag.NoChecksum) === 0 ? Checksum.Verified : Checksum.None;
  words[base + Word.HopLimit] = out[row + Out.Header] & 0xff;
  words[base + Word.TrafficClass] = out[row + Out.Header] >>> 8;
  words[base + Word.SourcePort] = out[row + Out.SourcePort];
  words[base + Word.DestinationPort] = out[row + Out.DestinationPort];
  words[base + Word.PayloadLength] = length;
  words[base + Word.SliceCount] = socket.outgoing.slice(batch.slices, batch.sliceBase(base));
  identify(udp, socket, words, base, (flags & OutFlag.MayFragment) !== 0, out[row + Out.Mtu]);
  countUdp(udp.counters, is4, 'outDatagrams');
  return flags;
}

/** DF, the identification, and how long a packet may be. */
function identify(
  udp: Udp,
  socket: DatagramSocket,
  words: Int32Array,
  base: number,
  mayFragment: boolean,
  mtu: number,
): void {
  if (words[base + Word.Family] === 6) {
    if (40 + 8 + words[base + Word.PayloadLength] <= mtu) return;
    words[base + Word.Fragment] = mtu;
    words[base + BuildWord.FragmentId] = udp.identification.next6();
  } else if (mayFragment) {
    words[base + Word.Fragment] = mtu;
    const id = udp.identification.next4(words, base + Word.Source, IpProtocol.Udp, 1, udp.nowMs());
    words[base + Word.Identification] = id | MAY_FRAGMENT;
  } else {
    // Never 0, which a raw socket of Linux replaces by a number of its own.
    socket.ipId = (socket.ipId % 0xffff) + 1;
    words[base + Word.Identification] = socket.ipId;
  }
}
