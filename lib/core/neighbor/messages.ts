import { ANY6, isWildcard, writeAddress, type IpAddress } from '../ip/address';
import type { OwnPackets } from '../ip/own-packets';
import { BuildWord, IcmpWord, IpProtocol, Word } from '../segment/layout';
import {
  HARDWARE_LENGTH,
  solicitedNode,
  writeHardware,
  type HardwareAddress,
} from './hardware-address';
import { hardwareOption, NdpOption } from './ndp-options';

/** Types of ICMPv6 (RFC 4861 §4). */
export const enum Ndp {
  RouterSolicitation = 133,
  RouterAdvertisement = 134,
  NeighborSolicitation = 135,
  NeighborAdvertisement = 136,
  Redirect = 137,
}

/** Flags of an advertisement, in the word behind the checksum. */
export const enum NaFlag {
  Router = 0x80000000 | 0,
  Solicited = 0x40000000,
  Override = 0x20000000,
}

/** Operations of ARP (RFC 826). */
export const enum ArpOperation {
  Request = 1,
  Reply = 2,
}

/** RFC 4861 §7.1: who isn't on the link can't send so. */
export const NDP_HOP_LIMIT = 255;

const ADDRESS = 16;
const OPTION = 8;
/** ff02::1 and ff02::2. */
export const ALL_NODES: IpAddress = { w0: 0xff020000 | 0, w1: 0, w2: 0, w3: 1 };
export const ALL_ROUTERS: IpAddress = { w0: 0xff020000 | 0, w1: 0, w2: 0, w3: 2 };

const scratch = new Uint8Array(ADDRESS + OPTION);

/** From whom messages go. */
export interface Sender {
  readonly own: OwnPackets;
  readonly hardware: HardwareAddress;
}

/** @param to whom the frame is for, in a reply also the target */
export function sendArp(
  { own }: Sender,
  operation: ArpOperation,
  source: IpAddress,
  target: IpAddress,
  to: HardwareAddress,
): void {
  const base = own.push(0);
  if (base < 0) return;
  const { words } = own;
  words[base + Word.Family] = 4;
  words[base + Word.Protocol] = IpProtocol.Arp;
  words[base + IcmpWord.Kind] = operation;
  writeAddress(source, words, base + Word.Source);
  writeAddress(target, words, base + Word.Destination);
  words[base + BuildWord.MacHigh] = to.high;
  words[base + BuildWord.MacLow] = to.low;
}

/** Writes the headers; the payload's `length` bytes are in `scratch`. */
function sendNdp(
  { own }: Sender,
  type: Ndp,
  rest: number,
  source: IpAddress,
  destination: IpAddress,
  length: number,
): void {
  const base = own.push(length);
  if (base < 0) return;
  const { words } = own;
  words[base + Word.Family] = 6;
  words[base + Word.Protocol] = IpProtocol.Icmp6;
  words[base + Word.HopLimit] = NDP_HOP_LIMIT;
  words[base + IcmpWord.Kind] = type << 8;
  words[base + IcmpWord.Rest] = rest;
  writeAddress(source, words, base + Word.Source);
  writeAddress(destination, words, base + Word.Destination);
  own.append(scratch, 0, length);
}

function writeOption(type: NdpOption, hardware: HardwareAddress, at: number): number {
  hardwareOption(type, scratch, at);
  writeHardware(hardware, scratch, at + 2);
  return at + 2 + HARDWARE_LENGTH;
}

function writeTarget({ w0, w1, w2, w3 }: IpAddress): number {
  [w0, w1, w2, w3].forEach((word, i) => {
    for (let j = 0; j < 4; j++) scratch[4 * i + j] = word >>> (24 - 8 * j);
  });
  return ADDRESS;
}

/**
 * Asks who has `target` (RFC 4861 §4.3).
 * @param source `::` where that is what is to be found out (RFC 4862 §5.4.2)
 * @param unicast asks the one who is said to have it
 */
export function sendSolicitation(
  from: Sender,
  target: IpAddress,
  source: IpAddress,
  unicast: boolean,
): void {
  let length = writeTarget(target);
  if (!isWildcard(source)) length = writeOption(NdpOption.SourceHardware, from.hardware, length);
  const to = unicast ? target : solicitedNode(target);
  sendNdp(from, Ndp.NeighborSolicitation, 0, source, to, length);
}

/** Says that `target` is ours (RFC 4861 §4.4); what was asked of us alone needs no option. */
export function sendAdvertisement(
  from: Sender,
  target: IpAddress,
  to: IpAddress,
  flags: number,
  withHardware: boolean,
): void {
  let length = writeTarget(target);
  if (withHardware) length = writeOption(NdpOption.TargetHardware, from.hardware, length);
  sendNdp(from, Ndp.NeighborAdvertisement, flags, target, to, length);
}

/** Asks for routers (RFC 4861 §4.1). */
export function sendRouterSolicitation(from: Sender, source: IpAddress | null): void {
  const length = source === null ? 0 : writeOption(NdpOption.SourceHardware, from.hardware, 0);
  sendNdp(from, Ndp.RouterSolicitation, 0, source ?? ANY6, ALL_ROUTERS, length);
}
