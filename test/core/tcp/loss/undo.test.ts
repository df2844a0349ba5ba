import { CaState } from '../../../../lib/core/tcp/connection';
import { startUndo } from '../../../../lib/core/tcp/undo';
import { at, Sender } from './sender';

/** Twenty segments written, ten sent; three beyond the first are SACKed, it is sent again. */
function recovering(options = {}): Sender {
  const s = new Sender(options);
  s.write(20);
  s.sent();
  s.pass(100).ack(0, [1, 4]);
  // Three were delivered: the retransmission, and a new one.
  expect(s.sent()).toEqual([0, 10]);
  expect([s.c.caState, s.c.ssthresh, s.f.undoRetrans]).toEqual([CaState.Recovery, 5, 1]);
  return s;
}

const INFINITE = 0x7fff_ffff;

describe('undo by D-SACK', () => {
  test('during recovery: all that was sent again is reported as a duplicate', () => {
    const s = recovering();
    s.pass(20).ack(9, [0, 1]);
    expect([s.c.cwnd >= 10, s.c.ssthresh, s.c.caState]).toEqual([true, INFINITE, CaState.Open]);
    expect(s.counters.TcpExtTCPDSACKUndo).toBe(1);
  });

  test('after recovery, as long as nothing new was amiss', () => {
    const s = recovering();
    s.ack(11);
    expect([s.c.caState, s.c.ssthresh]).toEqual([CaState.Open, 5]);
    expect(s.c.cwnd).toBeLessThan(10);
    s.pass(30).ack(11, [0, 1]);
    expect([s.c.cwnd, s.c.ssthresh]).toEqual([10, INFINITE]);
    expect(s.counters.TcpExtTCPDSACKUndo).toBe(1);
    s.ack(11, [0, 1]);
    expect(s.counters.TcpExtTCPDSACKUndo).toBe(1);
  });

  test('one of two duplicates is not enough', () => {
    const s = new Sender();
    s.write(20);
    s.pass(100).ack(0, [1, 2], [3, 6]).ack(0, [1, 2], [3, 10]);
    s.sent();
    expect(s.f.undoRetrans).toBe(2);
    s.pass(20).ack(10, [0, 1]);
    expect(s.f.undoRetrans).toBe(1);
    expect([s.c.ssthresh, s.counters.TcpExtTCPDSACKUndo]).toEqual([5, 0]);
    s.ack(10, [2, 3]);
    expect([s.c.ssthresh, s.counters.TcpExtTCPDSACKUndo]).toEqual([INFINITE, 1]);
  });

  test('a block as long as two segments is two duplicates', () => {
    const s = new Sender();
    s.write(20);
    s.pass(100).ack(0, [2, 6]).ack(0, [2, 10]);
    s.sent();
    expect(s.f.undoRetrans).toBe(2);
    s.pass(100).ack(10);
    s.ack(10, [0, 2]);
    expect([s.c.ssthresh, s.counters.TcpExtTCPDSACKUndo]).toEqual([INFINITE, 1]);
  });

  test('a duplicate from before the reduction is no sign of anything', () => {
    const s = new Sender();
    s.write(30);
    s.pass(100).ack(5);
    s.sent();
    s.pass(50).ack(5, [6, 9]);
    expect(s.sent()).toEqual(expect.arrayContaining([5]));
    const { undoRetrans } = s.f;
    s.ack(5, [1, 2], [6, 9]);
    expect(s.f.undoRetrans).toBe(undoRetrans);
  });
});

