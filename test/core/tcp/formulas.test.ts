import { burstBytes, burstSegments } from '../../../lib/core/tcp/bursts';
import { answeredLately, answeredNow } from '../../../lib/core/tcp/challenge-ack';
import { CaState, Has, type Connection } from '../../../lib/core/tcp/connection';
import {
  currentSsthresh,
  isCwndLimited,
  restartAfterIdle,
  validateCwnd,
} from '../../../lib/core/tcp/cwnd-validation';
import {
  acknowledgmentSent,
  dataReceived,
  dataSent,
  delayedAckExpired,
} from '../../../lib/core/tcp/delayed-ack';
import { pacingRate } from '../../../lib/core/tcp/pacing';
import { tuneOnRead } from '../../../lib/core/tcp/receive-tuning';
import {
  clampWindow,
  growWindow,
  offeredWindow,
  windowClamp,
} from '../../../lib/core/tcp/receive-window';
import { noteMinRtt } from '../../../lib/core/tcp/rtt';
import { boundToHalfWindow } from '../../../lib/core/tcp/send-space';
import { makeSettings } from '../../../lib/core/tcp/settings';
import type { Tcp } from '../../../lib/core/tcp/tcp';

// Formulas of Linux, at the values where they turn.

/** As much of a connection as a formula looks at. */
function connection(fields: object, flags = 0): Connection {
  return { has: (flag: number) => (flags & flag) !== 0, ...fields } as unknown as Connection;
}

const stack = (fields: object): Tcp => fields as unknown as Tcp;

test.each([
  [0, 1000, 1000],
  [40, 100, 48],
  [536, 1000, 536],
  [536, 536, 536],
  [536, 500, 500],
  [537, 1000, 268],
])('tcp_bound_to_half_wnd: widest window %d, %d bytes: %d', (maxSndWnd, length, bound) => {
  expect(boundToHalfWindow(connection({ maxSndWnd }), length)).toBe(bound);
});

test.each([
  [10, 20, 6, 0, true],
  [10, 20, 5, 0, false],
  [10, 10, 6, 0, false],
  [10, 11, 6, 0, true],
  [10, 10, 0, Has.CwndLimited, true],
])(
  'tcp_is_cwnd_limited: cwnd %d, ssthresh %d, most %d, noted %d: %s',
  (cwnd, ssthresh, most, flags, limited) => {
    expect(isCwndLimited(connection({ cwnd, ssthresh, flight: { most } }, flags))).toBe(limited);
    const none = connection({ cwnd, ssthresh, flight: null }, flags);
    expect(isCwndLimited(none)).toBe(flags !== 0);
  },
);

test.each([
  [CaState.Open, 5, 7],
  [CaState.Disorder, 5, 7],
  [CaState.Loss, 5, 7],
  [CaState.Cwr, 5, 5],
  [CaState.Recovery, 5, 5],
  [CaState.Open, 9, 9],
])('tcp_current_ssthresh: state %d, ssthresh %d: %d', (caState, ssthresh, current) => {
  expect(currentSsthresh(connection({ caState, ssthresh, cwnd: 11 }))).toBe(current);
});

describe('tcp_cwnd_restart', () => {
  /** The window and the threshold after a pause, ms. */
  function after(idle: number, cwnd: number, settings = {}, congestion = {}): [number, number] {
    const c = connection({
      ...{ lastSendMs: -100, rto: 200_000, cwnd, ssthresh: 9, caState: CaState.Open, congestion },
    });
    const all = { initialCwnd: 10, slowStartAfterIdle: 1, ...settings };
    restartAfterIdle(stack({ settings: all, nowMs: idle - 100, now: 0 }), c);
    return [c.cwnd, c.ssthresh];
  }

  test.each([
    [200, 80, [80, 9]],
    [201, 80, [40, 60]],
    [400, 80, [40, 60]],
    [401, 80, [20, 60]],
    [9000, 80, [10, 60]],
    [201, 15, [10, 10]],
    [9000, 6, [6, 9]],
  ])('%d ms, %d segments: %j', (idle, cwnd, left) => expect(after(idle, cwnd)).toEqual(left));

  test('not where it is switched off, or the controller has the window', () => {
    expect(after(9000, 80, { slowStartAfterIdle: 0 })).toEqual([80, 9]);
    expect(after(9000, 80, {}, { control: () => undefined })).toEqual([80, 9]);
  });
});

