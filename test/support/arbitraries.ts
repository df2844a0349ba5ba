import fc from 'fast-check';
import type { Fields } from './segments';

const uint16 = fc.nat(0xffff);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

const address4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => parts.join('.'));
const address6 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 7, maxLength: 7 })
  .map((groups) => [0x2001, ...groups].map((group) => group.toString(16)).join(':'));
const endpoints = fc.oneof(fc.tuple(address4, address4), fc.tuple(address6, address6));

/** Ports that no dissector knows. */
const port = fc.integer({ min: 40_000, max: 45_000 });

/** Segments as a stack sends them, of both families, with any of the options. */
export const segmentFields: fc.Arbitrary<Fields> = fc
  .record({
    ends: endpoints,
    sourcePort: port,
    destinationPort: port,
    sequence: int32,
    acknowledgment: int32,
    flags: fc.nat(0xff),
    window: uint16,
    urgent: uint16,
    hopLimit: fc.integer({ min: 1, max: 255 }),
    trafficClass: fc.nat(255),
    identification: uint16,
    mss: fc.option(uint16, { nil: undefined }),
    windowScale: fc.option(fc.nat(14), { nil: undefined }),
    sackPermitted: fc.boolean(),
    timestamps: fc.option(fc.tuple(int32, int32), { nil: undefined }),
    sack: fc.option(fc.array(fc.tuple(int32, int32), { minLength: 1, maxLength: 4 }), {
      nil: undefined,
    }),
    payload: fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 4 }),
  })
  .map(({ ends: [from, to], ...rest }) => ({ from, to, ...rest }));
