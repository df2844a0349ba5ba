import fc from 'fast-check';
import { fold, sumBytes } from '../../lib/codec/checksum';
import { plainSum } from '../support/packets';

describe('the Internet checksum', () => {
  test('RFC 1071 §3: the example of its text', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(fold(sumBytes(bytes, 0, 8))).toBe(0xddf2);
  });

  test('equals the sum by the book at any place, of any length', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.nat(40), (all, from) => {
        const start = Math.min(from, all.length);
        const sum = fold(sumBytes(all, start, all.length - start));
        expect(sum).toBe(plainSum(all, start, all.length));
      }),
    );
  });

  test('holds all carries of the longest packet', () => {
    const bytes = new Uint8Array(65_575).fill(0xff);
    expect(fold(sumBytes(bytes, 0, 65_575))).toBe(plainSum(bytes, 0, 65_575));
    expect(fold(sumBytes(bytes, 1, 65_574))).toBe(0xffff);
    expect(sumBytes(bytes, 0, 65_575)).toBeLessThan(2 ** 28);
  });
});
