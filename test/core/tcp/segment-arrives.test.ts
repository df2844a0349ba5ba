import { errnoName } from '../../../lib/core/errno';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State, stateName } from '../../../lib/core/tcp/state';
import { Peer, type Say } from '../../support/peer';

// SEGMENT ARRIVES (RFC 9293 §3.10.7): each kind of segment in each state. All numbers are relative
// to the ISS of their sender, so a SYN has number 0.

/** Replies, as `Peer.lines` has them, then the state where it changes, and the user's error. */
function outcome(peer: Peer, socket: StreamSocket | null, say: () => void): string {
  peer.lines();
  const before = peer.state;
  say();
  const replies = peer.lines().join('; ') || '-';
  const state = peer.state === before ? '' : ` → ${stateName(peer.state)}`;
  const error = socket?.takeError() ?? 0;
  return `${replies}${state}${error === 0 ? '' : ` ${errnoName(error)}`}`;
}

type Row = readonly [segment: string, flags: string, say: Say, expected: string, source: string];

function check(rows: readonly Row[], setUp: () => [Peer, StreamSocket | null]): void {
  test.each(rows)('%s', (_segment, flags, say, expected) => {
    const [peer, socket] = setUp();
    expect(outcome(peer, socket, () => peer.say(flags, say))).toBe(expected);
  });
}

// No SYN was heard: the stack's numbers are absolute, and 0 in a RST that has no ACK to answer.
describe('CLOSED: a RST that the sender believes, and none to a RST (§3.10.7.1)', () => {
  check(
    [
      ['SYN', 'S', {}, 'R. 0 ack 1', '§3.5.2 group 1'],
      ['SYN with data', 'S', { data: 5 }, 'R. 0 ack 6', '§3.10.7.1'],
      ['SYN+ACK', 'S.', { ack: 77 }, 'R 77', '§3.5.2 group 1'],
      ['ACK', '.', { ack: 77 }, 'R 77', '§3.10.7.1'],
      ['data with ACK', 'P.', { data: 9, ack: 77 }, 'R 77', '§3.10.7.1'],
      ['data without ACK', 'P', { data: 9, seq: 50 }, 'R. 0 ack 59', '§3.10.7.1'],
      ['FIN', 'F', { seq: 50 }, 'R. 0 ack 51', '§3.10.7.1'],
      ['no flag', '', { seq: 50 }, 'R. 0 ack 50', '§3.10.7.1'],
      ['RST', 'R', {}, '-', '§3.10.7.1'],
      ['RST+ACK', 'R.', { ack: 77 }, '-', '§3.10.7.1'],
    ],
    () => [new Peer(), null],
  );
});

describe('LISTEN (§3.10.7.2)', () => {
  check(
    [
      ['RST', 'R', {}, '-', 'first'],
      ['RST+ACK', 'R.', { ack: 77 }, '-', 'first'],
      ['RST+SYN', 'RS', {}, '-', 'first'],
      ['ACK', '.', { ack: 77 }, 'R 77', 'second'],
      ['SYN+ACK', 'S.', { ack: 77 }, 'R 77', 'second'],
      ['FIN+ACK', 'F.', { ack: 77 }, 'R 77', 'second'],
      ['SYN', 'S', {}, 'S. 0 ack 1 → SYN-RECEIVED', 'third'],
      ['SYN with data, which is sent again', 'S', { data: 5 }, 'S. 0 ack 1 → SYN-RECEIVED', 'S4'],
      ['SYN+FIN', 'SF', {}, '-', 'fourth'],
      ['FIN', 'F', {}, '-', 'fourth'],
      ['data', 'P', { data: 5 }, '-', 'fourth'],
      ['no flag', '', {}, '-', 'fourth'],
    ],
    () => {
      const peer = new Peer();
      peer.server();
      return [peer, null];
    },
  );
});

