import { Errno } from '../../../lib/core/errno';
import { parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { Option } from '../../../lib/core/segment/layout';
import { State } from '../../../lib/core/tcp/state';
import { leftovers } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;

const remote = parseAddress('10.0.0.2') as IpAddress;

/** A connection of the stack that it has closed first, and the peer then. */
function waiting(options: PeerOptions = {}): Peer {
  const peer = new Peer(options);
  close(peer);
  return peer;
}

/** Opens a connection to the peer and closes it; TIME-WAIT is what remains. */
function close(peer: Peer): void {
  peer.renew();
  peer.hostIss = 0;
  const socket = peer.answer();
  socket.close();
  peer.listen();
  peer.say('F.');
  peer.heard();
  expect(peer.state).toBe(State.TIME_WAIT);
}

describe('what arrives in TIME-WAIT (RFC 9293 §3.10.7.4)', () => {
  test.each<[string, string, object, string[]]>([
    ['the last ACK again', '.', {}, []],
    ['data', 'P.', { data: 5 }, ['. 2 ack 2']],
    ['an old acknowledgment', '.', { seq: 1 }, ['. 2 ack 2']],
    ['an acknowledgment beyond', '.', { seq: 3 }, ['. 2 ack 2']],
    ['the next number without ACK', 'P', { data: 5 }, []],
    ['an old number without ACK', 'P', { seq: 1, data: 5 }, ['. 2 ack 2']],
    ['a SYN in the window with ACK', 'S.', { seq: 100 }, ['. 2 ack 2']],
    ['an old SYN', 'S', { seq: 0 }, ['. 2 ack 2']],
    ['a RST', 'R', {}, []],
    ['an old RST', 'R', { seq: 0 }, []],
  ])('%s', (_, flags, say, expected) => {
    const peer = waiting();
    peer.pass(10 * SECOND);
    peer.say(flags, say);
    expect(peer.lines()).toEqual(expected);
    // None of these restarts the wait.
    peer.pass(50 * SECOND);
    expect(leftovers(peer.host).timeWaits).toBe(0);
  });

  test('rfc1337 = 0: a RST with the next number ends the wait, no other', () => {
    const peer = waiting({ tcp: { rfc1337: 0 } });
    for (const seq of [0, 1, 3, 100]) peer.say('R', { seq });
    expect(peer.state).toBe(State.TIME_WAIT);
    peer.say('R');
    expect(peer.state).toBe(State.CLOSED);
    expect([peer.lines(), leftovers(peer.host).fourTuples]).toEqual([[], 0]);
  });

  test('the window is the last one, as the header had it', () => {
    const peer = new Peer({ syn: { scale: 7 } });
    const socket = peer.answer();
    socket.close();
    peer.listen();
    const fin = peer.packet('F.');
    for (let i = 0; i < 2; i++) {
      peer.deliver(fin);
      peer.listen();
    }
    const [first, second] = peer.log.slice(-2);
    expect(second.window).toBe(first.window);
    expect(second.window).toBeGreaterThan(0);
  });
});

describe('timestamps in TIME-WAIT', () => {
  test('the answer echoes the peer’s latest, also when a segment without one came', () => {
    const peer = waiting({ timestamps: true });
    peer.pass(3 * SECOND);
    const value = peer.tsVal;
    peer.say('.');
    peer.say('.', { ts: null });
    peer.pass(2 * SECOND);
    peer.say('F.', { seq: 1, ts: null });
    const [answer] = peer.heard();
    expect(answer.options).toBe(Option.Timestamps);
    expect(answer.tsEcr).toBe(value);
  });

  test('an older one is answered and changes nothing (RFC 7323 §5.3)', () => {
    const peer = waiting({ timestamps: true });
    peer.pass(3 * SECOND);
    const value = peer.tsVal - 3000;
    peer.say('.', { ts: [value - 1000, 0] });
    peer.say('F.', { seq: 1, ts: [value - 1000, 0] });
    expect(peer.heard().map(({ tsEcr }) => tsEcr)).toEqual([value, value]);
    expect(peer.host.core.counters.TcpExtPAWSEstab).toBe(2);
    // A FIN that is old doesn't restart the wait.
    peer.pass(57 * SECOND);
    expect(leftovers(peer.host).timeWaits).toBe(0);
  });

  test('none where they were not agreed on', () => {
    const peer = waiting();
    peer.say('F.', { seq: 1, ts: [5, 6] });
    expect(peer.heard()[0].options).toBe(0);
  });
});

describe('ports in TIME-WAIT, taken over (RFC 6191)', () => {
  const again = (peer: Peer) => peer.host.core.socket(4).connect(remote, peer.port);

  test('of several entries the right one: its numbers are continued, the others wait', () => {
    const peer = waiting({ ports: [50_000, 50_000], timestamps: true });
    const ends: number[] = [];
    for (const port of [5001, 5002, 5003]) {
      peer.port = port;
      close(peer);
      ends.push((peer.hostIss + 2) | 0);
    }
    peer.pass(2 * SECOND);
    peer.host.core.tcp.isn.isn = () => (ends[1] - 7) | 0;
    peer.port = 5002;
    peer.renew();
    peer.dial();
    expect((peer.hostIss - ends[1]) | 0).toBe(65_537);
    expect(leftovers(peer.host).timeWaits).toBe(3);
  });

  test('not within a second, and after a second and a millisecond', () => {
    const peer = waiting({ ports: [50_000, 50_000], timestamps: true });
    peer.pass(SECOND);
    expect(again(peer)).toBe(-Errno.EADDRNOTAVAIL);
    peer.pass(1000);
    expect(again(peer)).toBe(-Errno.EINPROGRESS);
  });

  test('never without timestamps, whoever lacks them', () => {
    for (const options of [{ timestamps: false }, { timestamps: true, tcp: { timestamps: 0 } }]) {
      const peer = waiting({ ports: [50_000, 50_000], ...options });
      peer.pass(59 * SECOND);
      expect(again(peer)).toBe(-Errno.EADDRNOTAVAIL);
      peer.pass(SECOND);
      expect(again(peer)).toBe(-Errno.EINPROGRESS);
    }
  });
});
