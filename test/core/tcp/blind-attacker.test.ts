import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import type { Settings } from '../../../lib/core/tcp/settings';
import { State } from '../../../lib/core/tcp/state';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;
const MILLISECOND = 1000;
const VICTIM = 5000;
const ATTACKER = 6666;

/** What `Peer` knows of one of two connections to the same listener. */
interface Side {
  port: number;
  iss: number;
  hostIss: number;
  seq: number;
  rcvNxt: number;
}

/**
 * A stack with two connections: a victim's, and one of an attacker who hears nothing of the
 * victim's, but can send in its name, and knows its ports.
 */
class Scene {
  readonly peer: Peer;
  readonly victim: StreamSocket;
  private readonly own: Side;
  private readonly other: Side;

  constructor(tcp: Partial<Settings> = {}, seed = 1) {
    const peer = (this.peer = new Peer({ tcp, seed }));
    const listener = peer.server();
    peer.port = VICTIM;
    this.victim = peer.open(listener);
    this.other = this.side();
    peer.port = ATTACKER;
    peer.renew();
    peer.open(listener);
    this.own = this.side();
  }

  private side(): Side {
    const { port, iss, hostIss, seq, rcvNxt } = this.peer;
    return { port, iss, hostIss, seq, rcvNxt };
  }

  /** A segment in the victim's name. */
  spoof(flags: string, seq: number, ack = 0, data = 0): void {
    Object.assign(this.peer, this.other);
    this.peer.say(flags, { seq, ack, data });
  }

  /** What the attacker hears when he says something on his own connection. */
  ask(flags: string, seq: number): number {
    Object.assign(this.peer, this.own);
    this.peer.heard();
    this.peer.say(flags, { seq });
    return this.peer.heard().length;
  }
}

/**
 * CVE-2016-5696: in each second the attacker spends what the stack allows of challenges on his own
 * connection, after `guess` in the victim's name; how many he gets.
 */
function measure(tcp: Partial<Settings>, guess: (scene: Scene) => void): number[] {
  const scene = new Scene(tcp);
  const counts: number[] = [];
  for (let second = 1; second <= 10; second++) {
    scene.peer.pass(SECOND - (scene.peer.now % SECOND));
    guess(scene);
    let challenges = 0;
    for (let i = 0; i < 200; i++) {
      challenges += scene.ask('R', 100);
      scene.peer.pass(MILLISECOND);
    }
    counts.push(challenges);
  }
  return counts;
}

describe('challenges on the attacker’s own connection', () => {
  const right = (scene: Scene): void => scene.spoof('R', 100);
  const wrong = (scene: Scene): void => scene.spoof('R', 1_000_000_000);

  test('tell nothing of the victim’s: each connection has a limit of its own', () => {
    expect(measure({}, right)).toEqual(measure({}, wrong));
    expect(measure({}, right)).toEqual(Array(10).fill(1));
    // Nor does a connection that isn't there differ from one that is.
    const scene = (s: Scene): void => s.peer.say('S', { port: 7777, seq: 5 });
    expect(measure({}, scene)).toEqual(Array(10).fill(1));
  });

  test('a limit for the whole stack would tell: none is set unless the program asks', () => {
    // The channel that the limit of RFC 5961 §7 opens, so that the test above can see one.
    const tcp = { challengeAckLimit: 1, invalidRatelimit: 0 };
    const sum = (counts: number[]): number => counts.reduce((all, count) => all + count, 0);
    const seen = [right, wrong].map((guess) => sum(measure(tcp, guess)));
    expect(seen[0]).toBeLessThan(seen[1]);
  });
});

describe('a blind attacker who knows the ports', () => {
  test('RST at every window’s width resets nothing, but for the one number in 2^32', () => {
    const scene = new Scene();
    const { peer, victim } = scene;
    for (let seq = 7; seq < 2 ** 32; seq += 65_000) scene.spoof('R', seq | 0);
    expect(victim.state).toBe(State.ESTABLISHED);
    const { counters } = peer.host.core;
    expect(counters.TcpExtTCPChallengeACK).toBe(1);
    scene.spoof('R', 1);
    expect(victim.state).toBe(State.CLOSED);
  });

  test('SYN, at any number, ends nothing: a challenge, twice a second at most', () => {
    const scene = new Scene();
    const before = scene.peer.host.core.counters.TcpOutSegs;
    for (let i = 0; i < 2000; i++) {
      scene.spoof('S', (i * 2_147_483) | 0);
      scene.peer.pass(MILLISECOND);
    }
    expect(scene.victim.state).toBe(State.ESTABLISHED);
    expect(scene.peer.host.core.counters.TcpOutSegs - before).toBeLessThanOrEqual(5);
  });

  test('data in the window, but with a guessed acknowledgment, is not taken (RFC 5961 §5)', () => {
    const scene = new Scene();
    for (let i = 1; i < 2000; i++) {
      const ack = (70_000 + i * 2_100_000) | 0;
      scene.spoof('P.', 1, ack, 10);
    }
    expect(scene.victim.inQueue).toBe(0);
    expect(scene.victim.state).toBe(State.ESTABLISHED);
  });

  test('can’t end a handshake, nor make one end, nor an orphan’s wait', () => {
    const peer = new Peer();
    const listener = peer.server();
    peer.say('S');
    const numbers = Array.from({ length: 3000 }, (_, i) => (2 + i * 1_431_000) | 0);
    for (const seq of numbers) peer.say('R', { seq });
    for (let i = 1; i < 500; i++) peer.say('.', { seq: 1, ack: (i * 8_589_934) | 0 });
    expect(peer.state).toBe(State.SYN_RECEIVED);
    peer.say('.', { seq: 1, ack: 1 });
    const socket = listener.accept() as StreamSocket;
    socket.close();
    peer.listen();
    peer.say('.', { seq: 1, ack: 2 });
    expect(peer.state).toBe(State.FIN_WAIT_2);
    for (const seq of numbers) peer.say('R', { seq });
    for (const seq of numbers) peer.say('S', { seq });
    expect(peer.state).toBe(State.FIN_WAIT_2);
    peer.say('F.', { seq: 1, ack: 2 });
    for (const seq of [1, 2, ...numbers]) peer.say('R', { seq });
    expect(peer.state).toBe(State.TIME_WAIT);
  });

  test('timestamps of one connection say nothing of another’s, whatever its shape', () => {
    const peer = new Peer({ timestamps: true, tcp: { syncookies: 2 } });
    const listener = peer.server(100);
    const clocks: number[] = [];
    for (let port = 1; port <= 60; port++) {
      peer.port = port;
      peer.renew();
      peer.synchronize();
      // A cookie's SYN+ACK is up to 64 ms old.
      clocks.push(peer.log.at(-1)?.tsVal as number);
    }
    expect(listener.waiting).toBe(60);
    const gaps = clocks.map((clock, i) => Math.abs((clock - clocks[(i + 1) % 60]) | 0));
    expect(Math.min(...gaps)).toBeGreaterThan(1000);
    // Below a quarter of the circle: half of them, if they are spread evenly.
    const near = gaps.filter((gap) => gap < 2 ** 30).length;
    expect(near).toBeGreaterThan(15);
    expect(near).toBeLessThan(45);
  });
});
