import { CaState, Has, type Connection } from '../../../../lib/core/tcp/connection';
import type { Flight } from '../../../../lib/core/tcp/flight';
import { countSent, reduceWindow } from '../../../../lib/core/tcp/prr';
import { Sender, range } from './sender';

/** As much of a connection as the arithmetic looks at. */
function recovery(cwnd: number, ssthresh: number, inFlight: number) {
  const f = { inFlight, prrDelivered: 0, prrOut: 0 };
  const c = { cwnd, ssthresh, priorCwnd: cwnd, caState: CaState.Recovery, has: () => true };
  return {
    f,
    c,
    /** What an acknowledgment lets leave; it leaves. */
    acked(delivered: number, losses = 0, advanced = false): number {
      f.inFlight -= delivered + losses;
      reduceWindow(c as unknown as Connection, f as unknown as Flight, delivered, losses, advanced);
      const sent = Math.max(c.cwnd - f.inFlight, 0);
      countSent(c as unknown as Connection, f as unknown as Flight, sent);
      f.inFlight += sent;
      return sent;
    },
  };
}

describe('proportional rate reduction (RFC 9937 §5)', () => {
  test('the proportional part: seven for ten, evenly', () => {
    const r = recovery(20, 14, 19);
    const sent = range(0, 19).map(() => r.acked(1));
    // The first leaves at once; at the end of the round trip `ssthresh` segments are in flight.
    expect(sent[0]).toBe(1);
    expect(sent.reduce((sum, one) => sum + one, 0)).toBe(14);
    expect(Math.max(...sent)).toBe(1);
    expect(r.f.inFlight).toBe(14);
  });

  test('halved: every second acknowledgment lets one leave', () => {
    const r = recovery(20, 10, 19);
    expect(range(0, 10).map(() => r.acked(1))).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
  });

  test('a burst of losses: as many leave as were delivered, one more when it is safe', () => {
    const r = recovery(20, 10, 5);
    expect(r.acked(1)).toBe(1);
    expect(r.acked(1, 0, true)).toBe(2);
    expect(r.acked(1, 0, true)).toBe(2);
    expect(r.f.inFlight).toBe(7);
    // More is lost: it is not safe.
    expect(r.acked(1, 1, true)).toBe(1);
  });

  test('never beyond ssthresh', () => {
    const r = recovery(20, 10, 10);
    expect(r.acked(2, 0, true)).toBe(2);
    expect(r.f.inFlight).toBe(10);
    expect(r.acked(6, 0, true)).toBe(6);
    expect(r.f.inFlight).toBe(10);
  });

  test('lost acknowledgments: what they would have let leave is made good', () => {
    const r = recovery(20, 10, 19);
    expect(r.acked(1)).toBe(1);
    // Six at once: in flight goes to 13, still more than 10.
    expect(r.acked(6)).toBe(3);
  });

  test('the first retransmission leaves whatever the arithmetic says', () => {
    const r = recovery(100, 1, 90);
    expect(r.acked(1)).toBe(1);
    expect(r.acked(1)).toBe(0);
  });

  test('nothing delivered: nothing changes', () => {
    const r = recovery(20, 10, 15);
    expect(r.acked(0, 5)).toBe(10);
    expect(r.f.prrDelivered).toBe(0);
  });

  test('without SACK the next hole leaves at a partial acknowledgment', () => {
    const r = recovery(20, 2, 18);
    r.c.has = (bit?: Has) => bit !== Has.Sack;
    r.acked(1);
    expect(r.acked(1, 1, true)).toBe(1);
    // Where none was found the arithmetic decides.
    expect(r.acked(1, 0, true)).toBe(0);
  });
});

describe('the window of a sender in recovery', () => {
  test('goes down to ssthresh by the end', () => {
    const s = new Sender();
    s.write(200);
    s.pass(100).ack(10);
    s.sent();
    expect(s.c.cwnd).toBe(20);
    s.pass(100);
    const sent: number[] = [];
    for (let to = 14; to <= 30; to++) {
      s.ack(10, [11, to]);
      sent.push(s.sent().length);
    }
    // Three are delivered by the first, one by each of the others.
    expect(sent.slice(0, 13)).toEqual([2, ...range(0, 12).map((i) => i % 2)]);
    expect([s.c.ssthresh, s.f.inFlight]).toEqual([10, 10]);
    s.pass(100).ack(31);
    expect(s.c.caState).toBe(CaState.Open);
    expect([s.c.cwnd, s.f.inFlight]).toEqual([10, 10]);
  });

  test('begins anew with each recovery', () => {
    const s = new Sender();
    s.write(40);
    s.sent();
    s.f.prrOut = 50;
    s.f.prrDelivered = 7;
    s.pass(100).ack(0, [1, 4]);
    expect(s.sent()).toEqual([0, 10]);
    expect([s.f.prrDelivered, s.f.prrOut]).toEqual([3, 2]);
  });
});