describe('SYN-SENT (§3.10.7.3)', () => {
  check(
    [
      ['ACK of what was not sent', '.', { ack: 2 }, 'R 2', 'first'],
      ['ACK of the ISS', '.', { ack: 0 }, 'R 0', 'first'],
      ['SYN+ACK, old', 'S.', { ack: -5 }, 'R -5', 'first'],
      ['SYN+ACK, future', 'S.', { ack: 2 }, 'R 2', 'first'],
      ['RST+ACK, wrong', 'R.', { ack: 2 }, '-', 'first'],
      ['RST+ACK', 'R.', { ack: 1 }, '- → CLOSED ECONNREFUSED', 'second'],
      ['RST without ACK', 'R', {}, '-', 'second'],
      ['SYN+RST+ACK', 'SR.', { ack: 1 }, '- → CLOSED ECONNREFUSED', 'second'],
      ['SYN+ACK', 'S.', { ack: 1 }, '. 1 ack 1 → ESTABLISHED', 'fourth'],
      ['SYN+ACK with data', 'S.', { ack: 1, data: 7 }, '. 1 ack 1 → ESTABLISHED', 'S4'],
      ['SYN+ACK+FIN', 'SF.', { ack: 1 }, '. 1 ack 1 → CLOSE-WAIT', 'fourth'],
      ['SYN', 'S', {}, 'S. 0 ack 1 → SYN-RECEIVED', 'fourth'],
      ['ACK of the SYN alone', '.', { ack: 1 }, '-', 'fifth'],
      ['data', 'P.', { ack: 1, data: 5 }, '-', 'fifth'],
      ['FIN', 'F.', { ack: 1 }, '-', 'fifth'],
      ['no flag', '', {}, '-', 'fifth'],
    ],
    () => {
      const peer = new Peer();
      return [peer, peer.dial()];
    },
  );
});

describe('SYN-RECEIVED of a passive OPEN (§3.10.7.4)', () => {
  check(
    [
      ['data beyond the window', '.', { seq: 70_000, data: 5, ack: 1 }, '. 1 ack 1', 'first'],
      ['old data', '.', { seq: -5, data: 5, ack: 1 }, '. 1 ack 1', 'first'],
      ['SYN+ACK, old', 'S.', { seq: 0, ack: 1 }, '. 1 ack 1', 'first'],
      ['another SYN, old', 'S', { seq: -9 }, '. 1 ack 1', 'first'],
      ['RST', 'R', { seq: 1 }, '- → CLOSED', 'second: back to LISTEN'],
      ['RST+ACK', 'R.', { seq: 1, ack: 1 }, '- → CLOSED', 'second: back to LISTEN'],
      ['RST in the window', 'R', { seq: 2 }, '. 1 ack 1', 'second: RFC 5961 §3.2'],
      ['RST beyond the window', 'R', { seq: 70_000 }, '-', 'second'],
      ['RST, old', 'R', { seq: 0 }, '-', 'second'],
      ['RST with a wrong ACK', 'R.', { seq: 1, ack: 2 }, '- → CLOSED', 'second, before the fifth'],
      ['the SYN again', 'S', { seq: 0 }, 'S. 0 ack 1', '§3.8.1: SYN+ACK again'],
      [
        'another SYN, in the window',
        'S',
        { seq: 9 },
        'R. 0 ack 10 → CLOSED',
        'fourth: back to LISTEN',
      ],
      ['no ACK', 'P', { seq: 1, data: 5 }, '-', 'fifth'],
      ['ACK of the ISS', '.', { seq: 1, ack: 0 }, 'R 0', 'fifth'],
      ['ACK of what was not sent', '.', { seq: 1, ack: 2 }, 'R 2', 'fifth'],
      ['ACK', '.', { seq: 1, ack: 1 }, '- → ESTABLISHED', 'fifth'],
      ['ACK with timestamps', '.', { ack: 1, ts: [1, 1] }, '- → ESTABLISHED', 'not agreed on'],
      ['ACK, data', '.', { seq: 1, ack: 1, data: 5 }, '. 1 ack 6 → ESTABLISHED', 'fifth, seventh'],
      ['ACK, FIN', 'F.', { seq: 1, ack: 1 }, '- → CLOSE-WAIT', 'fifth, eighth'],
      [
        'ACK, data beyond a hole',
        '.',
        { seq: 9, ack: 1, data: 5 },
        '. 1 ack 1 → ESTABLISHED',
        'fifth, seventh',
      ],
    ],
    () => {
      const peer = new Peer({ hostIss: 0 });
      peer.server();
      peer.say('S', peer.synFields());
      return [peer, null];
    },
  );
});

