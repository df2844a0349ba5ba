import { CaState } from '../../../../lib/core/tcp/connection';
import { Mark } from '../../../../lib/core/tcp/sent-queue';
import { at, MSS, range, Sender } from './sender';

/** Ten segments in flight. */
function ten(segments = 10): Sender {
  const s = new Sender();
  s.write(segments);
  s.sent();
  return s.pass(100);
}

/** Numbers of the segments in flight that are SACKed. */
function sacked({ f }: Sender): number[] {
  const rows: number[] = [];
  for (let row = f.head; row !== f.tail; row = f.next(row)) {
    if (f.has(row, Mark.Sacked)) rows.push((f.seq(row) - f.seq(f.head)) / MSS);
  }
  return rows;
}

describe('SACK blocks (RFC 2018 §3, RFC 6675 §4)', () => {
  test('mark what they cover, in any order', () => {
    const s = ten();
    s.ack(0, [8, 9], [1, 2], [4, 6]);
    expect(sacked(s)).toEqual([1, 4, 5, 8]);
    expect(s.c.delivered).toBe(4);
    s.ack(0, [1, 9]);
    expect(sacked(s)).toEqual(range(1, 9));
    expect(s.c.delivered).toBe(8);
    s.ack(10);
    expect(s.c.delivered).toBe(10);
  });

  test('a part of a segment is not a segment', () => {
    const s = ten();
    s.ack(0, [1.5, 3.5], [6, 6.999]);
    expect(sacked(s)).toEqual([2]);
    expect(s.f.fack).toBe((s.f.seq(s.f.head) + 3 * MSS) | 0);
  });

  test.each([
    ['beyond what was sent', [10, 11]],
    ['partly beyond it', [9, 10.001]],
    ['empty', [3, 3]],
    ['turned round', [4, 2]],
  ] as const)('%s: counted, and nothing more', (_, block) => {
    const s = ten();
    s.ack(0, block);
    expect(sacked(s)).toEqual([]);
    expect(s.counters.TcpExtTCPSACKDiscard).toBe(1);
    expect([s.c.caState, s.c.cwnd]).toEqual([CaState.Open, 10]);
  });

  test('below what was acknowledged: known, and of no interest', () => {
    const s = ten();
    s.ack(5);
    s.tell({ ack: at(3) }, [[3, 4]]);
    expect(sacked(s)).toEqual([]);
    expect(s.counters).toMatchObject({ TcpExtTCPSACKDiscard: 0, TcpExtTCPDSACKRecv: 0 });
  });

  test('an acknowledgment that was overtaken tells of what is SACKed all the same', () => {
    const s = ten();
    s.ack(2);
    s.tell({ ack: at(1) }, [[4, 6]]);
    expect(sacked(s)).toEqual([2, 3]);
  });

  test('half of the sequence space away: nothing happens, whatever it says', () => {
    const s = ten();
    for (const left of [-0x7fff_0000, 0x7fff_0000, -1, 0x4000_0000]) {
      for (const length of [1, 10_000, 0x7fff_ffff, -1]) {
        s.peer.say('.', { ack: 1, sack: [[left, left + length]] });
      }
    }
    expect(sacked(s)).toEqual([]);
    expect(s.c.caState).toBe(CaState.Open);
    s.ack(10);
    expect(s.c.delivered).toBe(10);
  });

  test('what was SACKed and lost is lost no more', () => {
    const s = ten();
    s.ack(0, [3, 6]);
    expect(s.sent()).toEqual([0]);
    expect([s.f.sackedOut, s.f.lostOut, s.f.retransOut]).toEqual([3, 3, 1]);
    s.ack(0, [1, 6]);
    expect([s.f.sackedOut, s.f.lostOut, s.f.retransOut]).toEqual([5, 1, 1]);
  });
});

describe('a peer that takes back what it SACKed (RFC 2018 §8)', () => {
  test('is waited for, half a round trip at most; then all is sent again', () => {
    const s = ten(6);
    s.ack(0, [1, 6]);
    expect(s.sent()).toEqual([0]);
    s.pass(100).ack(1);
    // The oldest was SACKed, and yet not acknowledged.
    const since = s.now;
    s.pass(60);
    const wait = s.c.srtt >> 4;
    expect(s.times(since)).toEqual([`${wait / 1000} ms 1`]);
    expect(s.counters).toMatchObject({ TcpExtTCPSACKReneging: 1, TcpExtTCPTimeouts: 1 });
    expect([s.f.sackedOut, s.f.lostOut, s.c.caState]).toEqual([0, 5, CaState.Loss]);
    for (let una = 2; una <= 6; una++) s.pass(100).ack(una);
    expect(s.c.inFlight).toBe(0);
  });

  test('unless it acknowledges meanwhile: it was only slow', () => {
    const s = ten(6);
    s.ack(0, [1, 6]);
    s.pass(100).ack(1).pass(5).ack(6);
    s.sent();
    s.pass(1000);
    expect(s.sent()).toEqual([]);
    expect(s.counters.TcpExtTCPSACKReneging).toBe(0);
  });
});

describe('duplicates that the peer reports (RFC 2883)', () => {
  test('§4.1.1: a duplicate segment, in order', () => {
    const s = ten();
    s.ack(2, [1, 2]);
    expect(s.counters).toMatchObject({ TcpExtTCPDSACKRecv: 1, TcpExtTCPDSACKOfoRecv: 0 });
    // We have sent nothing twice: the network has.
    expect([s.c.caState, s.f.undoRetrans, s.f.dsackSeen]).toEqual([CaState.Open, 0, false]);
    expect(sacked(s)).toEqual([]);
  });

  test('§4.1.3: a duplicate beyond the hole, its block within the second', () => {
    const s = ten();
    s.ack(0, [2, 3], [1, 4]);
    expect(s.counters).toMatchObject({ TcpExtTCPDSACKRecv: 0, TcpExtTCPDSACKOfoRecv: 1 });
    expect(sacked(s)).toEqual([1, 2, 3]);
  });

  test('§4.2: parts of segments', () => {
    const s = ten();
    s.ack(2, [0.5, 1.5]);
    s.ack(3, [2.25, 2.5], [5, 6]);
    expect(s.counters.TcpExtTCPDSACKRecv).toBe(2);
    expect(sacked(s)).toEqual([2]);
  });

  test('an ordinary first block is none', () => {
    const s = ten();
    s.ack(0, [5, 6], [2, 3]);
    s.ack(0, [2, 4], [5, 6]);
    expect(s.counters).toMatchObject({ TcpExtTCPDSACKRecv: 0, TcpExtTCPDSACKOfoRecv: 0 });
  });

  test('a duplicate acknowledgment that reports one says nothing of a loss (§5)', () => {
    const s = new Sender({ tcp: { sendBuffer: 8_000_000, recovery: 0 } });
    s.write(10);
    s.pass(100).ack(2);
    s.sent();
    for (let i = 0; i < 5; i++) s.ack(2, [0, 1]);
    expect([s.c.caState, s.f.sackedOut]).toEqual([CaState.Open, 0]);
    expect(s.sent()).toEqual([]);
  });

  test('one that is longer than any window is ignored', () => {
    const s = ten();
    s.peer.say('.', { ack: at(5), sack: [[at(5) - 0x2000_0000, at(5)]] });
    expect(s.counters).toMatchObject({
      TcpExtTCPDSACKRecv: 1,
      TcpExtTCPDSACKRecvSegs: 0,
      TcpExtTCPDSACKIgnoredDubious: 1,
      TcpExtTCPSACKDiscard: 1,
    });
  });
});
