import { Errno } from '../../../../lib/core/errno';
import { formatAddress, sameAddress } from '../../../../lib/core/ip/address';
import { SocketOption } from '../../../../lib/core/socket/options';
import type { StreamSocket } from '../../../../lib/core/socket/stream-socket';
import { State, stateName } from '../../../../lib/core/tcp/state';
import { address, expectOk, pattern } from '../../../support/lab';
import { Peer, PEER_PORT, PORT } from '../../../support/peer';
import { withOptions } from './raw-options';

// RFC 9293 §3.9.1.1, §3.9.2.3: which addresses a connection has, and which it can't have.

const FIRST = address('10.0.0.1');
const SECOND = address('10.0.0.3');
const PEERS = address('10.0.0.2');

/** A peer of a host with two addresses; `choice` is what its paths prefer. */
function multihomed(): { peer: Peer; choice: { address: typeof FIRST }; sources: string[] } {
  const peer = new Peer();
  const choice = { address: SECOND };
  const sources: string[] = [];
  const { environment } = peer.host.core.tcp;
  environment.paths = {
    isLocal: (other) => sameAddress(other, FIRST) || sameAddress(other, SECOND),
    route: (_remote, local) => ({ source: local ?? choice.address, mtu: 1500 }),
  };
  peer.host.collect(0, () => undefined);
  const { collect } = peer.host;
  peer.host.collect = (now, take) =>
    collect.call(peer.host, now, (packet) => {
      sources.push(packet.subarray(12, 16).join('.'));
      take(packet);
    });
  return { peer, choice, sources };
}

function dial({ core }: Peer['host'], bound: typeof FIRST | null): StreamSocket {
  const socket = core.socket(4);
  if (bound !== null) expectOk(socket.bind(bound, 0));
  expect(socket.connect(PEERS, PEER_PORT)).toBe(-Errno.EINPROGRESS);
  return socket;
}

describe('the local address of an active OPEN', () => {
  test('is that which IP chooses, and stays, whatever IP would choose later (MUST-44, 45)', () => {
    const { peer, choice, sources } = multihomed();
    const socket = dial(peer.host, null);
    expect(formatAddress(socket.localAddress)).toBe('10.0.0.3');
    choice.address = FIRST;
    peer.listen();
    // The SYN is lost, and sent again.
    peer.pass(10_000_000);
    expect(sources.length).toBeGreaterThan(3);
    expect(new Set(sources)).toEqual(new Set(['10.0.0.3']));
  });

  test('is the one that the user names (MUST-43)', () => {
    const { peer, sources } = multihomed();
    const socket = dial(peer.host, FIRST);
    peer.listen();
    expect(formatAddress(socket.localAddress)).toBe('10.0.0.1');
    expect(sources).toEqual(['10.0.0.1']);
  });
});

test('a passive OPEN on all addresses answers from the one that was asked (MUST-45)', () => {
  const { peer, sources } = multihomed();
  const listener = peer.host.core.socket(4);
  expectOk(listener.bind(address('0.0.0.0'), PORT));
  expectOk(listener.listen(5));
  peer.say('S', peer.synFields());
  peer.say('.');
  const socket = listener.accept() as StreamSocket;
  expect(formatAddress(socket.localAddress)).toBe('10.0.0.1');
  socket.send(pattern(10), 0, 10);
  peer.pass(5_000_000);
  expect(sources.length).toBeGreaterThan(3);
  expect(new Set(sources)).toEqual(new Set(['10.0.0.1']));
});

/** `packet` of an IPv4 segment with another destination, its checksums made right again. */
function readdressed(packet: Uint8Array, to: string): Uint8Array {
  const out = packet.slice();
  out.set(
    to.split('.').map((part) => Number(part)),
    16,
  );
  return withOptions(out, []);
}

test.each(['255.255.255.255', '10.255.255.255', '224.0.0.1', '239.1.2.3'])(
  'a segment to %s is discarded in silence (MUST-57)',
  (to) => {
    for (const listens of [true, false]) {
      const peer = new Peer();
      if (listens) peer.server();
      for (const flags of ['S', '.', 'F.', 'R', '']) {
        peer.deliver(readdressed(peer.packet(flags, { seq: 0, ack: 0 }), to));
        peer.listen();
      }
      expect(peer.lines()).toEqual([]);
      expect(peer.host.core.tcp.tuples.count).toBe(0);
      // The same to the host itself has an answer.
      peer.deliver(readdressed(peer.packet('S', { seq: 0 }), '10.0.0.1'));
      peer.listen();
      expect(peer.lines().length).toBe(1);
    }
  },
);

/** The same with another source. */
function from(packet: Uint8Array, source: string): Uint8Array {
  const out = packet.slice();
  out.set(
    source.split('.').map((part) => Number(part)),
    12,
  );
  return withOptions(out, []);
}

test.each(['0.0.0.0', '224.0.0.1', '255.255.255.255', '10.255.255.255'])(
  'a segment from %s is discarded in silence (MUST-63)',
  (source) => {
    for (const listens of [true, false]) {
      const peer = new Peer();
      const { environment, counters } = peer.host.core.tcp;
      environment.paths.isBroadcast = (other) => formatAddress(other) === '10.255.255.255';
      if (listens) peer.server();
      for (const flags of ['S', '.', 'F.', 'R', '']) {
        peer.deliver(from(peer.packet(flags, { seq: 0, ack: 0 }), source));
        peer.listen();
      }
      expect(peer.lines()).toEqual([]);
      expect(peer.host.core.tcp.tuples.count).toBe(0);
      expect(counters.NetlandMartianSources).toBe(5);
    }
  },
);

test.each(['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'])(
  'connecting to %s fails',
  (to) => {
    const peer = new Peer({ family: to.includes(':') ? 6 : 4 });
    const socket = peer.host.core.socket(to.includes(':') ? 6 : 4);
    expect(socket.connect(address(to), 80)).toBe(-Errno.ENETUNREACH);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(socket.state).toBe(State.CLOSED);
  },
);

test.each(['SYN-SENT', 'SYN-RECEIVED'])(
  'LISTEN on the port of a connection in %s: both go on (MUST-42)',
  (state) => {
    const peer = new Peer();
    const socket = peer.dial((unbound) => {
      unbound.setOption(SocketOption.ReuseAddress, 1);
      expectOk(unbound.bind(FIRST, PORT));
    });
    if (state === 'SYN-RECEIVED') peer.say('S', peer.synFields());
    expect(stateName(socket.state)).toBe(state);
    const listener = peer.server();
    peer.heard();
    // A connection from elsewhere reaches the listener, the one from here does not.
    peer.say('S', { port: 6000, seq: 0 });
    expect(peer.heard().map(({ flags }) => flags)).toEqual(['S.']);
    peer.say(state === 'SYN-SENT' ? 'S.' : '.', state === 'SYN-SENT' ? { seq: 0 } : {});
    expect(socket.state).toBe(State.ESTABLISHED);
    expect([listener.state, listener.listening?.handshakes, listener.waiting]).toEqual([
      State.LISTEN,
      1,
      0,
    ]);
  },
);
