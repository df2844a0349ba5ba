import { load16, store16 } from '../codec/bytes';
import { fold } from '../codec/checksum';
import { Word } from '../core/segment/layout';
import type { Packet } from './engine/packet';

/** The two bits of ECN in TOS and traffic class (RFC 3168 §5). */
const ECN_MASK = 3;
const CE = 3;
const IPV4_CHECKSUM = 10;

/**
 * Marks the packet CE.
 * @returns false where its ends don't understand that (Not-ECT)
 */
export function markCongestion(packet: Packet): boolean {
  const { words, spoilt } = packet;
  if ((words[Word.TrafficClass] & ECN_MASK) === 0) return false;
  words[Word.TrafficClass] |= CE;
  if (spoilt !== null) {
    // The second byte has them in IPv4 as its last bits, in IPv6 in the middle (RFC 8200 §3).
    const bits = isIpv4(spoilt) ? CE : CE << 4;
    packet.spoilt = changed(spoilt, 0, load16(spoilt, 0) | bits);
  }
  return true;
}

/**
 * Takes one from TTL or hop limit.
 * @returns false where nothing is left: the packet may not be forwarded (RFC 1812 §5.3.1)
 */
export function decrementHopLimit(packet: Packet): boolean {
  const { words, spoilt } = packet;
  if (spoilt === null) return --words[Word.HopLimit] > 0;
  const at = isIpv4(spoilt) ? 8 : 6;
  const field = load16(spoilt, at);
  // TTL is the first byte of its pair, hop limit the second.
  const left = (isIpv4(spoilt) ? field >> 8 : field & 0xff) - 1;
  if (left <= 0) return false;
  words[Word.HopLimit] = left;
  packet.spoilt = changed(spoilt, at, field - (isIpv4(spoilt) ? 0x100 : 1));
  return true;
}

function isIpv4(bytes: Uint8Array): boolean {
  return bytes[0] >> 4 === 4;
}

/**
 * A copy with another 16-bit field in the IP header. IPv4's checksum changes with it (RFC 1624 §3,
 * equation 3), so that one that was wrong stays so.
 */
function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  store16(copy, at, value);
  if (!isIpv4(bytes)) return copy;
  const sum = (~load16(bytes, IPV4_CHECKSUM) & 0xffff) + (~load16(bytes, at) & 0xffff) + value;
  store16(copy, IPV4_CHECKSUM, ~fold(sum) & 0xffff);
  return copy;
}
