/** What acknowledgments and SACK blocks leave behind: marks, counts, timers and estimates. */
import { CaState, Timer } from '../../../../lib/core/tcp/connection';
import { Mark } from '../../../../lib/core/tcp/sent-queue';
import { at, MS, MSS, range, Sender } from './sender';

const WITHOUT_SACK = { mss: MSS, scale: 7 };
/** Neither probes nor F-RTO: the retransmission timer alone. */
const PLAIN = { sendBuffer: 8_000_000, earlyRetrans: 0, frto: 0 };
const WITHOUT_RACK = { ...PLAIN, recovery: 0 };

/** Segments in flight that were sent at once, a round trip ago. */
function flying(segments: number, options: ConstructorParameters<typeof Sender>[0] = {}): Sender {
  const s = new Sender(options);
  s.write(segments);
  s.sent();
  return s.pass(100);
}

/** ms until the retransmission timer goes off. */
function timer({ peer, c }: Sender): number {
  return (peer.host.core.tcp.timers.due(c.row, Timer.Retransmit) - peer.host.core.tcp.now) / MS;
}

describe('the threshold of duplicates, where RACK is off (RFC 6675 §4, IsLost)', () => {
  test('three SACKed above a hole, each hole by itself', () => {
    const s = flying(10, { tcp: WITHOUT_RACK });
    s.ack(0, [2, 4]);
    expect([s.f.lostOut, s.c.caState]).toEqual([0, CaState.Disorder]);
    s.ack(0, [2, 5]);
    expect([s.f.lostOut, s.c.caState]).toEqual([2, CaState.Recovery]);
    s.ack(0, [2, 5], [6, 7], [8, 9]);
    expect(s.f.lostOut).toBe(2);
    s.ack(0, [2, 5], [6, 7], [8, 10]);
    expect(s.f.lostOut).toBe(3);
  });

  test('what was sent again is not found lost once more', () => {
    const s = flying(10, { tcp: WITHOUT_RACK });
    s.pass(400);
    expect(s.sent()).toEqual([0]);
    s.ack(0, [5, 8]);
    expect(s.sent()).toEqual([]);
    expect([s.f.lostOut, s.f.retransOut]).toEqual([7, 1]);
    expect(s.counters.TcpExtTCPLostRetransmit).toBe(0);
  });

  test('a probe of the tail may be lost as well', () => {
    const s = new Sender({ tcp: { sendBuffer: 8_000_000, recovery: 0 } });
    s.write(2);
    s.pass(100).ack(1).pass(320);
    expect(s.sent()).toEqual([0, 1, 1]);
    s.write(3);
    expect(s.sent()).toEqual([2, 3, 4]);
    s.ack(1, [2, 5]);
    expect(s.sent()).toEqual([1]);
    expect(s.f.lostOut).toBe(1);
  });
});

describe('duplicates without SACK', () => {
  test('more than can be: segments were overtaken (Linux: tcp_check_reno_reordering)', () => {
    const s = flying(3, { syn: WITHOUT_SACK, tcp: PLAIN });
    s.ack(0).ack(0);
    expect([s.f.sackedOut, s.c.reordering]).toEqual([2, 3]);
    s.ack(0);
    expect([s.f.sackedOut, s.c.reordering, s.c.delivered]).toEqual([2, 4, 2]);
    expect(s.counters.TcpExtTCPRenoReorder).toBe(1);
    expect(s.sent()).toEqual([]);
  });

  test('what they stood for is not delivered twice', () => {
    const s = flying(10, { syn: WITHOUT_SACK, tcp: PLAIN });
    s.ack(0).ack(0).ack(2);
    // Two by duplicates; of the two that were acknowledged one was the hole.
    expect(s.c.delivered).toBe(3);
    s.ack(7);
    expect(s.c.delivered).toBe(8);
  });

  test('after a timeout they stay until something is acknowledged', () => {
    const s = new Sender({ syn: WITHOUT_SACK, tcp: { ...PLAIN, frto: 2 } });
    s.write(30);
    s.pass(100);
    s.pass(400);
    s.sent();
    s.peer.window = 60_000;
    // F-RTO: new data after the first acknowledgment; a duplicate tells that it has arrived.
    s.ack(1);
    expect(s.sent()).toEqual([10, 11]);
    s.ack(1);
    expect(s.f.sackedOut).toBe(1);
    s.tell({ ack: at(1), window: 65_535 });
    expect([s.f.sackedOut, s.c.caState]).toEqual([1, CaState.Loss]);
  });
});

