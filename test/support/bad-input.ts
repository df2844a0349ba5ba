import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import { Flag } from '../../lib/core/segment/layout';
import { State, stateName } from '../../lib/core/tcp/state';
import { Checks } from '../../lib/testing/check/checks';
import { withOptions } from '../core/tcp/rfc9293/raw-options';
import { leftovers, NOTHING } from './lab';
import { PORT, type Peer, type Say } from './peer';

/** A conversation that has come to some state, and the sockets that the program has in it. */
interface Scene {
  peer: Peer;
  sockets: StreamSocket[];
}

/** Brings a peer that has said nothing yet, and its stack, to a state. */
type Arrange = (peer: Peer) => Scene;

const SHUT_WR = 1;
const TEN = new Uint8Array(10);

function listening(peer: Peer): Scene {
  return { peer, sockets: [peer.server()] };
}

/** Ten bytes of the stack's are in flight; ten of the peer's were read. */
function established(peer: Peer): Scene {
  const { sockets } = listening(peer);
  const socket = peer.open(sockets[0]);
  peer.say('.', { data: 10 });
  socket.receive(TEN, 0, 10);
  peer.pass(100_000);
  socket.send(TEN, 0, 10);
  peer.listen();
  return { peer, sockets: [...sockets, socket] };
}

/** `established`, and then. */
function then(...steps: ((peer: Peer, socket: StreamSocket) => void)[]): Arrange {
  return (peer) => {
    const scene = established(peer);
    for (const step of steps) step(peer, scene.sockets[1]);
    return scene;
  };
}

const shut = (peer: Peer, socket: StreamSocket): void => {
  socket.shutdown(SHUT_WR);
  peer.listen();
};
const acknowledge = (peer: Peer): void => peer.say('.');
/** The peer's FIN, without an acknowledgment of what is in flight. */
const fin = (peer: Peer): void => peer.say('F.', { ack: 1 });

/** Every state that a segment can meet, by name. */
export const SCENES: Readonly<Record<string, Arrange>> = {
  CLOSED: (peer) => ({ peer, sockets: [] }),
  LISTEN: listening,
  'SYN-SENT': (peer) => ({ peer, sockets: [peer.dial()] }),
  'SYN-RECEIVED': (peer) => {
    const scene = listening(peer);
    peer.say('S', peer.synFields());
    return scene;
  },
  'SYN-RECEIVED, active': (peer) => {
    const sockets = [peer.dial()];
    peer.say('S', peer.synFields());
    return { peer, sockets };
  },
  ESTABLISHED: established,
  'FIN-WAIT-1': then(shut),
  'FIN-WAIT-2': then(shut, acknowledge),
  'CLOSE-WAIT': then(fin),
  CLOSING: then(shut, fin),
  'LAST-ACK': then(fin, shut),
  'TIME-WAIT': then(shut, acknowledge, (peer) => peer.say('F.')),
};

/** What may come of each state by one segment; CLOSED is what has no control block. */
const FOLLOWERS: Readonly<Record<State, readonly State[]>> = {
  [State.CLOSED]: [State.CLOSED],
  [State.LISTEN]: [State.CLOSED, State.SYN_RECEIVED],
  [State.SYN_SENT]: [
    ...[State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED],
    ...[State.CLOSE_WAIT, State.CLOSED],
  ],
  [State.SYN_RECEIVED]: [
    ...[State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT, State.CLOSED],
  ],
  [State.ESTABLISHED]: [State.ESTABLISHED, State.CLOSE_WAIT, State.CLOSED],
  [State.FIN_WAIT_1]: [
    ...[State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING],
    ...[State.TIME_WAIT, State.CLOSED],
  ],
  [State.FIN_WAIT_2]: [State.FIN_WAIT_2, State.TIME_WAIT, State.CLOSED],
  [State.CLOSE_WAIT]: [State.CLOSE_WAIT, State.CLOSED],
  [State.CLOSING]: [State.CLOSING, State.TIME_WAIT, State.CLOSED],
  [State.LAST_ACK]: [State.LAST_ACK, State.CLOSED],
  [State.TIME_WAIT]: [State.TIME_WAIT, State.SYN_RECEIVED],
};