describe('undo by timestamps (Eifel, RFC 3522, RFC 4015)', () => {
  test('an echo from before the retransmission: the original was acknowledged', () => {
    const s = new Sender({ timestamps: true });
    s.write(20);
    const early = s.peer.tsEcr;
    s.sent();
    s.pass(100).ack(0, [1, 4]);
    expect(s.sent()).toEqual([0, 10]);
    s.pass(20).tell({ ack: at(6), ts: [s.peer.tsVal, early] });
    expect([s.c.caState, s.c.ssthresh, s.counters.TcpExtTCPPartialUndo]).toEqual([
      CaState.Open,
      INFINITE,
      1,
    ]);
    expect(s.c.reordering).toBeGreaterThan(3);
  });

  test('while a retransmission is on its way nothing is undone yet', () => {
    const s = new Sender({ timestamps: true });
    s.write(20);
    const early = s.peer.tsEcr;
    s.pass(100).ack(0, [1, 2], [3, 6]).ack(0, [1, 2], [3, 10]);
    expect(s.f.retransOut).toBe(2);
    s.pass(20).tell({ ack: at(1), ts: [s.peer.tsVal, early] }, [
      [1, 2],
      [3, 10],
    ]);
    expect([s.f.retransOut, s.c.ssthresh, s.counters.TcpExtTCPPartialUndo]).toEqual([1, 5, 0]);
  });

  test('where nothing was sent again there is nothing to be reported', () => {
    const s = new Sender();
    s.write(3);
    startUndo(s.c, s.f);
    expect(s.f.undoRetrans).toBe(-1);
    s.f.tlpOut = s.f.tlpRetransmitted = true;
    startUndo(s.c, s.f);
    expect(s.f.undoRetrans).toBe(1);
  });

  test('an echo of the retransmission: it was needed', () => {
    const s = new Sender({ timestamps: true });
    s.write(10);
    s.sent();
    s.pass(100).ack(0, [1, 4]);
    expect(s.sent()).toEqual([0]);
    s.pass(100).ack(10);
    expect([s.c.ssthresh, s.c.cwnd, s.c.caState]).toEqual([5, 6, CaState.Open]);
    expect(s.counters.TcpExtTCPFullUndo).toBe(0);
  });

  test('a timeout: the first acknowledgment echoes the original', () => {
    const s = new Sender({ timestamps: true, tcp: { earlyRetrans: 0, frto: 0 } });
    s.write(10);
    const early = s.peer.tsEcr;
    s.sent();
    s.pass(350);
    expect(s.sent()).toEqual([0]);
    expect([s.c.caState, s.c.cwnd, s.c.ssthresh]).toEqual([CaState.Loss, 1, 5]);
    s.tell({ ack: at(1), ts: [s.peer.tsVal, early] });
    expect([s.c.caState, s.c.cwnd >= 10, s.c.ssthresh]).toEqual([CaState.Open, true, INFINITE]);
    expect(s.counters).toMatchObject({ TcpExtTCPLossUndo: 1, TcpExtTCPSpuriousRTOs: 0 });
    expect(s.f.lostOut).toBe(0);
  });

  test('ECN was the reason: nothing is taken back', () => {
    const s = recovering();
    s.f.priorSsthresh = 0;
    s.ack(9, [0, 1]);
    expect(s.c.ssthresh).toBe(5);
  });
});

describe('F-RTO (RFC 5682)', () => {
  /** A timeout with ten segments in flight and ten more to send. */
  function timedOut(segments = 20, tcp = {}): Sender {
    const s = new Sender({ tcp: { earlyRetrans: 0, ...tcp } });
    s.write(segments);
    s.sent();
    s.pass(350);
    expect(s.sent()).toEqual([0]);
    return s;
  }

  test('§3.1: new data leaves at the first acknowledgment; the second settles it', () => {
    const s = timedOut();
    s.ack(1);
    expect(s.sent()).toEqual([10, 11]);
    expect(s.c.caState).toBe(CaState.Loss);
    s.ack(2);
    expect([s.c.caState, s.c.ssthresh, s.c.cwnd >= 10]).toEqual([CaState.Open, INFINITE, true]);
    expect(s.counters).toMatchObject({ TcpExtTCPSpuriousRTOs: 1, TcpExtTCPLossUndo: 1 });
    s.ack(12);
    expect(s.sent().every((segment) => segment >= 12)).toBe(true);
    expect(s.counters.TcpRetransSegs).toBe(1);
  });

  test('§3.1: a segment SACKed that was never sent again tells the same at once', () => {
    const s = timedOut();
    s.ack(0, [4, 5]);
    // What was SACKed still leaves a hole.
    expect([s.c.caState, s.counters.TcpExtTCPSpuriousRTOs]).toEqual([CaState.Disorder, 1]);
  });

  test('§3.1: only new data is SACKed: the loss was one, and slow start goes on', () => {
    const s = timedOut();
    s.ack(1);
    expect(s.sent()).toEqual([10, 11]);
    s.pass(100).ack(1, [10, 11]);
    expect(s.sent()).toEqual([1]);
    expect([s.c.caState, s.f.frto, s.c.ssthresh]).toEqual([CaState.Loss, false, 5]);
    s.ack(1, [10, 12]);
    expect(s.sent()).toEqual([2]);
    s.pass(100).ack(3, [10, 12]);
    expect(s.sent()).toEqual([3, 4, 5, 6]);
    expect(s.counters).toMatchObject({ TcpExtTCPSpuriousRTOs: 0, TcpExtTCPSlowStartRetrans: 7 });
  });

  test('the timeout was needless: what was SACKed since is looked at, too', () => {
    const s = timedOut();
    s.ack(1);
    s.ack(10, [11, 12]);
    expect([s.c.caState, s.counters.TcpExtTCPSpuriousRTOs]).toEqual([CaState.Disorder, 1]);
  });

  test('without new data the conventional recovery goes on', () => {
    const s = timedOut(10);
    s.ack(1);
    expect(s.sent()).toEqual([1, 2]);
    expect([s.f.frto, s.c.caState]).toEqual([false, CaState.Loss]);
  });

  test('nor is there any where the peer has no window', () => {
    const s = timedOut();
    s.tell({ ack: at(1), window: (9 * 1000) >> 7 });
    expect(s.sent()).toEqual([1, 2]);
  });

  test('off: what was in flight is sent again', () => {
    const s = timedOut(20, { frto: 0 });
    s.ack(1);
    expect(s.sent()).toEqual([1, 2]);
    s.ack(3);
    expect(s.sent()).toEqual([3, 4, 5, 6]);
  });

  test('not where recovery was under way (§2.1 step 1)', () => {
    const s = recovering({ tcp: { earlyRetrans: 0 } });
    s.pass(400);
    expect([s.c.caState, s.f.frto]).toEqual([CaState.Loss, false]);
  });

  test('a second timeout in a row watches again', () => {
    const s = timedOut();
    s.pass(700);
    expect(s.sent()).toEqual([0]);
    expect(s.f.frto).toBe(true);
    s.ack(1);
    expect(s.sent()).toEqual([10, 11]);
    s.ack(2);
    expect([s.counters.TcpExtTCPSpuriousRTOs, s.c.ssthresh]).toEqual([1, INFINITE]);
  });
});

