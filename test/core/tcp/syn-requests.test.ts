import fc from 'fast-check';
import { buildPacket, packetLength } from '../../../lib/codec/build';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { Flag } from '../../../lib/core/segment/layout';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import type { Settings } from '../../../lib/core/tcp/settings';
import { State } from '../../../lib/core/tcp/state';
import type { SynRequest, SynRequests } from '../../../lib/core/tcp/syn-requests';
import { formatAddress } from '../../../lib/core/ip/address';
import { Icmp4 } from '../../../lib/core/icmp/icmp-error';
import { DatagramHost, ip } from '../../support/datagrams';
import { Peer, type PeerOptions } from '../../support/peer';
import { pushSegment } from '../../support/segments';

/** A peer, and a listener whose program is asked. */
class Asked extends Peer {
  readonly listener: StreamSocket;
  readonly requests: SynRequests;
  asks = true;

  constructor(options: PeerOptions = {}, backlog = 16) {
    super(options);
    this.listener = this.server(backlog);
    this.requests = this.listener.decideSyns(() => this.asks) as SynRequests;
  }

  /** A SYN of the peer; what the program hears of by it. */
  knock(fields = this.synFields()): SynRequest | null {
    this.say('S', fields);
    return this.requests.next();
  }

  /** The same, which must be news. */
  request(): SynRequest {
    const request = this.knock();
    if (request === null) throw new Error('nobody was asked');
    return request;
  }

  get undecided(): number {
    return this.host.core.tcp.synReceived.count;
  }
}

describe('a SYN that the program is asked about', () => {
  it.each([4, 6] as const)('says who asks whom, and isn’t answered (IPv%i)', (family) => {
    const peer = new Asked({ family });
    const request = peer.request();
    expect(formatAddress(request.remoteAddress)).toBe(family === 4 ? '10.0.0.2' : 'fd00::2');
    expect(formatAddress(request.localAddress)).toBe(family === 4 ? '10.0.0.1' : 'fd00::1');
    expect([request.remotePort, request.localPort]).toEqual([5000, 80]);
    peer.pass(10_000_000);
    expect(peer.lines()).toEqual([]);
    expect(peer.requests.next()).toBeNull();
    expect(peer.host.core.list().map(({ state }) => state)).toEqual(['LISTEN', 'SYN-RECEIVED']);
  });

  it('is answered when it is accepted, and becomes a connection that knows of it', () => {
    const peer = new Asked({ timestamps: true });
    const request = peer.request();
    peer.pass(5_000_000);
    expect(request.accept()).toBe(true);
    peer.listen();
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
    peer.pass(40_000);
    peer.timestamps = true;
    peer.say('.');
    const socket = peer.listener.accept() as StreamSocket;
    expect(socket.state).toBe(State.ESTABLISHED);
    expect(peer.listener.requestOf(socket)).toBe(request);
    expect(peer.listener.requestOf(socket)).toBeNull();
    // The round trip is that of the answer.
    expect(socket.tcpInfo().tcpi_rtt).toBe(40_000);
    expect([request.isLost, peer.requests.next(), peer.requests.open]).toEqual([false, null, []]);
  });

  it('is sent again in its time once it was accepted, as often as any other', () => {
    const peer = new Asked();
    const request = peer.request();
    peer.pass(20_000_000);
    request.accept();
    peer.pass(70_000_000);
    const times = peer.heard().map(({ at, flags }) => `${flags} ${at / 1e6 - 20}`);
    expect(times).toEqual(['S. 0', 'S. 1', 'S. 3', 'S. 7', 'S. 15', 'S. 31']);
    expect(peer.undecided).toBe(0);
    expect(peer.requests.next()).toBe(request);
    expect(request.isLost).toBe(true);
  });

  it.each<['reset' | 'drop', string[]]>([
    ['reset', ['R. ack 1']],
    ['drop', []],
  ])('%s: %j', (how, answer) => {
    const peer = new Asked();
    const request = peer.request();
    expect(request[how]()).toBe(true);
    peer.listen();
    const heard = peer.heard();
    expect(heard.map(({ flags, ack }) => `${flags} ack ${ack}`)).toEqual(answer);
    expect(heard.every(({ packet }) => packet.length === 40)).toBe(true);
    expect(peer.undecided).toBe(0);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.counters).toMatchObject({
      TcpAttemptFails: 1,
      TcpOutRsts: answer.length,
    });
    expect([request.isLost, peer.requests.next()]).toEqual([false, null]);
    // The same again is a new question.
    expect(peer.knock({ ...peer.synFields(), seq: 0 })).not.toBeNull();
  });

  it('is decided once', () => {
    const peer = new Asked();
    const first = peer.request();
    first.accept();
    expect([first.accept(), first.reset(), first.drop()]).toEqual([false, false, false]);
    peer.renew();
    peer.port = 99;
    const second = peer.request();
    second.reset();
    expect([second.accept(), second.reset(), second.drop()]).toEqual([false, false, false]);
    peer.listen();
    expect(peer.heard().map(({ flags }) => flags)).toEqual(['S.', 'R.']);
  });

  it('asks nobody again when it is sent again; the answer is one to the last', () => {
    const peer = new Asked({ timestamps: true });
    const request = peer.request();
    peer.pass(1_000_000);
    expect(peer.knock({ ...peer.synFields(), seq: 0 })).toBeNull();
    const clock = peer.tsVal;
    peer.pass(1_000_000);
    request.accept();
    peer.listen();
    expect(peer.heard().map(({ flags, tsEcr }) => [flags, tsEcr])).toEqual([['S.', clock]]);
  });

  it('is forgotten as late as one that was answered', () => {
    const peer = new Asked();
    const request = peer.request();
    peer.pass(62_000_000);
    expect([peer.undecided, request.isLost]).toEqual([1, false]);
    peer.pass(2_000_000);
    expect([peer.undecided, request.isLost, request.accept()]).toEqual([0, true, false]);
    expect(peer.requests.next()).toBe(request);
    expect(peer.lines()).toEqual([]);
    expect(peer.host.core.counters).toMatchObject({ TcpAttemptFails: 1, TcpExtTCPTimeouts: 0 });
  });
});