describe('tcp_cwnd_application_limited', () => {
  /** The window and the threshold when 12 of 40 segments were in flight for so long, ms. */
  function after(ms: number, fields = {}, slowStartAfterIdle = 1): [number, number] {
    const f = { count: 12, most: 0, mostEnd: 5 };
    const c = connection({
      ...{ sndUna: 5, sndNxt: 9, cwnd: 40, ssthresh: 9, flight: f, cwndUsed: 3, cwndStampMs: 0 },
      ...{ rto: 200_000, congestion: {}, caState: CaState.Open, socket: {}, queued: 99 },
      ...{ options: { sendBuffer: 100 }, set: () => undefined, unset: () => undefined, ...fields },
    });
    const settings = { slowStartAfterIdle, initialCwnd: 10 };
    validateCwnd(stack({ settings, nowMs: ms, flightOf: () => f }), c, false);
    return [c.cwnd, c.ssthresh];
  }

  test('a timeout: half way down to what was used, or to the initial window', () => {
    expect([after(199), after(200)]).toEqual([
      [40, 9],
      [26, 30],
    ]);
    expect(after(200, { cwndUsed: 20 })).toEqual([30, 30]);
    expect(after(200, { cwnd: 12 })).toEqual([12, 9]);
    expect(after(200, { cwnd: 13 })).toEqual([12, 9]);
  });

  test.each([
    ['without a program', { socket: null }],
    ['in Disorder', { caState: CaState.Disorder }],
    ['where the program waits for room', { queued: 100 }],
    ['where the controller has the window', { congestion: { control: () => undefined } }],
    ['where the window was the limit', { has: () => true }],
  ])('not %s', (_, fields) => {
    expect(after(200, fields)).toEqual([40, 9]);
  });

  test('not where tcp_slow_start_after_idle is 0', () => {
    expect(after(200, {}, 0)).toEqual([40, 9]);
  });
});

describe('tcp_update_pacing_rate, tcp_tso_autosize', () => {
  const settings = makeSettings({});
  const c = (fields: object, maxPacingRate = 0): Connection =>
    connection({
      ...{ pacingRate: 0, srtt: 800_000, cwnd: 10, ssthresh: 0x7fffffff, packetsOut: 0 },
      ...{ sndMss: 1000, options: { maxPacingRate } },
      ...fields,
    });

  test.each([
    [{}, 0, 200_000],
    [{}, 150_000, 150_000],
    [{ packetsOut: 20 }, 0, 400_000],
    [{ ssthresh: 22 }, 0, 200_000],
    [{ ssthresh: 21 }, 0, 120_000],
    [{ srtt: 7 }, 0, Infinity],
    [{ srtt: 7 }, 5000, 5000],
    [{ pacingRate: 5 }, 0, 5000],
    [{ pacingRate: 5 }, 4000, 4000],
  ])('%j, at most %d: %d bytes in a second', (fields, most, rate) => {
    expect(pacingRate(c(fields, most), settings)).toBe(rate);
  });

  test.each([
    [{}, 0, 2],
    [{ srtt: 800 }, 0, 65],
    // 1 ms of the rate, and what a near peer adds: 65,536 / 2^(srtt / 4096).
    [{ srtt: 6 << 12, cwnd: 2 }, 0, 2],
    [{ srtt: 3 << 12, cwnd: 2 }, 0, 10],
    [{ srtt: 32 << 12 }, 0, 2],
    [{ srtt: 0 }, 0, 65],
    [{ srtt: 0 }, 3_072_000, 3],
  ])('%j, at most %d: %d segments at once', (fields, most, segments) => {
    expect(burstSegments(c(fields, most), settings, 1000)).toBe(segments);
  });

  test.each([
    [{}, 9000, 9000, 9, 5000],
    [{}, 9000, 9000, 3, 3000],
    [{}, 9000, 9000, 0, 1000],
    [{}, 2500, 9000, 9, 2500],
    [{}, 9000, 1700, 9, 1700],
    [{ cwnd: 1 }, 9000, 9000, 9, 1000],
    [{ srtt: 800_000 }, 9000, 9000, 9, 2000],
  ])(
    '%j, %d unsent, window %d, quota %d: a burst of %d bytes',
    (fields, unsent, window, quota, bytes) => {
      const near = c({ srtt: 800, ...fields });
      expect(burstBytes(near, settings, 1000, unsent, window, quota)).toBe(bytes);
    },
  );
});

