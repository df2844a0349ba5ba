import { load16, store16 } from '../codec/bytes';
import { fold, sumBytes } from '../codec/checksum';

const HEADER = 20;
const CHECKSUM = 10;
const FLAGS = 6;
const MORE = 0x2000;
const OFFSET = 0x1fff;
const NO_OPERATION = 1;
const COPIED = 0x80;

/**
 * An IPv4 packet as fragments that fit (RFC 791 §3.2); it may be a fragment itself.
 * @param packet with a sound header and without DF, longer than `mtu`
 * @param mtu bytes, 68 or more
 */
export function splitPacket(packet: Uint8Array, mtu: number): Uint8Array[] {
  const header = (packet[0] & 15) * 4;
  const end = load16(packet, 2);
  const flags = load16(packet, FLAGS);
  const room = (mtu - header) & ~7;
  const fragments: Uint8Array[] = [];
  for (let at = header; at < end; at += room) {
    const carried = Math.min(room, end - at);
    const fragment = new Uint8Array(header + carried);
    fragment.set(packet.subarray(0, header));
    fragment.set(packet.subarray(at, at + carried), header);
    if (at > header) dropOptions(fragment, header);
    const more = at + carried < end ? MORE : flags & MORE;
    const offset = (flags & OFFSET) + ((at - header) >> 3);
    store16(fragment, 2, fragment.length);
    store16(fragment, FLAGS, more | offset);
    store16(fragment, CHECKSUM, 0);
    store16(fragment, CHECKSUM, ~fold(sumBytes(fragment, 0, header)) & 0xffff);
    fragments.push(fragment);
  }
  return fragments;
}

/** Options that only the first fragment has become such that do nothing. */
function dropOptions(fragment: Uint8Array, header: number): void {
  for (let at = HEADER; at < header && fragment[at] !== 0;) {
    const length = fragment[at] === NO_OPERATION ? 1 : Math.max(fragment[at + 1], 2);
    const end = Math.min(at + length, header);
    if ((fragment[at] & COPIED) === 0) fragment.fill(NO_OPERATION, at, end);
    at = end;
  }
}