describe('meanwhile', () => {
  it('a RST with the next number withdraws it, any other does nothing', () => {
    const peer = new Asked();
    const request = peer.request();
    for (const seq of [0, 2, -1]) peer.say('R', { seq });
    expect(request.isLost).toBe(false);
    peer.say('R', { seq: 1 });
    expect([request.isLost, peer.requests.next(), peer.undecided]).toEqual([true, request, 0]);
    expect([request.accept(), peer.lines()]).toEqual([false, []]);
  });

  it('an acknowledgment gets a RST, for nothing was sent; data nothing', () => {
    const peer = new Asked();
    const request = peer.request();
    peer.say('.', { ack: 77 });
    peer.say('S.', { seq: 0, ack: 78 });
    peer.say('P', { seq: 1, data: 5 });
    peer.say('FS', { seq: 0 });
    expect(peer.heard().map(({ flags }) => flags)).toEqual(['R', 'R']);
    expect([request.isLost, peer.undecided]).toEqual([false, 1]);
  });

  it('another SYN from the same port takes its place', () => {
    const peer = new Asked();
    const first = peer.request();
    peer.renew();
    peer.say('S', peer.synFields());
    const told = [peer.requests.next(), peer.requests.next(), peer.requests.next()];
    expect(told[0]).toBe(first);
    expect([first.isLost, told[1]?.isLost, told[2], peer.undecided]).toEqual([
      true,
      false,
      null,
      1,
    ]);
    expect(first.accept()).toBe(false);
    told[1]?.accept();
    peer.listen();
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
  });

  it('but not a delayed one (PAWS)', () => {
    const peer = new Asked({ timestamps: true });
    const request = peer.request();
    peer.say('S', { ...peer.synFields(), seq: 77, ts: [peer.tsVal - 1, 0] });
    expect([request.isLost, peer.undecided]).toEqual([false, 1]);
  });

  it('ICMP has nothing to say of what was not sent', () => {
    const peer = new Asked();
    const request = peer.request();
    request.accept();
    peer.listen();
    const [{ packet }] = peer.heard();
    request.drop();
    peer.renew();
    peer.port = 7;
    const second = peer.request();
    const quote = packet.slice();
    new DataView(quote.buffer).setUint16(22, 7);
    peer.complain(quote, { type: Icmp4.Unreachable, code: 3 });
    expect(second.isLost).toBe(false);
    expect(peer.host.core.counters.TcpExtOutOfWindowIcmps).toBe(1);
  });

  it('the listener closes: it is lost, and all that is held is given back', () => {
    const peer = new Asked();
    const request = peer.request();
    peer.renew();
    peer.port = 7;
    peer.say('S', peer.synFields());
    expect(peer.requests.open).toEqual([request]);
    peer.listener.close();
    expect([request.isLost, request.accept(), request.reset()]).toEqual([true, false, false]);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(peer.host.ports.held.size).toBe(0);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });

  it('nobody wants to be asked any more: the next is answered at once', () => {
    const peer = new Asked();
    const request = peer.request();
    peer.asks = false;
    peer.renew();
    peer.port = 7;
    expect(peer.knock()).toBeNull();
    expect(peer.lines()).toEqual(['S. 0 ack 1']);
    expect(request.accept()).toBe(true);
  });
});

describe('a flood', () => {
  it.each<[Partial<Settings>]>([[{}], [{ syncookies: 2 }], [{ syncookies: 0 }]])(
    'fills the backlog and no more, without a cookie: %j',
    (tcp) => {
      const peer = new Asked({ tcp }, 20);
      for (let port = 1; port <= 1000; port++) {
        peer.port = port;
        peer.renew();
        peer.say('S', peer.synFields());
      }
      expect(peer.undecided).toBe(20);
      expect(peer.lines()).toEqual([]);
      expect(peer.host.core.counters).toMatchObject({
        TcpExtSyncookiesSent: 0,
        TcpExtTCPReqQFullDrop: 980,
        TcpExtListenDrops: 980,
      });
      let told = 0;
      while (peer.requests.next() !== null) told++;
      expect(told).toBe(20);
      // Half of the places are free again soon, as where SYNs are answered.
      peer.pass(8_000_000);
      expect(peer.undecided).toBe(10);
    },
  );

  it('of SYNs that replace each other leaves one question', () => {
    const peer = new Asked();
    for (let i = 0; i < 1000; i++) {
      peer.renew();
      peer.say('S', peer.synFields());
    }
    expect(peer.requests.next()?.isLost).toBe(false);
    expect([peer.requests.next(), peer.undecided]).toEqual([null, 1]);
  });
});

