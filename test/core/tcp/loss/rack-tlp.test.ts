import { CaState } from '../../../../lib/core/tcp/connection';
import { Pending } from '../../../../lib/core/tcp/flight';
import { Sender, range } from './sender';

/** Segments in flight, a round trip after they left. */
function flight(segments: number, options = {}): Sender {
  const s = new Sender(options);
  s.write(segments);
  s.sent();
  return s.pass(100);
}

describe('RACK (RFC 8985 §6)', () => {
  test('three segments SACKed: what is before them is lost at once', () => {
    const s = flight(10);
    s.ack(0, [1, 3]);
    expect([s.sent(), s.f.pending]).toEqual([[], Pending.Reorder]);
    s.ack(0, [1, 4]);
    expect(s.sent()).toEqual([0]);
    expect(s.counters).toMatchObject({ TcpExtTCPSackRecovery: 1, TcpExtTCPFastRetrans: 1 });
  });

  test('fewer: a quarter of the shortest round trip passes, and the tick of the timer', () => {
    const s = flight(4);
    s.ack(0, [2, 3]);
    const since = s.now;
    s.pass(40);
    expect(s.times(since)).toEqual(['27 ms 0']);
    expect(s.c.caState).toBe(CaState.Recovery);
  });

  test('what fills the hole within that time ends the wait', () => {
    const s = flight(4);
    s.ack(0, [1, 2]);
    s.pass(10).ack(2);
    s.pass(60);
    expect(s.sent()).toEqual([]);
    expect([s.c.caState, s.c.cwnd]).toEqual([CaState.Open, 10]);
  });

  test('what left after the segment that was delivered is not lost', () => {
    const s = flight(10);
    s.ack(0, [1, 4]);
    // 4 to 9 left later than what was SACKed.
    expect(s.f.lostOut).toBe(1);
    s.ack(0, [1, 9]);
    expect(s.f.lostOut).toBe(1);
  });

  test('§3.3: a retransmission is lost, too, when what left after it was delivered', () => {
    const s = flight(30);
    for (let to = 2; to <= 10; to++) s.ack(0, [1, to]);
    expect(s.sent()).toEqual([10, 11, 0, 12, 13]);
    s.pass(100).ack(0, [1, 12]);
    // Both left before the retransmission.
    expect(s.sent()).not.toContain(0);
    s.pass(1).ack(0, [1, 13]);
    expect(s.sent()).toContain(0);
    expect(s.counters).toMatchObject({ TcpExtTCPLostRetransmit: 1, TcpRetransSegs: 2 });
    expect(s.f.retransOut).toBe(1);
  });

  test('a retransmission is not believed that was answered sooner than any round trip', () => {
    const s = flight(10);
    s.ack(0, [1, 4]);
    expect(s.sent()).toEqual([0]);
    const { rackOrder } = s.f;
    s.pass(10).ack(1, [1, 4]);
    expect(s.f.rackOrder).toBe(rackOrder);
  });

  test('segments that overtake others: seen once, time alone decides', () => {
    const s = flight(10);
    s.ack(0, [1, 3]).ack(3);
    expect([s.c.reorderingSeen, s.c.reordering]).toEqual([true, 3]);
    expect(s.counters.TcpExtTCPSACKReorder).toBe(1);
    s.ack(10);
    s.write(10);
    s.sent();
    s.pass(100).ack(10, [11, 20]);
    expect(s.sent()).toEqual([]);
    const since = s.now;
    s.pass(60);
    const wait = Math.min(s.c.minRtt >> 2, s.c.srtt >> 3) + 2000;
    expect(s.times(since)).toEqual([`${wait / 1000} ms 10`]);
  });

  test('what time finds lost during recovery begins none anew', () => {
    const s = flight(10);
    s.ack(0, [1, 3]).ack(3).ack(10);
    s.write(10);
    s.sent();
    s.pass(100).ack(10, [11, 12]);
    s.pass(60);
    expect([s.c.caState, s.sent()]).toEqual([CaState.Recovery, [10]]);
    s.ack(10, [11, 12], [13, 14]);
    expect(s.sent()).toEqual([]);
    const { highSeq, undoMarker } = s.f;
    s.write(10);
    s.pass(60);
    expect(s.sent()).toContain(12);
    expect([s.f.highSeq, s.f.undoMarker]).toEqual([highSeq, undoMarker]);
    expect(s.counters).toMatchObject({ TcpExtTCPSackRecovery: 1, TcpExtTCPTimeouts: 0 });
  });

  test('SACKed behind later ones: overtaken, as SACK alone tells', () => {
    const s = flight(10);
    s.ack(0, [6, 7]).ack(0, [2, 3], [6, 7]);
    expect([s.c.reorderingSeen, s.c.reordering]).toEqual([true, 5]);
    s.ack(0, [1, 3], [6, 7]);
    expect([s.c.reordering, s.counters.TcpExtTCPSACKReorder]).toEqual([6, 2]);
  });

  test('blocks of one acknowledgment tell nothing of their order', () => {
    const s = flight(10);
    s.ack(0, [8, 9], [5, 6], [2, 3]);
    expect([s.c.reorderingSeen, s.counters.TcpExtTCPSACKReorder]).toEqual([false, 0]);
  });

  test('an acknowledgment that SACKs as it advances is no reordering', () => {
    const s = flight(10);
    s.ack(1, [5, 6]);
    expect([s.c.reorderingSeen, s.counters.TcpExtTCPSACKReorder]).toEqual([false, 0]);
  });

  test('a hole is filled behind many: so many may overtake, up to the limit', () => {
    const s = flight(10, { tcp: { maxReordering: 6 } });
    s.ack(0, [1, 2]);
    s.ack(0, [1, 3]);
    s.c.noteReordering();
    s.ack(0, [1, 10]);
    s.ack(10);
    expect(s.c.reordering).toBe(6);
  });

  test('the window grows by D-SACK once in a round trip, and is kept for 16 recoveries', () => {
    const s = flight(10);
    s.ack(0, [1, 3]).ack(3).ack(10);
    expect(s.c.reoWndSteps).toBe(1);
    let una = 10;
    const round = (needless: boolean) => {
      s.write(2);
      s.pass(100).ack(una, [una + 1, una + 2]);
      s.pass(60);
      s.pass(40).ack(una + 2);
      if (needless) s.ack(una + 2, [una, una + 1]);
      una += 2;
    };
    round(true);
    s.write(1);
    s.pass(100).ack(++una);
    expect([s.c.reoWndSteps, s.c.reoWndPersist]).toEqual([2, 16]);
    const steps: number[] = [];
    for (let i = 0; i < 17; i++) {
      round(false);
      steps.push(s.c.reoWndSteps);
    }
    // The last of the sixteen ends it, as the next acknowledgment sees.
    expect(steps).toEqual([...Array<number>(16).fill(2), 1]);
  });

  test('what was delivered last, but sent before, proves nothing new', () => {
    const s = flight(10);
    s.ack(0, [8, 9]);
    const { rackOrder } = s.f;
    s.ack(0, [1, 2], [8, 9]);
    expect(s.f.rackOrder).toBe(rackOrder);
  });

  test('during recovery nothing is waited for where no segment ever overtook another', () => {
    const s = flight(20);
    s.ack(0, [1, 4]);
    expect(s.sent()).toEqual([0, 10]);
    s.pass(100).ack(6, [7, 8]);
    expect(s.sent()).toContain(6);
  });

  test('two D-SACKs within one round trip count once', () => {
    const s = flight(10);
    s.c.noteReordering();
    s.f.dsackSeen = true;
    s.ack(2);
    expect(s.c.reoWndSteps).toBe(2);
    s.f.dsackSeen = true;
    s.ack(4);
    expect([s.c.reoWndSteps, s.f.dsackSeen]).toEqual([2, false]);
  });

  test('the window stays as it is (recovery 3)', () => {
    const s = flight(10, { tcp: { recovery: 3 } });
    s.ack(0, [1, 3]).ack(3).ack(10);
    s.write(2);
    s.f.dsackSeen = true;
    s.pass(100).ack(11);
    expect(s.c.reoWndSteps).toBe(1);
  });

  test('three SACKed are not enough where only time counts (recovery 5)', () => {
    const s = flight(10, { tcp: { recovery: 5 } });
    s.ack(0, [1, 9]);
    expect(s.sent()).toEqual([]);
    s.pass(40);
    expect(s.sent()).toEqual([0]);
  });
});

