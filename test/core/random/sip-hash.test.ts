import fc from 'fast-check';
import { SipHash } from '../../../lib/core/random/sip-hash';
import { Xoshiro } from '../../../lib/core/random/xoshiro';

const MASK = (1n << 64n) - 1n;

/** SipHash-2-4 of bytes, as the paper describes it, in numbers of any size. */
function reference(key: Buffer, message: Buffer): bigint {
  const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (64n - bits))) & MASK;
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn;
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) & MASK;
      v1 = rotate(v1, 13n) ^ v0;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v3) & MASK;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = (v0 + v3) & MASK;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = (v2 + v1) & MASK;
      v1 = rotate(v1, 17n) ^ v2;
      v2 = rotate(v2, 32n);
    }
  };
  const padded = Buffer.alloc(Math.floor(message.length / 8) * 8 + 8);
  message.copy(padded);
  padded[padded.length - 1] = message.length & 255;
  for (let at = 0; at < padded.length; at += 8) {
    const block = padded.readBigUInt64LE(at);
    v3 ^= block;
    rounds(2);
    v0 ^= block;
  }
  v2 ^= 0xffn;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

const words = (bytes: Buffer) =>
  Int32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(4 * i));

const number = (hash: SipHash) =>
  (BigInt.asUintN(32, BigInt(hash.high)) << 32n) | BigInt.asUintN(32, BigInt(hash.low));

describe('SipHash-2-4', () => {
  // The designers' vectors for messages 00 01 02 …, as `openssl mac SIPHASH` gives them too.
  test.each([
    [0, '310e0edd47db6f72'],
    [4, 'b7877127e09427cf'],
    [8, '6224939a79f5f593'],
    [12, 'fbe50e86bc8f1e75'],
    [36, 'b4a31508beff4d31'],
  ])('%i bytes', (length, expected) => {
    const bytes = Buffer.from(Array.from({ length: 36 }, (_, i) => i));
    const hash = new SipHash(words(bytes.subarray(0, 16)));
    expect(hash.hash(words(bytes), length / 4)).toBe(hash.low);
    const result = Buffer.alloc(8);
    result.writeBigUInt64LE(number(hash));
    expect(result.toString('hex')).toBe(expected);
  });

  test('agrees with the definition', () => {
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const message = fc
      .uint8Array({ maxLength: 80 })
      .map((bytes) => bytes.subarray(bytes.length % 4));
    fc.assert(
      fc.property(key, message, (k, m) => {
        const hash = new SipHash(words(Buffer.from(k)));
        hash.hash(words(Buffer.from(m)), m.length / 4);
        expect(number(hash)).toBe(reference(Buffer.from(k), Buffer.from(m)));
      }),
    );
  });

  test('takes its key from the source of randomness', () => {
    const message = Int32Array.of(1, 2, 3);
    const hashes = [1, 1, 2].map((seed) => SipHash.random(new Xoshiro(seed)).hash(message, 3));
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });
});