describe('whatever happens', () => {
  const port = fc.integer({ min: 1, max: 4 });
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom('syn', 'again', 'ack', 'rst'), port }),
    fc.record({ what: fc.constantFrom('accept', 'reset', 'drop'), port }),
    fc.record({ what: fc.constantFrom('take', 'mute'), port }),
    fc.record({ what: fc.constant('pass'), port: fc.integer({ min: 0, max: 70 }) }),
  );

  it('each question is asked once, has one end, and leaves nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const peer = new Asked({}, 3);
        const known = new Map<number, SynRequest>();
        const told = new Set<SynRequest>();
        const lost = new Set<SynRequest>();
        let iss = 0;
        const hear = (): void => {
          for (let news = peer.requests.next(); news !== null; news = peer.requests.next()) {
            const seen = news.isLost ? lost : told;
            expect(seen.has(news)).toBe(false);
            if (news.isLost) expect(told.has(news)).toBe(true);
            else known.set(news.remotePort, news);
            seen.add(news);
          }
        };
        for (const { what, port: at } of steps) {
          peer.port = at;
          const request = known.get(at);
          if (what === 'syn') peer.renew((iss += 1_000_000));
          if (what === 'syn' || what === 'again') {
            peer.say('S', { ...peer.synFields(), seq: 0, port: at });
          } else if (what === 'ack' || what === 'rst') {
            peer.say(what === 'ack' ? '.' : 'R', { seq: 1, port: at });
          } else if (what === 'accept' || what === 'reset' || what === 'drop') {
            const before = request !== undefined && !request.isDecided && request.row >= 0;
            expect(request?.[what]() ?? false).toBe(before);
          } else if (what === 'take') {
            const accepted = peer.listener.accept();
            if (typeof accepted !== 'number') {
              const asked = peer.listener.requestOf(accepted);
              if (asked !== null) expect(asked).toMatchObject({ isLost: false, isDecided: true });
              accepted.abort();
            }
          } else if (what === 'mute') peer.asks = !peer.asks;
          else peer.pass(at * 1_000_000);
          peer.listen();
          hear();
          const { handshakes, backlog } = peer.listener.listening ?? { handshakes: 0, backlog: 0 };
          expect(handshakes).toBe(peer.undecided);
          expect(handshakes).toBeLessThanOrEqual(backlog);
          for (const one of lost) expect([one.row, one.accept()]).toEqual([-1, false]);
        }
        peer.listener.close();
        peer.pass(200_000_000);
        expect(peer.host.core.tcp.tuples.count).toBe(0);
        expect(peer.host.ports.held.size).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a listener on any port of any address', () => {
  /** The far end of a tunnel, and who sends it SYNs from everywhere to everybody. */
  function flooded(asks: boolean, count: number): { host: DatagramHost; listener: StreamSocket } {
    const host = new DatagramHost({ addresses: [], anyAddress: true });
    const listener = host.core.socket(6);
    expect(listener.bindAnyPort(ip('::'))).toBe(0);
    expect(listener.listen(100)).toBe(0);
    if (asks) listener.decideSyns(() => true);
    const random = new Xoshiro(7);
    const slabs = new SlabTable();
    const batch = new SegmentBatch(1);
    for (let i = 0; i < count; i++) {
      const word = random.next();
      batch.count = 0;
      const base = pushSegment(batch, slabs, {
        from: `10.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 127}`,
        to: `8.${(word >>> 24) & 255}.${(word >>> 4) & 255}.${(word & 127) + 1}`,
        sourcePort: (word >>> 16) | 1,
        destinationPort: (random.next() & 0xffff) | 1,
        flags: Flag.SYN,
        sequence: word,
      });
      const packet = new Uint8Array(packetLength(batch.words, base));
      buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, packet, 0);
      host.receive(packet);
    }
    return { host, listener };
  }

  it.each([true, false])('remembers no more than its backlog of a flood; asking: %j', (asks) => {
    const { host, listener } = flooded(asks, 3000);
    const { core } = host;
    expect(core.tcp.synReceived.count).toBe(100);
    expect(core.tcp.tuples.count).toBe(100);
    expect(core.counters.TcpExtSyncookiesSent).toBe(asks ? 0 : 2900);
    const sent = host.flush();
    expect(sent).toHaveLength(asks ? 0 : 1024);
    expect(core.counters.NetlandReplyDrops).toBe(asks ? 0 : 3000 - 1024);
    listener.close();
    expect(core.tcp.tuples.count).toBe(0);
    expect(core.socket(6).bind(ip('::'), 443)).toBe(0);
  });
});