describe('reordering', () => {
  test('reaches from the lowest that was overtaken to the highest that was SACKed', () => {
    const s = flying(10);
    s.ack(0, [8, 9]).ack(8);
    expect(s.c.reordering).toBe(9);
  });

  test('is as long as its bytes, rounded up, and has an upper limit', () => {
    const s = flying(10, { tcp: { sendBuffer: 8_000_000, maxReordering: 5 } });
    s.ack(0, [4, 5]).ack(4);
    expect(s.c.reordering).toBe(5);
    s.ack(5).ack(5, [8, 9]).ack(8);
    expect(s.c.reordering).toBe(5);
  });

  test('is counted from what is SACKed now, not from before the peer reneged', () => {
    const s = flying(6);
    s.ack(0, [1, 6]);
    s.pass(100).ack(1).pass(60);
    expect(s.counters.TcpExtTCPSACKReneging).toBe(1);
    s.ack(1, [2, 3]);
    expect(s.f.fack).toBe((s.f.seq(s.f.head) + 2 * MSS) | 0);
  });
});

describe('reports of duplicates', () => {
  /** Two were sent again; all of it has arrived. */
  function twice(): Sender {
    const s = new Sender();
    s.write(20);
    s.pass(100).ack(0, [2, 6]).ack(0, [2, 10]);
    expect(s.f.undoRetrans).toBe(2);
    return s;
  }

  test('count segments, as many as their bytes make', () => {
    const s = twice();
    s.ack(11, [0, 1]);
    expect(s.counters.TcpExtTCPDSACKRecvSegs).toBe(1);
    s.ack(11, [0, 1.001]);
    expect(s.f.duplicates).toBe(3);
  });

  test('are not longer than any window', () => {
    const s = twice();
    const { maxSndWnd } = s.c;
    const report = (bytes: number) =>
      s.peer.say('.', { ack: at(11), sack: [[at(11) - bytes, at(11)]] });
    report(maxSndWnd + 1);
    expect(s.f.duplicates).toBe(0);
    report(maxSndWnd);
    expect(s.f.duplicates).toBe(Math.ceil(maxSndWnd / MSS));
  });

  test('of what is still in the queue take retransmissions back one by one', () => {
    const s = twice();
    s.ack(0, [1, 2], [1, 10]);
    expect([s.f.undoRetrans, s.f.lostOut, s.f.retransOut]).toEqual([1, 1, 1]);
    // What was sent once can't be the copy.
    s.ack(0, [4, 5], [1, 10]);
    expect([s.f.undoRetrans, s.c.caState]).toEqual([1, CaState.Recovery]);
  });

  test('from before the reduction are old, where one can be undone; else there is nothing', () => {
    const s = new Sender();
    s.write(30);
    s.pass(100).ack(0, [1, 4]);
    s.pass(20).ack(11);
    s.sent();
    s.pass(100).ack(11, [12, 15]);
    expect(s.c.caState).toBe(CaState.Recovery);
    expect([s.f.undoable, (s.f.undoMarker - s.c.sndUna) | 0]).toEqual([true, 0]);
    s.ack(11, [0, 1], [12, 15]);
    expect(s.counters).toMatchObject({
      TcpExtTCPDSACKIgnoredOld: 1,
      TcpExtTCPDSACKIgnoredNoUndo: 0,
    });
  });

  test('that reach across SND.UNA are none', () => {
    const s = twice();
    s.ack(10);
    const { TcpExtTCPDSACKIgnoredOld: old, TcpExtTCPDSACKIgnoredNoUndo: none } = s.counters;
    const { sackedOut } = s.f;
    s.tell({ ack: at(10) }, [[9.5, 10.5]]);
    const { TcpExtTCPDSACKIgnoredOld, TcpExtTCPDSACKIgnoredNoUndo } = s.counters;
    expect(TcpExtTCPDSACKIgnoredOld + TcpExtTCPDSACKIgnoredNoUndo).toBe(old + none + 1);
    expect(s.f.sackedOut).toBe(sackedOut);
  });
});

