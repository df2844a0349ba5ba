import fc from 'fast-check';
import { Flag } from '../../../lib/core/segment/layout';
import { Segment } from '../../../lib/core/segment/segment';
import { isAcceptable, trimToWindow } from '../../../lib/core/tcp/acceptability';
import type { Connection } from '../../../lib/core/tcp/connection';

/** A segment as the list of what its sequence numbers stand for (RFC 9293 §3.4). */
interface Model {
  /** Position of the first, which never wraps. */
  readonly first: bigint;
  readonly content: readonly ('SYN' | 'FIN' | number)[];
}

const numberOf = (at: bigint) => Number(BigInt.asIntN(32, at));

/** Offset of the payload in its slab. */
const OFFSET = 1000;

const segment = fc
  .record({
    first: fc
      .tuple(fc.constantFrom(2n ** 33n, 2n ** 33n + 2n ** 31n), fc.bigInt(-60n, 10n))
      .map(([edge, offset]) => edge + offset),
    syn: fc.boolean(),
    fin: fc.boolean(),
    length: fc.oneof(fc.nat(3), fc.nat(60)),
  })
  .map(({ first, syn, fin, length }): Model => {
    const payload = Array.from({ length }, (_, i) => OFFSET + i);
    return {
      first,
      content: [...(syn ? (['SYN'] as const) : []), ...payload, ...(fin ? (['FIN'] as const) : [])],
    };
  });

function made({ first, content }: Model): Segment {
  const seg = new Segment();
  seg.seq = numberOf(first);
  seg.flags = Flag.ACK | Flag.PSH;
  if (content[0] === 'SYN') seg.flags |= Flag.SYN;
  if (content.at(-1) === 'FIN') seg.flags |= Flag.FIN;
  seg.offset = OFFSET;
  seg.length = content.filter((part) => typeof part === 'number').length;
  return seg;
}

/** What the segment's fields say that it holds. */
function contentOf(seg: Segment): Model['content'] {
  const payload = Array.from({ length: seg.length }, (_, i) => seg.offset + i);
  return [
    ...(seg.isSyn ? (['SYN'] as const) : []),
    ...payload,
    ...(seg.isFin ? (['FIN'] as const) : []),
  ];
}

describe('a segment against the list of its sequence numbers', () => {
  test('has a number for each byte, for SYN and for FIN', () => {
    fc.assert(
      fc.property(segment, (model) => {
        const seg = made(model);
        expect(seg.len).toBe(model.content.length);
        expect(seg.end).toBe(numberOf(model.first + BigInt(model.content.length)));
      }),
    );
  });

  test('loses what is trimmed, from the front and from the back', () => {
    fc.assert(
      fc.property(segment, fc.nat(70), fc.nat(70), (model, front, back) => {
        const seg = made(model);
        const before = Math.min(front, model.content.length);
        seg.trimFront(before);
        const rest = model.content.slice(before);
        expect(seg.seq).toBe(numberOf(model.first + BigInt(before)));
        expect(contentOf(seg)).toEqual(rest);
        // A SYN is what comes first: nothing cuts it from behind.
        const behind = Math.min(back, rest.filter((part) => part !== 'SYN').length);
        seg.trimBack(behind);
        expect(contentOf(seg)).toEqual(rest.slice(0, rest.length - behind));
        expect(seg.seq).toBe(numberOf(model.first + BigInt(before)));
        expect(seg.flags & (Flag.ACK | Flag.PSH)).toBe(Flag.ACK | Flag.PSH);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the window against the list of a segment’s numbers', () => {
  const shift = fc.bigInt(-70n, 70n);
  const window = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(80));

  test('accepts what RFC 9293 §3.4, table 6, accepts', () => {
    fc.assert(
      fc.property(segment, shift, window, ({ first, content }, offset, wnd) => {
        const rcvNxt = first + offset;
        const inWindow = (at: bigint) => rcvNxt <= at && at < rcvNxt + BigInt(wnd);
        const last = first + BigInt(content.length) - 1n;
        let expected = inWindow(first) || inWindow(last);
        if (content.length === 0) expected = wnd === 0 ? first === rcvNxt : inWindow(first);
        const [edge, seq] = [numberOf(rcvNxt), numberOf(first)];
        expect(isAcceptable(edge, wnd, seq, content.length)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('cuts what is old, and what begins beyond it; a FIN may stand just behind', () => {
    fc.assert(
      fc.property(segment, shift, window, (model, offset, wnd) => {
        // A SYN in the window is refused before anything behind it counts.
        fc.pre(model.content[0] !== 'SYN' || offset > 0n);
        const seg = made(model);
        const rcvNxt = model.first + offset;
        const right = rcvNxt + BigInt(wnd);
        trimToWindow({ rcvNxt: numberOf(rcvNxt), receiveWindow: wnd } as Connection, seg);
        const kept = model.content.filter((part, i) => {
          const at = model.first + BigInt(i);
          if (at < rcvNxt) return false;
          const begins = model.first > rcvNxt ? model.first : rcvNxt;
          return begins < right || (part === 'FIN' && at === right);
        });
        expect(contentOf(seg)).toEqual(kept);
      }),
      { numRuns: 1000 },
    );
  });
});