/** Where a segment begins, against RCV.NXT and the right edge of the window. */
export const PLACES = ['below', 'overlap', 'next', 'inside', 'edge', 'beyond', 'far'] as const;
/** What it acknowledges, against SND.UNA and SND.NXT. */
export const ACKS = ['una', 'nxt', 'old', 'ahead', 'far'] as const;

type Place = (typeof PLACES)[number];
type Ack = (typeof ACKS)[number];

/** A segment, and where it comes to. */
export interface Cell {
  state: string;
  /** All nine bits. */
  flags: number;
  place: Place;
  data: boolean;
  ack: Ack;
}

const HALF = 0x7fffffff;
const DATA = 10;
const FLAGS = 512;
const SYNCHRONIZED: readonly State[] = [
  ...[State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2],
  ...[State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT],
];

/** So many cells there are. */
export const CELLS = Object.keys(SCENES).length * FLAGS * PLACES.length * 2 * ACKS.length;

/** The cell with that number. */
export function cellAt(index: number): Cell {
  let rest = index;
  const take = (count: number): number => {
    const value = rest % count;
    rest = Math.floor(rest / count);
    return value;
  };
  const flags = take(FLAGS);
  const state = Object.keys(SCENES)[take(Object.keys(SCENES).length)];
  return { state, flags, place: PLACES[take(7)], data: take(2) === 1, ack: ACKS[take(5)] };
}

function sayOf({ place, data, ack }: Cell, peer: Peer): Say {
  const next = peer.seq;
  const last = peer.log.at(-1);
  const right = last === undefined ? next : last.ack + last.window;
  const una = peer.state === State.SYN_SENT ? 0 : Math.min(11, peer.rcvNxt);
  const seq = {
    ...{ below: next - DATA - 1, overlap: next - 3, next, inside: next + 5 },
    ...{ edge: right, beyond: right + 1, far: next + HALF },
  }[place];
  const acknowledged = {
    ...{ una, nxt: peer.rcvNxt, old: una - 1 },
    ...{ ahead: peer.rcvNxt + 1, far: una + HALF },
  }[ack];
  return { seq, ack: acknowledged, data: data ? DATA : 0, urgent: 1 };
}

const LETTERS = 'FSRP.UEWe';