describe('a timeout tells what was not enough', () => {
  const FAILURES = [
    'TcpExtTCPSackFailures',
    'TcpExtTCPSackRecoveryFail',
    'TcpExtTCPRenoFailures',
    'TcpExtTCPRenoRecoveryFail',
    'TcpExtTCPLossFailures',
  ];
  const failures = (s: Sender) => {
    s.pass(1000);
    return FAILURES.filter((name) => s.counters[name] > 0);
  };
  const reno = { syn: WITHOUT_SACK, tcp: PLAIN };

  test('nothing had told of a loss', () => {
    expect(failures(flying(10, { tcp: PLAIN }))).toEqual([]);
  });

  test('something was SACKed', () => {
    // RACK would have begun recovery.
    const s = flying(10, { tcp: WITHOUT_RACK }).ack(0, [9, 10]);
    expect(failures(s)).toEqual(['TcpExtTCPSackFailures']);
  });

  test('recovery had begun', () => {
    const s = flying(10, { tcp: PLAIN }).ack(0, [1, 9]);
    expect(failures(s)).toEqual(['TcpExtTCPSackRecoveryFail']);
  });

  test('the same without SACK', () => {
    expect(failures(flying(10, reno).ack(0))).toEqual(['TcpExtTCPRenoFailures']);
    const s = flying(10, reno).ack(0).ack(0).ack(0);
    expect(failures(s)).toEqual(['TcpExtTCPRenoRecoveryFail']);
  });

  test('the repair of a timeout before', () => {
    const s = flying(10, { tcp: PLAIN });
    s.pass(300);
    s.ack(1);
    expect(failures(s)).toEqual(['TcpExtTCPLossFailures']);
  });
});

describe('an acknowledgment within a segment', () => {
  test('the rest of it is sent again', () => {
    const s = flying(3, { tcp: PLAIN });
    s.ack(0.5).pass(500);
    const again = s.peer.heard().filter(({ length }) => length > 0);
    expect(again.map(({ seq, length }) => [seq, length])).toEqual([[at(0.5), 500]]);
  });

  test('a segment longer than what is left of it', () => {
    const s = flying(3);
    s.ack(0.5);
    expect([s.f.seq(s.f.head) - s.f.end(s.f.head), s.f.count]).toEqual([-500, 3]);
  });
});

describe('round trips', () => {
  test('the first acknowledged makes the timeout, the last the smallest round trip', () => {
    const s = new Sender();
    s.write(5);
    s.pass(20);
    s.write(5);
    s.pass(60).ack(10);
    expect(s.c.minRtt).toBe(60 * MS);
    // 7/8 of the 100 ms of the handshake and 1/8 of 80.
    expect(s.c.srtt >> 3).toBe(97_500);
  });

  test('the same of what is SACKed', () => {
    const s = new Sender();
    s.write(5);
    s.pass(20);
    s.write(5);
    s.pass(60).ack(0, [2, 3], [7, 8]);
    expect(s.c.minRtt).toBe(60 * MS);
    expect(s.c.srtt >> 3).toBe(97_500);
  });

  test('what was sent again spoils those beside it (Karn)', () => {
    const s = flying(10, { tcp: PLAIN });
    s.pass(400);
    expect(s.sent()).toEqual([0]);
    const { srtt, minRtt } = s.c;
    s.pass(90).ack(10);
    expect([s.c.srtt, s.c.minRtt]).toEqual([srtt, minRtt]);
  });
});

describe('the timer, when something is SACKed', () => {
  test('begins anew where the oldest segment left after that', () => {
    const s = flying(10, { tcp: PLAIN });
    s.ack(0, [3, 6]);
    expect(s.sent()).toEqual([0]);
    s.pass(50).ack(0, [3, 7]);
    expect(timer(s)).toBe(s.c.rto / MS);
  });

  test('goes on where the oldest left before that, or at the same time', () => {
    const s = new Sender({ tcp: WITHOUT_RACK });
    s.write(5);
    s.pass(20);
    s.write(5);
    s.pass(80);
    const left = timer(s);
    s.ack(0, [2, 3]).ack(0, [2, 3], [7, 8]);
    expect(timer(s)).toBe(left);
  });
});

describe('marks', () => {
  test('what was SACKed is neither lost nor sent again', () => {
    const s = flying(10);
    s.ack(0, [3, 6]);
    s.sent();
    s.ack(0, [0, 6]);
    const { f } = s;
    for (const row of range(0, 6)) {
      const at = (f.head + row) & 15;
      expect(f.has(at, Mark.Lost | Mark.Retransmitted)).toBe(false);
    }
    expect([f.sackedOut, f.lostOut, f.retransOut]).toEqual([6, 0, 0]);
  });
});
