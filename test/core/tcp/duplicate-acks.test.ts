import { Flag } from '../../../lib/core/segment/layout';
import { Lab, type LabHost, type LabOptions, pattern, transfer } from '../../support/lab';

const TCP = 20;

/** Whether the packet, IPv4 without options, carries payload. */
function hasPayload(packet: Uint8Array): boolean {
  return packet.length > TCP + (packet[TCP + 12] >> 4) * 4;
}

/** The window field plus `by`, and the checksum as RFC 1624 has it. */
function widen(packet: Uint8Array, by: number): void {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const before = view.getUint16(TCP + 14);
  const after = (before + by) & 0xffff;
  view.setUint16(TCP + 14, after);
  let sum = (~view.getUint16(TCP + 16) & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(TCP + 16, ~sum);
}

/** Sends 300 kB while the wire loses the segments of data with these numbers, once each. */
function lose(
  numbers: readonly number[],
  options: LabOptions,
  other: (packet: Uint8Array, from: LabHost) => void = () => undefined,
) {
  const lab = new Lab(options);
  const { client, server } = lab.pair();
  let data = 0;
  lab.filter = (packet, from) => {
    other(packet, from);
    return from === lab.a && hasPayload(packet) && numbers.includes(data++) ? false : undefined;
  };
  const bytes = pattern(300_000);
  expect(Buffer.compare(transfer(lab, client, server, bytes), bytes)).toBe(0);
  return lab.a.core.counters;
}

describe('a lost segment is found by duplicate acknowledgments', () => {
  test('whose window grows, when they report data behind a hole (RFC 6675 §2)', () => {
    let acknowledgments = 0;
    const counters = lose([20], {}, (packet, from) => {
      if (from.name !== 'b' || (packet[TCP + 13] & Flag.SYN) !== 0) return;
      widen(packet, ++acknowledgments);
    });
    expect(counters).toMatchObject({ TcpExtTCPFastRetrans: 1, TcpExtTCPTimeouts: 0 });
  });

  test('not whose window grows, without SACK (RFC 5681 §2)', () => {
    let acknowledgments = 0;
    const counters = lose([20], { tcp: { sack: 0 } }, (packet, from) => {
      if (from.name !== 'b' || (packet[TCP + 13] & Flag.SYN) !== 0) return;
      widen(packet, ++acknowledgments);
    });
    expect(counters).toMatchObject({ TcpExtTCPFastRetrans: 0, TcpExtTCPTimeouts: 1 });
  });

  test.each([0, 1])('in a window of three segments: limited transmit, SACK %d', (sack) => {
    const counters = lose([0], { tcp: { initialCwnd: 3, sack } });
    expect(counters).toMatchObject({ TcpExtTCPFastRetrans: 1, TcpExtTCPTimeouts: 0 });
  });
});

test('the first segment after a recovery is lost as well: SACK tells the two apart', () => {
  let recovering = false;
  let done = false;
  const lab = new Lab();
  const { client, server } = lab.pair();
  let highest = 0;
  let count = 0;
  lab.filter = (packet, from) => {
    if (from !== lab.a || !hasPayload(packet)) return undefined;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const seq = view.getUint32(TCP + 4);
    if (count++ === 20) {
      recovering = true;
      return false;
    }
    if (lab.a.core.counters.TcpExtTCPFastRetrans === 0) highest = Math.max(highest, seq);
    if (!recovering || done || seq <= highest) return undefined;
    // The first byte that recovery does not cover.
    done = true;
    return false;
  };
  const bytes = pattern(300_000);
  expect(Buffer.compare(transfer(lab, client, server, bytes), bytes)).toBe(0);
  expect(done).toBe(true);
  expect(lab.a.core.counters).toMatchObject({ TcpExtTCPFastRetrans: 2, TcpExtTCPTimeouts: 0 });
});