describe('a timeout (RFC 6298 §5.4, RFC 5681 §3.1)', () => {
  test('slow start from one segment mends all; the window is halved but once', () => {
    const s = new Sender({ tcp: { earlyRetrans: 0 } });
    s.write(10);
    s.sent();
    const since = s.now;
    s.pass(1000);
    expect(s.times(since)).toEqual(['300 ms 0', '900 ms 0']);
    expect([s.c.ssthresh, s.c.cwnd, s.f.lostOut]).toEqual([5, 1, 10]);
    s.ack(1).pass(100);
    expect(s.sent()).toEqual([1, 2]);
    s.ack(3).pass(100);
    expect(s.sent()).toEqual([3, 4, 5, 6]);
    s.ack(7).pass(100);
    expect(s.sent()).toEqual([7, 8, 9]);
    s.ack(10);
    expect([s.c.caState, s.c.ssthresh]).toEqual([CaState.Open, 5]);
    expect(s.c.retransmits).toBe(0);
  });

  // SACKed before the timeout; the state then, and the reordering that is believed afterwards.
  test.each([
    [2, CaState.Disorder, 5],
    [3, CaState.Disorder, 3],
    [5, CaState.Recovery, 5],
  ])('%d segments SACKed, and yet a timeout: less reordering', (sacked, state, reordering) => {
    const s = new Sender({ tcp: { recovery: 0 } });
    s.write(10);
    s.sent();
    s.pass(100).ack(0, [6, 7]).ack(0, [2, 3], [6, 7]);
    expect(s.c.reordering).toBe(5);
    if (sacked > 2) s.ack(0, [2, 3], [6, sacked + 5]);
    expect([s.f.sackedOut, s.c.caState]).toEqual([sacked, state]);
    s.pass(500);
    expect([s.c.caState, s.c.reordering]).toEqual([CaState.Loss, reordering]);
  });

  test('what was sent within the last round trip may still arrive (RFC 8985 §6.3)', () => {
    const s = new Sender({ tcp: { earlyRetrans: 0 } });
    s.write(2);
    s.pass(100).ack(1);
    s.pass(270);
    s.write(3);
    s.pass(60);
    expect(s.c.caState).toBe(CaState.Loss);
    expect([s.f.count, s.f.lostOut]).toEqual([4, 1]);
  });

  test('where a small segment ended keeps up with SND.UNA, lest it be ahead after 2 GiB', () => {
    const s = new Sender();
    s.write(10);
    expect(s.f.small).toBe(s.c.sndUna);
    s.pass(100).ack(5);
    expect([s.f.small, s.f.count]).toEqual([s.c.sndUna, 5]);
  });

  test('small segments leave again as one (Linux: tcp_retrans_collapse)', () => {
    for (const retransCollapse of [1, 0]) {
      const s = new Sender({ tcp: { earlyRetrans: 0, retransCollapse } });
      s.c.options.noDelay = 1;
      for (let i = 0; i < 6; i++) s.write(0.3);
      expect(s.sent()).toEqual([0, 0.3, 0.6, 0.9, 1.2, 1.5]);
      s.pass(350);
      const again = s.peer.heard().filter(({ length }) => length > 0);
      expect(again.map(({ seq, length, flags }) => [seq, length, flags])).toEqual([
        [1, retransCollapse === 1 ? 900 : 300, 'P.'],
      ]);
      s.ack(1.8);
      expect(s.c.inFlight).toBe(0);
    }
  });
});