describe('the window that is offered', () => {
  const base = {
    ...{ rcvBuf: 65_536, advMss: 1460, rcvScale: 7, rcvMss: 1000, rcvSsthresh: 8000 },
    ...{ receiveBuffer: null, receiveWindow: 0, quick: 9, rcvWnd: 0 },
    options: { receiveBuffer: 65_536, windowClamp: 0 },
  };
  const c = (fields: object, flags = 0): Connection => connection({ ...base, ...fields }, flags);

  test.each([
    [65_536, 65_536, 0, 7, 0, 64_076],
    [65_536, 65_536, 0, 7, Has.Timestamps, 64_088],
    [2920, 2920, 0, 7, 0, 2920],
    [2921, 2921, 0, 7, 0, 2920],
    [4381, 4381, 0, 7, 0, 2921],
    [65_536, 65_536, 1000, 7, 0, 1000],
    [100_000, 65_536, 0, 7, 0, 100_000],
    [100_000, 65_536, 5000, 7, 0, 5000],
    [100_000, 100_000, 0, 0, 0, 65_535],
  ])(
    'tcp_init_buffer_space: %d of %d, clamp %d, scale %d, flags %d: %d',
    (rcvBuf, receiveBuffer, clamp, rcvScale, flags, window) => {
      const options = { receiveBuffer, windowClamp: clamp };
      expect(windowClamp(c({ rcvBuf, rcvScale, options }, flags))).toBe(window);
    },
  );

  test.each([
    [9000, 100, 5000],
    [4000, 100, 4000],
    [4000, 4500, 4500],
    [4000, 9000, 5000],
  ])('tcp_set_window_clamp, 5000: threshold %d, window %d: %d', (rcvSsthresh, rcvWnd, left) => {
    const options = { receiveBuffer: 65_536, windowClamp: 5000 };
    const clamped = c({ options, rcvSsthresh, rcvWnd });
    clampWindow(clamped);
    expect(clamped.rcvSsthresh).toBe(left);
  });

  test.each([
    // Held of 10,000 bytes, what the peer has, the peer's segments, the threshold: offered.
    [0, 7001, 1000, 8000, 7001],
    [0, 7000, 1000, 8000, 8000],
    [9001, 0, 1000, 8000, 0],
    [9000, 0, 1000, 8000, 1000],
    [9376, 0, 100, 8000, 0],
    [9375, 0, 100, 8000, 625],
    [0, 0, 1000, 500, 1000],
    [0, 501, 1000, 1000, 501],
    [0, 500, 1000, 1000, 1000],
    [5001, 0, 9000, 9000, 0],
    [5000, 0, 9000, 9000, 5000],
  ])(
    '%d held, %d known, segments of %d, threshold %d: %d',
    (held, known, rcvMss, limit, offered) => {
      const plain = {
        ...{ rcvBuf: 10_000, receiveBuffer: { held }, receiveWindow: known, rcvMss },
        rcvSsthresh: limit,
      };
      const one = c({ ...plain, rcvScale: 0 });
      expect(offeredWindow(one)).toBe(offered);
      expect(one.quick).toBe(held > 5000 ? 0 : 9);
    },
  );

  test('in units of its scale, rounded up', () => {
    const offers = [9000, 8976, 8975].map((held) =>
      offeredWindow(c({ rcvBuf: 10_000, receiveBuffer: { held } })),
    );
    expect(offers).toEqual([1024, 1024, 1152]);
  });

  test.each([
    [127, 8000, 8000],
    [128, 8000, 10_920],
    [3000, 8000, 14_000],
    [128, 64_000, 64_076],
    [128, 64_076, 64_076],
  ])('tcp_grow_window: %d bytes, from %d to %d', (length, rcvSsthresh, grown) => {
    const growing = c({ rcvSsthresh, quick: 0 });
    growWindow(stack({ memory: { isHigh: false } }), growing, length);
    expect([growing.rcvSsthresh, growing.quick]).toEqual([grown, grown > rcvSsthresh ? 1 : 0]);
  });

  test('tcp_adjust_rcv_ssthresh', () => {
    const scarce = [4000, 9000].map((rcvSsthresh) => {
      const one = c({ rcvSsthresh });
      growWindow(stack({ memory: { isHigh: true } }), one, 1000);
      return one.rcvSsthresh;
    });
    expect(scarce).toEqual([4000, 5840]);
  });
});