/** In tcpdump's letters, as `Peer.say` takes them. */
function lettersOf(flags: number): string {
  return [...LETTERS].filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** The stack of a scene, watched by the simulator's checks. */
class Watch {
  private readonly checks: Checks;
  private readonly host;
  private readonly rcvNxt: number | null;

  constructor(private readonly scene: Scene) {
    const { peer } = scene;
    this.checks = new Checks({ now: peer.now, seed: 1 });
    this.host = { name: 'host', core: peer.host.core };
    this.checks.everything(this.host);
    this.rcvNxt = SYNCHRONIZED.includes(peer.state) ? this.numbers() : null;
  }

  private numbers(): number | null {
    let found: number | null = null;
    this.host.core.tcp.forEachConnection((c) => (found = c.rcvNxt));
    return found;
  }

  /** What must hold after any input. */
  look(): void {
    this.checks.everything(this.host);
    const now = this.numbers();
    if (this.rcvNxt === null || now === null) return;
    demand(((now - this.rcvNxt) | 0) >= 0, 'RCV.NXT goes back');
  }

  /** Closes everything; nothing may be left of it. */
  end(): void {
    const { peer, sockets } = this.scene;
    for (const socket of sockets) {
      for (;;) {
        const accepted = socket.accept();
        if (typeof accepted === 'number') break;
        accepted.abort();
      }
      socket.abort();
    }
    peer.pass(600_000_000);
    this.checks.everything(this.host);
    const left = Object.entries(leftovers(peer.host));
    for (const [name, count] of left) {
      demand(count === NOTHING[name as keyof typeof NOTHING], `${count} ${name} are left`);
    }
  }
}

/** What the bytes of an option's value are. */
const FILLS: readonly ((index: number) => number)[] = [() => 0, () => 0xff, (index) => 17 * index];
/** A segment with options, and the state that it comes to. */
const CARRIERS = [
  { state: 'LISTEN', flags: 'S', data: 0 },
  { state: 'SYN-SENT', flags: 'S.', data: 0 },
  { state: 'ESTABLISHED', flags: '.', data: DATA },
] as const;
const KINDS = 256;
/** 0 to 40; and each once more without its end. */
const LENGTHS = 41;
const ROOM = 40;

/** An option of one kind and length. */
export interface OptionCell {
  carrier: number;
  kind: number;
  /** What its second byte says. */
  length: number;
  fill: number;
  /** The header ends before the option does. */
  truncated: boolean;
}

export const OPTION_CELLS = CARRIERS.length * KINDS * LENGTHS * FILLS.length * 2;

export function optionCellAt(index: number): OptionCell {
  let rest = index;
  const take = (count: number): number => {
    const value = rest % count;
    rest = Math.floor(rest / count);
    return value;
  };
  const [kind, length] = [take(KINDS), take(LENGTHS)];
  return { kind, length, carrier: take(3), fill: take(3), truncated: take(2) === 1 };
}

function optionBytes({ kind, length, fill, truncated }: OptionCell): number[] {
  const whole = Math.min(ROOM, Math.ceil(Math.max(length, 2) / 4) * 4);
  const room = truncated ? Math.max(4, whole - 4) : whole;
  const end = Math.max(length, 2);
  return Array.from({ length: room }, (_, i) => {
    if (i < 2) return i === 0 ? kind : length;
    // No operation: nothing that ends the options.
    return i < end ? FILLS[fill](i) & 0xff : 1;
  });
}

/** The same for an option: it changes nothing in what comes of the segment. */
export function tryOption(cell: OptionCell, peer: Peer): void {
  peer.hostPort = PORT;
  peer.renew();
  const { state, flags, data } = CARRIERS[cell.carrier];
  const scene = SCENES[state](peer);
  const watch = new Watch(scene);
  peer.heard();
  peer.host.deliver(
    withOptions(peer.packet(flags, { data, ts: null }), optionBytes(cell)),
    peer.now,
  );
  peer.listen();
  watch.look();
  const answers = peer.heard().map((heard) => heard.flags);
  demand(!answers.some((letters) => letters.includes('R')), 'an option is answered by a RST');
  const expected = { LISTEN: 'SYN-RECEIVED', 'SYN-SENT': 'ESTABLISHED', ESTABLISHED: state }[state];
  demand(stateName(peer.state) === expected, `an option leads to ${stateName(peer.state)}`);
  watch.end();
}

/** Lives one cell, with a peer that has no connection. @throws Error for what must not be */
export function tryCell(cell: Cell, peer: Peer): void {
  peer.hostPort = PORT;
  peer.renew();
  const scene = SCENES[cell.state](peer);
  const watch = new Watch(scene);
  const isListen = cell.state === 'LISTEN';
  const before = isListen ? State.LISTEN : peer.state;
  peer.heard();
  peer.say(lettersOf(cell.flags), sayOf(cell, peer));
  const replies = peer.heard();
  const after = peer.state;
  watch.look();
  const has = (flag: Flag): boolean => (cell.flags & flag) !== 0;
  const isReset = has(Flag.RST);
  const followers = FOLLOWERS[before].map(stateName);
  demand(followers.includes(stateName(after)), `${stateName(before)} to ${stateName(after)}`);
  const resets = replies.filter(({ flags }) => flags.includes('R'));
  demand(!isReset || resets.length === 0, 'a RST is answered by a RST');
  demand(resets.length <= 1, 'more than one RST');
  if (SYNCHRONIZED.includes(before)) {
    demand(resets.length === 0 || before === State.FIN_WAIT_2 || after === State.CLOSED, 'a RST');
    if (!isReset && before !== State.LAST_ACK && resets.length === 0) {
      demand(after !== State.CLOSED, 'closed without a RST');
    }
    if (isReset && cell.place !== 'next') demand(after === before, 'reset by a guess');
    if (!has(Flag.ACK) && !isReset && !has(Flag.SYN)) demand(after === before, 'without ACK');
    if (!isReset && !has(Flag.SYN) && ['ahead', 'far'].includes(cell.ack)) {
      demand(after === before, 'a wrong ACK changes the state');
    }
  }
  watch.end();
}