describe('without SACK: NewReno (RFC 6582)', () => {
  function newReno(segments = 20, timestamps = false): Sender {
    const s = new Sender({ timestamps, syn: { mss: timestamps ? 1012 : 1000, scale: 7 } });
    s.write(segments);
    s.sent();
    return s.pass(100);
  }

  test('limited transmit (RFC 3042), fast retransmit at the third duplicate', () => {
    const s = newReno();
    s.ack(0);
    expect(s.sent()).toEqual([10]);
    s.ack(0);
    expect(s.sent()).toEqual([11]);
    s.ack(0);
    expect(s.sent()).toEqual([0]);
    expect([s.c.caState, s.c.ssthresh]).toEqual([CaState.Recovery, 5]);
    expect(s.counters).toMatchObject({ TcpExtTCPRenoRecovery: 1, TcpExtTCPFastRetrans: 1 });
  });

  test('a partial acknowledgment: the next hole leaves at once; a full one ends it', () => {
    const s = newReno();
    for (let i = 0; i < 8; i++) s.ack(0);
    s.sent();
    s.pass(100).ack(5);
    // One of the five was the hole.
    expect(s.f.sackedOut).toBe(4);
    expect(s.sent()).toContain(5);
    expect(s.c.caState).toBe(CaState.Recovery);
    const { highSeq } = s.f;
    const full = (highSeq - s.c.iss - 1) / 1000;
    s.pass(100).ack(full);
    // At `recover` itself duplicates may be of old.
    expect(s.c.caState).toBe(CaState.Recovery);
    s.ack(full + 1);
    expect([s.c.caState, s.c.cwnd]).toEqual([CaState.Open, 5]);
    expect(s.counters.TcpRetransSegs).toBe(2);
  });

  test('duplicates behind the full acknowledgment begin nothing new', () => {
    const s = newReno();
    for (let i = 0; i < 4; i++) s.ack(0);
    s.pass(100).ack(12);
    s.sent();
    for (let i = 0; i < 3; i++) s.ack(12);
    expect(s.sent().filter((segment) => segment <= 12)).toEqual([]);
    expect(s.counters.TcpExtTCPRenoRecovery).toBe(1);
  });

  test('once all was acknowledged an old echo undoes nothing', () => {
    const s = newReno(20, true);
    const early = s.peer.tsEcr;
    for (let i = 0; i < 3; i++) s.ack(0);
    expect(s.sent()).toEqual([10, 11, 0]);
    s.pass(100).ack(12);
    expect([s.c.caState, s.f.retransmitting]).toEqual([CaState.Recovery, false]);
    s.tell({ ack: at(13), ts: [s.peer.tsVal, early] });
    expect([s.c.caState, s.c.ssthresh, s.counters.TcpExtTCPFullUndo]).toEqual([CaState.Open, 5, 0]);
  });

  test('more duplicates than there are segments: they are not counted', () => {
    const s = newReno(3);
    for (let i = 0; i < 9; i++) s.ack(0);
    expect(s.f.sackedOut).toBeLessThan(3);
    expect(s.counters.TcpExtTCPRenoReorder).toBeGreaterThan(0);
    s.ack(3);
    expect(s.c.inFlight).toBe(0);
  });
});

describe('by the count of SACKed segments alone: RFC 6675 (recovery 0)', () => {
  function counting(): Sender {
    const s = new Sender({ tcp: { recovery: 0 } });
    s.write(40);
    s.sent();
    return s.pass(100);
  }

  test('IsLost(): three segments beyond the hole', () => {
    const s = counting();
    s.ack(0, [1, 2], [3, 4]);
    expect(s.f.lostOut).toBe(0);
    s.ack(0, [1, 2], [3, 5]);
    // Beyond 2 there are two only.
    expect(s.f.lostOut).toBe(1);
    expect(s.sent()).toContain(0);
    s.ack(0, [1, 2], [3, 6]);
    expect(s.f.lostOut).toBe(2);
  });

  test('each hole counts as lost once; a lost retransmission waits for the timeout', () => {
    const s = counting();
    s.ack(0, [1, 5]);
    expect(s.sent().filter((segment) => segment === 0)).toEqual([0]);
    s.pass(100);
    for (let to = 6; to <= 12; to++) s.ack(0, [1, to]);
    expect(s.sent()).not.toContain(0);
    expect(s.counters).toMatchObject({ TcpExtTCPLostRetransmit: 0, TcpExtTCPSackRecovery: 1 });
    s.pass(450);
    expect(s.sent()).toContain(0);
    expect(s.counters.TcpExtTCPTimeouts).toBe(1);
  });

  test('all holes before the third highest are found at once', () => {
    const s = counting();
    s.ack(0, [1, 2], [4, 5], [7, 10]);
    expect([s.f.sackedOut, s.f.lostOut]).toEqual([5, 5]);
  });
});