describe('SYN-RECEIVED of a passive OPEN, with timestamps (RFC 7323 §5)', () => {
  const ISS_TS = 7_000_000;
  check(
    [
      ['ACK', '.', { seq: 1, ack: 1 }, '- → ESTABLISHED', 'as it should be'],
      ['ACK without timestamps', '.', { seq: 1, ack: 1, ts: null }, '- → ESTABLISHED', 'taken'],
      ['ACK that echoes 0', '.', { seq: 1, ack: 1, ts: [ISS_TS, 0] }, '- → ESTABLISHED', 'taken'],
      ['ACK that echoes what was not sent', '.', { ts: [ISS_TS, 1] }, '. 1 ack 1', 'forged'],
      ['ACK, older than the SYN', '.', { ts: [ISS_TS - 1, 0] }, '. 1 ack 1', 'PAWS'],
      [
        'RST, older than the SYN',
        'R',
        { ts: [ISS_TS - 1, 0] },
        '- → CLOSED',
        'R is no matter of PAWS',
      ],
      ['SYN, older than the SYN', 'S', { seq: 0, ts: [ISS_TS - 1, 0] }, '. 1 ack 1', 'PAWS'],
      ['the SYN again', 'S', { seq: 0, ts: [ISS_TS, 0] }, 'S. 0 ack 1', '§3.8.1: SYN+ACK again'],
    ],
    () => {
      const peer = new Peer({ hostIss: 0, timestamps: true });
      peer.server();
      peer.say('S', peer.synFields());
      peer.agree();
      return [peer, null];
    },
  );
});

describe('SYN-RECEIVED after crossing SYNs (§3.10.7.4)', () => {
  check(
    [
      ['old data', '.', { seq: -5, data: 5, ack: 1 }, '. 1 ack 1', 'first'],
      ['RST', 'R', { seq: 1 }, '- → CLOSED ECONNRESET', 'second'],
      ['RST in the window', 'R', { seq: 2 }, '. 1 ack 1', 'second: RFC 5961 §3.2'],
      ['the SYN again', 'S', { seq: 0 }, 'S. 0 ack 1', '§3.8.1: SYN+ACK again'],
      ['another SYN', 'S', { seq: 9 }, '. 1 ack 1', 'fourth: RFC 5961 §4.2'],
      ['no ACK', '', { seq: 1 }, '-', 'fifth'],
      ['ACK of the ISS', '.', { seq: 1, ack: 0 }, 'R 0', 'fifth'],
      ['ACK of what was not sent', '.', { seq: 1, ack: 2 }, 'R 2', 'fifth'],
      ['SYN+ACK', 'S.', { seq: 0, ack: 1 }, '. 1 ack 1 → ESTABLISHED', '§3.5 figure 8'],
      ['ACK', '.', { seq: 1, ack: 1 }, '- → ESTABLISHED', 'fifth'],
      ['ACK, data', '.', { seq: 1, ack: 1, data: 5 }, '. 1 ack 6 → ESTABLISHED', 'fifth, seventh'],
      ['ACK, FIN', 'F.', { seq: 1, ack: 1 }, '- → CLOSE-WAIT', 'fifth, eighth'],
    ],
    () => {
      const peer = new Peer();
      const socket = peer.dial();
      peer.say('S', peer.synFields());
      return [peer, socket];
    },
  );
});

/** SND.UNA, SND.NXT, RCV.NXT, as a segment's fields refer to them, and the window's right edge. */
interface Numbers {
  una: number;
  nxt: number;
  rcv: number;
  right: number;
}

/** ESTABLISHED: ten bytes were acknowledged each way, ten more of the stack's are in flight. */
function establish(): [Peer, StreamSocket] {
  const peer = new Peer();
  const socket = peer.open();
  socket.send(new Uint8Array(10), 0, 10);
  peer.listen();
  peer.say('.', { data: 10 });
  socket.receive(new Uint8Array(10), 0, 10);
  peer.pass(100_000);
  socket.send(new Uint8Array(10), 0, 10);
  peer.listen();
  return [peer, socket];
}

const SHUT_WR = 1;

const STATES: Readonly<Record<string, () => [Peer, StreamSocket]>> = {
  ESTABLISHED: establish,
  'FIN-WAIT-1': () => {
    const [peer, socket] = establish();
    socket.shutdown(SHUT_WR);
    peer.listen();
    return [peer, socket];
  },
  'FIN-WAIT-2': () => {
    const [peer, socket] = establish();
    socket.shutdown(SHUT_WR);
    peer.listen();
    peer.say('.');
    return [peer, socket];
  },
  'CLOSE-WAIT': () => {
    const [peer, socket] = establish();
    peer.say('F.', { ack: 11 });
    return [peer, socket];
  },
  CLOSING: () => {
    const [peer, socket] = establish();
    socket.shutdown(SHUT_WR);
    peer.listen();
    peer.say('F.', { ack: 11 });
    return [peer, socket];
  },
  'LAST-ACK': () => {
    const [peer, socket] = establish();
    peer.say('F.', { ack: 11 });
    socket.shutdown(SHUT_WR);
    peer.listen();
    return [peer, socket];
  },
  'TIME-WAIT': () => {
    const [peer, socket] = establish();
    socket.shutdown(SHUT_WR);
    peer.listen();
    peer.say('F.');
    return [peer, socket];
  },
};