describe('tcp_rcv_space_adjust', () => {
  /** What the buffer is to become, and what is read in a round trip of 100 ms. */
  function after(
    us: number,
    fields = {},
    settings = {},
    isHigh = false,
  ): [number, number, boolean] {
    let rested = false;
    const inbound = {
      ...{ rtt: 800_000, spaceStart: 7, spaceSeq: 40_000, space: 30_000, rcvBuf: 0 },
      rest: () => (rested = true),
    };
    const c = connection({
      ...{ inbound, rcvNxt: 100_000, rcvBuf: 65_536, advMss: 1460 },
      ...{ options: { receiveBufferFixed: 0 }, receiveBuffer: null, ...fields },
    });
    const all = { moderateReceiveBuffer: 1, receiveBufferMax: 2 ** 20, ...settings };
    tuneOnRead(
      stack({ now: us + 7, settings: all, memory: { isHigh }, dropInbound: () => undefined }),
      c,
    );
    if (us >= 100_000) expect(inbound.spaceStart).toBe(us + 7);
    return [inbound.rcvBuf, inbound.space, rested];
  }

  // Twice what was read, and twice as much again as that has grown: for 60,000 after 30,000 all.
  test.each([
    [99_999, {}, [0, 30_000, false]],
    [100_000, {}, [360_000, 60_000, false]],
    [100_000, { receiveBuffer: { readable: 0, outOfOrder: 5000 } }, [365_000, 60_000, false]],
    [100_000, { receiveBuffer: { readable: 10_000, outOfOrder: 0 } }, [133_332, 40_000, false]],
    [100_000, { rcvBuf: 359_999 }, [360_000, 60_000, false]],
    [100_000, { rcvBuf: 360_000 }, [0, 60_000, false]],
    [100_000, { rcvNxt: 70_000 }, [0, 30_000, false]],
    [100_000, { rcvNxt: 54_600 }, [0, 30_000, false]],
    [100_000, { rcvNxt: 54_599 }, [0, 30_000, true]],
    [100_000, { options: { receiveBufferFixed: 1 } }, [0, 60_000, false]],
  ])('%d µs, %j: %j', (us, fields, expected) => {
    expect(after(us, fields)).toEqual(expected);
  });

  test('not beyond tcp_rmem[2], nor where tcp_moderate_rcvbuf is 0 or memory is scarce', () => {
    expect(after(100_000, {}, { receiveBufferMax: 70_000 })[0]).toBe(70_000);
    expect(after(100_000, {}, { moderateReceiveBuffer: 0 })[0]).toBe(0);
    expect(after(100_000, {}, {}, true)[0]).toBe(0);
  });
});

