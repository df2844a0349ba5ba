import { Word } from '../core/segment/layout';
import { isFragment } from '../core/segment/kind';
import { buildPacket, packetLength } from './build';
import { IPV6_EXTENSION } from './headers';
import { ipHeaderLength, makeFragmentHeader, writeIpHeader } from './ip-header';

/**
 * The bytes of a packet that was received, from its descriptor and its payload, with right
 * checksums. What the descriptor doesn't say is lost: IP options and extension headers, the flow
 * label of a fragment, bytes behind a UDP datagram.
 * @returns an empty array for what can't be built
 */
export function buildReceived(words: Int32Array, payload: Uint8Array): Uint8Array {
  if (isFragment(words, 0)) return buildFragment(words, payload);
  const bytes = new Uint8Array(packetLength(words, 0));
  const slices = words[Word.SliceCount];
  words[Word.SliceCount] = payload.length > 0 ? 1 : 0;
  buildPacket(words, 0, Int32Array.of(0, 0, payload.length), 0, [payload], bytes, 0);
  words[Word.SliceCount] = slices;
  return bytes;
}

function buildFragment(words: Int32Array, payload: Uint8Array): Uint8Array {
  const is6 = words[Word.Family] === 6;
  const ip = ipHeaderLength(words, 0);
  const bytes = new Uint8Array(ip + (is6 ? IPV6_EXTENSION : 0) + payload.length);
  const id = words[Word.Identification];
  // In IPv6 the flow label would stand there.
  if (is6) words[Word.Identification] = 0;
  writeIpHeader(words, 0, bytes, 0, bytes.length);
  words[Word.Identification] = id;
  const start = makeFragmentHeader(bytes, 0, ip, words[Word.Fragment], id, payload.length);
  bytes.set(payload, start);
  return bytes;
}
