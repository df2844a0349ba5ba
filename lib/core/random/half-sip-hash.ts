/**
 * HalfSipHash-1-3 (J.-P. Aumasson, D. J. Bernstein; 64-bit key, 32-bit result) of a four-tuple:
 * the hash that the connection table is indexed by. The key keeps a remote host from choosing
 * tuples that collide. `native/core/flow_hash.h` computes the same.
 *
 * The message is 36 bytes, as nine little-endian words: local address, remote address (four words
 * each, as in the descriptor), local port << 16 | remote port.
 */
import type { IpAddress } from '../ip/address';
import { Word } from '../segment/layout';

const WORDS = 9;
/** The last word of the message as hashed: its length in bytes, modulo 256, in the top byte. */
const LENGTH_WORD = (WORDS * 4) << 24;

/** The message, filled by the caller of `hashMessage`. */
const message = new Int32Array(WORDS + 1);
message[WORDS] = LENGTH_WORD;

function hashMessage(key: Int32Array): number {
  let v0 = key[0] | 0;
  let v1 = key[1] | 0;
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  // One round for each word, its word mixed in before and after; three more at the end.
  for (let i = 0; i < WORDS + 4; i++) {
    const m = i <= WORDS ? message[i] : 0;
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
    if (i === WORDS) v2 ^= 0xff;
  }
  return v1 ^ v3;
}

/**
 * Hash of the four-tuple of a received descriptor: its destination is the local end.
 * @param key two words
 * @param words descriptors
 * @param base first word of the descriptor
 * @returns int32
 */
export function fourTupleHash(key: Int32Array, words: Int32Array, base: number): number {
  for (let i = 0; i < 4; i++) {
    message[i] = words[base + Word.Destination + i];
    message[4 + i] = words[base + Word.Source + i];
  }
  message[8] = (words[base + Word.DestinationPort] << 16) | words[base + Word.SourcePort];
  return hashMessage(key);
}

/** The same hash, of two endpoints; int32. */
export function endpointsHash(
  key: Int32Array,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
): number {
  message[0] = local.w0;
  message[1] = local.w1;
  message[2] = local.w2;
  message[3] = local.w3;
  message[4] = remote.w0;
  message[5] = remote.w1;
  message[6] = remote.w2;
  message[7] = remote.w3;
  message[8] = (localPort << 16) | remotePort;
  return hashMessage(key);
}