describe('when an acknowledgment is due', () => {
  /** A connection whose flags can change, 100 ms after the last payload unless `gap` says so. */
  function waiting(fields: object, gap = 100) {
    const c = {
      ...{ flags: 0, atoMs: 100, rto: 200_000, lastReceiveMs: 50 - gap, quick: 0, rcvWnd: 64_000 },
      ...{ rcvMss: 1000, advMss: 1460, row: 0, ...fields },
      has: (flag: number) => (c.flags & flag) !== 0,
      set: (flag: number) => (c.flags |= flag),
      unset: (flag: number) => (c.flags &= ~flag),
    };
    const tcp = stack({
      ...{ nowMs: 50, now: 50_000, settings: makeSettings({ delayedAckMin: 40 }) },
      ...{ counters: { TcpExtDelayedACKs: 0 }, timers: { cancel: () => undefined } },
      markReady: () => undefined,
    });
    return { c, tcp, connection: c as unknown as Connection };
  }

  test.each([
    // Since the last payload, the delay so far, the timeout: the delay, quick acknowledgments.
    [100, 0, 200, 40, 16],
    [0, 100, 200, 70, 0],
    [20, 100, 200, 70, 0],
    [21, 100, 200, 71, 0],
    [99, 100, 200, 149, 0],
    [99, 100, 120, 120, 0],
    [100, 100, 200, 100, 0],
    [200, 100, 200, 100, 0],
    [201, 100, 200, 100, 16],
  ])('tcp_event_data_recv: after %d ms, %d, %d: %d, %d', (gap, atoMs, rto, ato, quick) => {
    const { c, tcp, connection: one } = waiting({ atoMs, rto: rto * 1000 }, gap);
    dataReceived(tcp, one, 500);
    expect(c).toMatchObject({ atoMs: ato, quick, lastReceiveMs: 50 });
    expect(c.has(Has.AckScheduled)).toBe(true);
  });

  test.each([
    [999, 1000, true],
    [1000, 1000, false],
    [1200, 1200, false],
    [9000, 1460, false],
  ])('tcp_measure_rcv_mss: %d bytes, then %d; the end of a write: %s', (length, mss, end) => {
    const { c, tcp, connection: one } = waiting({});
    dataReceived(tcp, one, length);
    expect([c.rcvMss, c.has(Has.Pushed), c.has(Has.Pushed2)]).toEqual([mss, end, false]);
    dataReceived(tcp, one, 10);
    expect([c.has(Has.Pushed), c.has(Has.Pushed2)]).toEqual([true, end]);
  });

  test.each([
    [99, true],
    [100, false],
  ])('tcp_event_data_sent: %d ms after payload came, data answers it: %s', (gap, answers) => {
    const { c, tcp, connection: one } = waiting({}, gap);
    dataSent(tcp, one);
    expect(c).toMatchObject({ lastSendMs: 50, flags: answers ? Has.PingPong : 0 });
  });

  test.each([
    [0, 100, 0, 0],
    [Has.AckScheduled, 200, Has.AckScheduled | Has.AckNow, 1],
    [Has.AckScheduled | Has.PingPong, 40, Has.AckScheduled | Has.AckNow, 1],
  ])('tcp_delack_timer_handler: flags %d: %d ms, flags %d', (flags, atoMs, after, counted) => {
    const { c, tcp, connection: one } = waiting({ flags, rto: 201_999 });
    delayedAckExpired(tcp, one);
    expect([c, tcp.counters]).toMatchObject([
      { atoMs, flags: after },
      { TcpExtDelayedACKs: counted },
    ]);
    c.atoMs = 101;
    c.set(Has.AckScheduled);
    delayedAckExpired(tcp, one);
    expect(c.atoMs).toBe(201);
  });

  test.each([
    [0, 0, 100],
    [1, 0, 40],
    [2, 1, 100],
  ])('tcp_dec_quickack_mode: %d, then %d, %d ms', (quick, left, atoMs) => {
    const {
      c,
      tcp,
      connection: one,
    } = waiting({ quick, flags: Has.AckNow | Has.Pushed | Has.Sack });
    acknowledgmentSent(tcp, one);
    expect(c).toMatchObject({ quick: left, atoMs, flags: Has.Sack });
  });
});

test.each([
  [0, 0, false],
  [1, 500, true],
  [1, 501, false],
  [-1, 400, true],
  [-1, 499, false],
])('tcp_invalid_ratelimit: answered at %d, now %d: %s', (answeredMs, nowMs, lately) => {
  const tcp = stack({ nowMs, settings: { invalidRatelimit: 500 } });
  expect(answeredLately(tcp, answeredMs)).toBe(lately);
  expect(answeredNow(tcp)).toBe(nowMs === 0 ? -1 : nowMs);
});

test.each([
  // The round trip, now (ms): what is kept, and since when.
  [-1, 10, 500, 0],
  [501, 1000, 500, 0],
  [501, 1001, 501, 1001],
  [500, 10, 500, 10],
  [499, 10, 499, 10],
  [0, 10, 1, 10],
])('tcp_update_rtt_min: %d µs at %d ms: %d since %d', (rtt, nowMs, minRtt, minRttMs) => {
  const c = connection({ minRtt: 500, minRttMs: 0 });
  noteMinRtt(stack({ nowMs, settings: { minRttWindow: 1000 } }), c, rtt);
  expect(c).toMatchObject({ minRtt, minRttMs });
});
