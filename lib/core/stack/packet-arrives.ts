import { countIcmp } from '../icmp/icmp-counters';
import { readIcmpError } from '../icmp/icmp-error';
import { Destination, destinationAt } from '../ip/addresses';
import type { SegmentBatch } from '../segment/batch';
import { isFragment, isIcmp, isTcp, isUdp, quotesTcp, quotesUdp } from '../segment/kind';
import { Checksum, IcmpWord, IpProtocol, Word } from '../segment/layout';
import { icmpArrives } from '../tcp/icmp-arrives';
import type { Tcp } from '../tcp/tcp';
import type { Udp } from '../udp/udp';
import type { Counters } from './counters';

/** To whom packets go. */
interface Protocols {
  readonly tcp: Tcp;
  readonly udp: Udp;
}

/** A packet goes to whom it is for: TCP, UDP, or who sent what ICMP quotes. Others are dropped. */
export function packetArrives(stack: Protocols, batch: SegmentBatch, index: number): void {
  const { tcp } = stack;
  const { words } = batch;
  const base = batch.base(index);
  const { counters } = tcp;
  const is4 = words[base + Word.Family] === 4;
  if (is4) counters.IpInReceives++;
  else counters.Ip6InReceives++;
  if (isTcp(words, base)) {
    deliver(counters, is4);
    tcp.onSegment(batch, index);
  } else if (quotesTcp(words, base)) {
    deliver(counters, is4);
    icmpArrives(tcp, readIcmpError(words, base, tcp.slabs.slabs));
  } else if (isUdp(words, base)) {
    datagramArrives(stack, batch, index);
  } else if (quotesUdp(words, base)) {
    deliver(counters, is4);
    stack.udp.onError(readIcmpError(words, base, tcp.slabs.slabs));
  } else {
    drop(counters, words, base, is4);
  }
}

/** A datagram for us, or for a group that we are in. */
function datagramArrives({ tcp, udp }: Protocols, batch: SegmentBatch, index: number): void {
  const { words } = batch;
  const { counters, environment } = tcp;
  const base = batch.base(index);
  const is4 = words[base + Word.Family] === 4;
  const destination = destinationAt(environment.paths, words, base + Word.Destination);
  const isOurs =
    destination === Destination.Multicast
      ? udp.groups.hasAt(words, base + Word.Destination)
      : destination !== Destination.Foreign;
  if (isOurs) {
    deliver(counters, is4);
    udp.arrives(batch, index, destination);
  } else if (is4) {
    counters.IpInAddrErrors++;
  } else {
    counters.Ip6InAddrErrors++;
  }
}

function deliver(counters: Counters, is4: boolean): void {
  if (is4) counters.IpInDelivers++;
  else counters.Ip6InDelivers++;
}

/** Counts a packet that nobody here takes, as Linux counts it. */
function drop(counters: Counters, words: Int32Array, base: number, is4: boolean): void {
  const protocol = words[base + Word.Protocol];
  if (isFragment(words, base)) {
    if (is4) {
      counters.IpReasmReqds++;
      counters.IpReasmFails++;
    } else {
      counters.Ip6ReasmReqds++;
      counters.Ip6ReasmFails++;
    }
  } else if (isIcmp(words, base)) {
    deliver(counters, is4);
    const intact = words[base + Word.Checksum] !== Checksum.Bad;
    countIcmp(counters, is4 ? 4 : 6, words[base + IcmpWord.Kind] >>> 8, intact);
  } else if (is4) {
    counters.IpInUnknownProtos++;
  } else if (protocol !== IpProtocol.None) {
    counters.Ip6InUnknownProtos++;
  } else if (words[base + IcmpWord.Kind] !== 0) {
    counters.Ip6InHdrErrors++;
  } else {
    counters.Ip6InDelivers++;
  }
}
