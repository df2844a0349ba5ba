import { countIcmp } from '../icmp/icmp-counters';
import { Icmp4 } from '../icmp/icmp-error';
import { ipv4, readAddress } from '../ip/address';
import { isFragment, isIcmp, isTcp } from '../segment/kind';
import { Checksum, IcmpWord, IpProtocol, Option, Word } from '../segment/layout';
import { isNdp } from './ndp';
import { word } from './ndp-options';
import type { Neighborhood } from './neighborhood';

/** Of the quoted IPv4 header. */
const IPV4_HEADER = 20;
const IPV4_DESTINATION = 16;

/**
 * Takes what is about the link itself: ARP, neighbour discovery, redirects. So is a TCP segment
 * that was sent to more than one host of it (RFC 1122 §3.3.6; Linux: pkt_type), which is dropped.
 * @returns false: the packet is for somebody else
 */
export function neighborTakes(stack: Neighborhood, words: Int32Array, base: number): boolean {
  const protocol = words[base + Word.Protocol];
  if (protocol === IpProtocol.Tcp) {
    if ((words[base + Word.Options] & Option.LinkMulticast) === 0) return false;
    if (!isTcp(words, base)) return false;
    count(stack, words, base);
    return true;
  }
  if (protocol === IpProtocol.Arp) {
    stack.arpArrives(words, base);
    return true;
  }
  if (!isIcmp(words, base) || isFragment(words, base)) return false;
  if (words[base + Word.Family] === 4) {
    if (words[base + IcmpWord.Kind] >>> 8 !== (Icmp4.Redirect as number)) return false;
    if (countMessage(stack, words, base)) redirected(stack, words, base);
    return true;
  }
  if (!isNdp(words, base)) return false;
  if (countMessage(stack, words, base)) stack.ndpArrives(words, base);
  return true;
}

function count({ counters }: Neighborhood, words: Int32Array, base: number): void {
  if (words[base + Word.Family] === 4) counters.IpInReceives++;
  else counters.Ip6InReceives++;
}

/** Whether its checksum is right. */
function countMessage(stack: Neighborhood, words: Int32Array, base: number): boolean {
  const { counters } = stack;
  const family = words[base + Word.Family] === 4 ? 4 : 6;
  count(stack, words, base);
  if (family === 4) counters.IpInDelivers++;
  else counters.Ip6InDelivers++;
  const intact = words[base + Word.Checksum] !== Checksum.Bad;
  return countIcmp(counters, family, words[base + IcmpWord.Kind] >>> 8, intact);
}

/** RFC 792, RFC 1122 §3.2.2.2: of the host that the quoted packet was for, whatever it says. */
function redirected(stack: Neighborhood, words: Int32Array, base: number): void {
  if (words[base + Word.PayloadLength] < IPV4_HEADER) return;
  const slab = stack.slabs.slabs[words[base + Word.Slab]];
  const destination = ipv4(word(slab, words[base + Word.PayloadOffset] + IPV4_DESTINATION));
  const router = readAddress(words, base + Word.Source);
  stack.redirected4(router, destination, ipv4(words[base + IcmpWord.Rest]));
}