describe('the probe of the tail (RFC 8985 §7)', () => {
  test.each([
    [3, 202],
    [1, 300],
  ])('%d segments in flight: after %d ms', (segments, ms) => {
    const s = new Sender();
    s.write(segments);
    s.sent();
    const since = s.now;
    s.pass(400);
    // Two round trips; for one segment 200 ms more, but no later than the timeout, 300 ms.
    expect(s.times(since)).toEqual([`${ms} ms ${segments - 1}`]);
    expect(s.counters).toMatchObject({ TcpExtTCPLossProbes: 1, TcpExtTCPTimeouts: 0 });
    // One at a time: from the probe on the timeout runs.
    s.pass(ms + 300 - 400);
    expect(s.times(since)).toEqual([`${ms + 300} ms 0`]);
    expect(s.counters).toMatchObject({ TcpExtTCPLossProbes: 1, TcpExtTCPTimeouts: 1 });
  });

  test('starts anew with each acknowledgment and each segment', () => {
    const s = new Sender();
    s.write(2);
    s.pass(150);
    s.write(1);
    s.sent();
    const since = s.now;
    s.pass(149.9);
    expect(s.sent()).toEqual([]);
    // The oldest has waited for the timeout: no later than that.
    s.pass(60);
    expect(s.times(since)).toEqual(['150 ms 2']);
  });

  test('new data rather than old, whatever the congestion window says', () => {
    const s = new Sender();
    s.write(12);
    expect(s.sent()).toEqual(range(0, 10));
    const since = s.now;
    s.pass(250);
    expect(s.times(since)).toEqual(['202 ms 10']);
    expect(s.counters.TcpRetransSegs).toBe(0);
    s.ack(11);
    expect([s.c.caState, s.f.tlpOut, s.c.ssthresh]).toEqual([CaState.Open, false, 0x7fff_ffff]);
  });

  test('it mended a loss: the window is reduced', () => {
    const s = new Sender();
    s.write(3);
    s.pass(290).ack(3);
    expect(s.counters).toMatchObject({ TcpExtTCPLossProbes: 1, TcpExtTCPLossProbeRecovery: 0 });
    // Whether a duplicate is reported is known with what comes next.
    s.write(1);
    s.pass(100).ack(4);
    expect(s.counters.TcpExtTCPLossProbeRecovery).toBe(1);
    expect([s.c.cwnd, s.c.ssthresh, s.c.caState]).toEqual([5, 5, CaState.Open]);
  });

  test('it was needless, says D-SACK: nothing is reduced', () => {
    const s = new Sender();
    s.write(3);
    s.pass(290).ack(3).ack(3, [2, 3]);
    s.write(1);
    s.pass(100).ack(4);
    expect(s.counters).toMatchObject({ TcpExtTCPLossProbeRecovery: 0, TcpExtTCPDSACKRecv: 1 });
    expect([s.c.cwnd, s.c.ssthresh]).toEqual([10, 0x7fff_ffff]);
    expect(s.c.reoWndSteps).toBe(1);
  });

  test('it was needless, says D-SACK beside the acknowledgment of what followed', () => {
    const s = new Sender();
    s.write(3);
    s.pass(290).ack(3);
    s.write(1);
    s.pass(100).ack(4, [2, 3]);
    expect([s.counters.TcpExtTCPLossProbeRecovery, s.c.cwnd]).toEqual([0, 10]);
  });

  test('one at a time, also where new data has left meanwhile', () => {
    const s = new Sender();
    s.write(2);
    s.pass(230);
    s.write(2);
    s.pass(1000);
    expect(s.counters.TcpExtTCPLossProbes).toBe(1);
    expect(s.counters.TcpExtTCPTimeouts).toBeGreaterThan(0);
  });

  test('it was needless, says a mere duplicate', () => {
    const s = new Sender();
    s.write(3);
    s.pass(290).ack(3).ack(3);
    s.write(1);
    s.pass(100).ack(4);
    expect([s.counters.TcpExtTCPLossProbeRecovery, s.c.cwnd]).toEqual([0, 10]);
  });

  test('more than the last segment is missing: SACK tells, and recovery mends it', () => {
    const s = new Sender();
    s.write(8);
    s.sent();
    s.pass(230);
    expect(s.sent()).toEqual([7]);
    s.pass(100).ack(0, [7, 8]);
    s.pass(30);
    expect(s.sent()).toEqual([0]);
    expect(s.c.caState).toBe(CaState.Recovery);
    expect([s.f.count, s.f.sackedOut, s.f.lostOut, s.f.retransOut]).toEqual([8, 1, 7, 1]);
    s.pass(100).ack(1, [7, 8]);
    expect(s.sent()).toEqual([1, 2]);
  });

  test('it is no retransmission in flight', () => {
    const s = new Sender();
    s.write(3);
    s.pass(250);
    expect([s.f.inFlight, s.f.retransOut, s.f.retransmitting]).toEqual([3, 0, false]);
    expect(s.f.retransmissions).toBe(1);
  });

  test.each([
    ['switched off', { tcp: { earlyRetrans: 0 } }],
    ['without SACK', { syn: { mss: 1000, scale: 7 } }],
  ])('%s: the timeout only', (_, options) => {
    const s = new Sender(options);
    s.write(3);
    s.sent();
    const since = s.now;
    s.pass(350);
    expect(s.times(since)).toEqual(['300 ms 0']);
    expect(s.counters.TcpExtTCPLossProbes).toBe(0);
  });

  test('not during recovery', () => {
    const s = flight(10);
    s.ack(0, [1, 4]);
    expect(s.sent()).toEqual([0]);
    const since = s.now;
    s.pass(350);
    expect(s.counters.TcpExtTCPLossProbes).toBe(0);
    expect(s.times(since)[0]).toMatch(/ 0$/);
  });

  test('the FIN is probed as well', () => {
    const s = new Sender();
    s.write(2);
    s.socket.shutdown?.(1);
    s.peer.listen();
    s.sent();
    s.pass(230);
    expect(s.peer.lines()).toEqual(['F. 2001 ack 1']);
  });
});