function numbers(peer: Peer): Numbers {
  const last = peer.log[peer.log.length - 1];
  const acknowledged =
    peer.state === State.FIN_WAIT_2 || peer.state === State.TIME_WAIT ? peer.rcvNxt : 11;
  return { una: acknowledged, nxt: peer.rcvNxt, rcv: peer.seq, right: last.ack + last.window };
}

/**
 * The states in which both have sent their SYN, in the order of the columns. A cell: A is an ACK
 * <SEQ=SND.NXT><ACK=RCV.NXT>, A5 the same with RCV.NXT + 5; then state and error.
 */
const COLUMNS = [
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const;

type Cells = readonly [string, string, string, string, string, string, string];
type MatrixRow = readonly [string, string, (n: Numbers) => Say, Cells, string];

function all(cell: string, timeWait = cell): Cells {
  return [cell, cell, cell, cell, cell, cell, timeWait];
}

/** While the peer may still send; once it has closed; TIME-WAIT. */
function text(open: string, closed: string, timeWait: string): Cells {
  return [open, open, open, closed, closed, closed, timeWait];
}

const RESET = '- → CLOSED ECONNRESET';

const MATRIX: readonly MatrixRow[] = [
  // First: the sequence number.
  ['data, old', '.', (n) => ({ seq: n.rcv - 5, data: 5, ack: n.una }), all('A'), 'first'],
  [
    'data beyond the window',
    '.',
    (n) => ({ seq: n.right + 1, data: 5, ack: n.una }),
    all('A'),
    'first',
  ],
  [
    "data at the window's edge",
    '.',
    (n) => ({ seq: n.right, data: 5, ack: n.una }),
    all('A'),
    'first',
  ],
  ['empty, old', '.', (n) => ({ seq: n.rcv - 5, ack: n.una }), all('A'), 'first'],
  ['empty, beyond the window', '.', (n) => ({ seq: n.right + 1, ack: n.una }), all('A'), 'first'],
  [
    'FIN, old',
    'F.',
    (n) => ({ seq: n.rcv - 1, ack: n.una }),
    all('A'),
    'first; eighth in TIME-WAIT',
  ],
  ['SYN, old', 'S', (n) => ({ seq: n.rcv - 9 }), all('A'), 'first: RFC 5961 §4.2'],
  ['RST, old', 'R', (n) => ({ seq: n.rcv - 5 }), all('-'), 'first'],
  [
    'RST with the number of the FIN',
    'R',
    (n) => ({ seq: n.rcv - 1 }),
    ['-', '-', '-', '- → CLOSED EPIPE', RESET, RESET, '-'],
    'first, as on Linux',
  ],
  ['RST beyond the window', 'R', (n) => ({ seq: n.right + 1 }), all('-'), 'first'],
  ['no flag, old', '', (n) => ({ seq: n.rcv - 5 }), all('-', 'A'), 'fifth, as on Linux'],
  // Second: RST.
  [
    'RST',
    'R',
    (n) => ({ seq: n.rcv }),
    [RESET, RESET, RESET, '- → CLOSED EPIPE', RESET, RESET, '-'],
    'second; RFC 1337',
  ],
  [
    'RST+ACK',
    'R.',
    (n) => ({ seq: n.rcv, ack: n.nxt }),
    [RESET, RESET, RESET, '- → CLOSED EPIPE', RESET, RESET, '-'],
    'second; RFC 1337',
  ],
  ['RST in the window', 'R', (n) => ({ seq: n.rcv + 1 }), all('A', '-'), 'second: RFC 5961 §3.2'],
  ["RST at the window's edge", 'R', (n) => ({ seq: n.right }), all('A', '-'), 'second'],
  ['RST beyond the window', 'R', (n) => ({ seq: n.right + 1 }), all('-'), 'second'],
  // Fourth: SYN.
  [
    'SYN in the window',
    'S',
    (n) => ({ seq: n.rcv + 5 }),
    all('A', 'S. → SYN-RECEIVED'),
    'fourth: RFC 5961 §4.2; RFC 6191',
  ],
  ['SYN+ACK', 'S.', (n) => ({ seq: n.rcv + 5, ack: n.nxt }), all('A'), 'fourth: RFC 5961 §4.2'],
  ['SYN+FIN', 'SF', (n) => ({ seq: n.rcv + 5 }), all('A'), 'fourth: RFC 5961 §4.2'],
  // Fifth: ACK.
  ['data without ACK', 'P', (n) => ({ seq: n.rcv, data: 5 }), all('-'), 'fifth'],
  ['FIN without ACK', 'F', (n) => ({ seq: n.rcv }), all('-'), 'fifth'],
  ['no flag', '', (n) => ({ seq: n.rcv }), all('-'), 'fifth'],
  ['ACK again', '.', (n) => ({ ack: n.una }), all('-'), 'fifth'],
  [
    'ACK of everything',
    '.',
    (n) => ({ ack: n.nxt }),
    ['-', '- → FIN-WAIT-2', '-', '-', '- → TIME-WAIT', '- → CLOSED', '-'],
    'fifth',
  ],
  ['ACK of all but the last', '.', (n) => ({ ack: n.nxt - 1 }), all('-'), 'fifth'],
  ['ACK, old', '.', (n) => ({ ack: n.una - 5 }), all('-'), 'fifth'],
  [
    'ACK, older than a window',
    '.',
    (n) => ({ ack: n.una - 65_536 }),
    all('A', '-'),
    'fifth: RFC 5961 §5.2',
  ],
  ['ACK of what was not sent', '.', (n) => ({ ack: n.nxt + 1 }), all('A', '-'), 'fifth'],
  ['data, ACK of what was not sent', '.', (n) => ({ data: 5, ack: n.nxt + 1 }), all('A'), 'fifth'],
  // Seventh: text.
  ['data', '.', (n) => ({ data: 5, ack: n.una }), text('A5', '-', 'A'), 'seventh'],
  [
    'data, half of it old',
    '.',
    (n) => ({ seq: n.rcv - 5, data: 10, ack: n.una }),
    text('A5', '-', 'A'),
    'seventh',
  ],
  [
    'data beyond a hole',
    '.',
    (n) => ({ seq: n.rcv + 5, data: 5, ack: n.una }),
    text('A', '-', 'A'),
    'seventh: RFC 5681 §4.2',
  ],
  // Eighth: FIN. In ESTABLISHED its acknowledgment waits a little for the program's own FIN.
  [
    'FIN',
    'F.',
    (n) => ({ ack: n.una }),
    ['- → CLOSE-WAIT', 'A1 → CLOSING', 'A1 → TIME-WAIT', '-', '-', '-', 'A'],
    'eighth',
  ],
  [
    'FIN, ACK of everything',
    'F.',
    (n) => ({ ack: n.nxt }),
    ['- → CLOSE-WAIT', 'A1 → TIME-WAIT', 'A1 → TIME-WAIT', '-', '- → TIME-WAIT', '- → CLOSED', 'A'],
    'fifth, eighth',
  ],
  [
    'FIN with data',
    'F.',
    (n) => ({ data: 5, ack: n.una }),
    ['- → CLOSE-WAIT', 'A6 → CLOSING', 'A6 → TIME-WAIT', '-', '-', '-', 'A'],
    'seventh, eighth',
  ],
  [
    'FIN beyond a hole',
    'F.',
    (n) => ({ seq: n.rcv + 5, ack: n.una }),
    text('A', '-', 'A'),
    'eighth: RFC 5681 §4.2',
  ],
];

/** 'A5 → STATE' with the numbers put in. */
function expand(cell: string, { nxt, rcv }: Numbers): string {
  return cell
    .replace(/^A(\d*)/, (_, more: string) => `. ${nxt} ack ${rcv + Number(more)}`)
    .replace(/^S\./, `S. 0 ack ${rcv + 6}`);
}

describe.each(COLUMNS)('%s (§3.10.7.4)', (state) => {
  test.each(MATRIX)('%s', (_segment, flags, say, cells) => {
    const [peer, socket] = STATES[state]();
    expect(stateName(peer.state)).toBe(state);
    const n = numbers(peer);
    const got = outcome(peer, socket, () => peer.say(flags, say(n)));
    // A new connection has a new ISS.
    const shown = got.replace(/^S\. -?\d+/, 'S. 0');
    expect(shown).toBe(expand(cells[COLUMNS.indexOf(state)], n));
  });
});
