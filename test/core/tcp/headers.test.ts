import { SocketOption } from '../../../lib/core/socket/options';
import { pattern } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;

/** What the IP headers of all that the stack sent have, beside addresses. */
interface Header {
  flags: string;
  hopLimit: number;
  trafficClass: number;
  /** IPv4 identification, or IPv6 flow label. */
  identification: number;
}

/** A peer that also notes the IP headers of what it hears. */
class Witness extends Peer {
  readonly headers: Header[] = [];

  constructor(options: PeerOptions = {}) {
    super(options);
    const { host } = this;
    const collect = host.collect.bind(host);
    host.collect = (now, take) =>
      collect(now, (packet) => {
        take(packet);
        const ipv4 = packet[0] >> 4 === 4;
        const view = new DataView(packet.buffer, packet.byteOffset);
        this.headers.push({
          flags: this.log[this.log.length - 1].flags,
          hopLimit: packet[ipv4 ? 8 : 7],
          trafficClass: ipv4 ? packet[1] : (view.getUint16(0) >> 4) & 0xff,
          identification: ipv4 ? view.getUint16(4) : view.getUint32(0) & 0xfffff,
        });
      });
  }

  /** What was sent since the last call. */
  take(): Header[] {
    return this.headers.splice(0);
  }
}

describe.each([4, 6] as const)('the IPv%d header of every kind of segment', (family) => {
  test('has the TTL and the class of the socket; the ECN bits are not the program’s', () => {
    const peer = new Witness({ family, tcp: { ttl: 33 } });
    const socket = peer.dial((made) => {
      made.setOption(SocketOption.Ttl, 44);
      made.setOption(SocketOption.TrafficClass, 0xb7);
    });
    peer.answer(socket);
    socket.send(pattern(10), 0, 10);
    peer.listen();
    peer.pass(SECOND);
    socket.abort();
    peer.listen();
    const sent = peer.take();
    expect(new Set(sent.map(({ flags }) => flags))).toEqual(new Set(['S', '.', 'P.', 'R.']));
    for (const { hopLimit, trafficClass } of sent) {
      expect([hopLimit, trafficClass]).toEqual([44, 0xb4]);
    }
  });

  test('of a SYN+ACK is the listener’s; of what has no socket, the stack’s', () => {
    const peer = new Witness({ family, tcp: { ttl: 33 } });
    const listener = peer.server();
    listener.setOption(SocketOption.Ttl, 55);
    listener.setOption(SocketOption.TrafficClass, 0x2b);
    peer.say('S');
    // A segment beside the window is answered with an ACK.
    peer.say('.', { seq: 500_000, ack: 1 });
    expect(peer.take()).toMatchObject([
      { flags: 'S.', hopLimit: 55, trafficClass: 0x28 },
      { flags: '.', hopLimit: 55, trafficClass: 0x28 },
    ]);
    peer.say('.', { ack: 9 });
    peer.say('S', { port: 7, seq: 5 });
    peer.hostPort = 81;
    peer.say('S', { seq: 5 });
    const [wrong, second, refused] = peer.take();
    expect(wrong).toMatchObject({ flags: 'R', hopLimit: 33, trafficClass: 0 });
    expect(second).toMatchObject({ flags: 'S.', hopLimit: 55 });
    expect(refused).toMatchObject({ flags: 'R.', hopLimit: 33, trafficClass: 0 });
  });

  test('in TIME-WAIT is the stack’s', () => {
    const peer = new Witness({ family, tcp: { ttl: 33 } });
    const socket = peer.answer();
    socket.setOption(SocketOption.Ttl, 44);
    socket.close();
    peer.listen();
    peer.take();
    const fin = peer.packet('F.');
    peer.deliver(fin);
    peer.listen();
    peer.deliver(fin);
    peer.listen();
    expect(peer.take()).toMatchObject([
      { flags: '.', hopLimit: 44 },
      { flags: '.', hopLimit: 33 },
    ]);
  });
});

describe('IPv4 identification (RFC 6864)', () => {
  test('counts on for each connection, and is never 0: a raw socket would fill that in', () => {
    const peer = new Witness({ syn: { mss: 100 } });
    const socket = peer.answer();
    const [syn, ack] = peer.take().map(({ identification }) => identification);
    expect([syn, ack]).toEqual([1, 2]);
    peer.host.core.tcp.connection(0).ipId = 65_530;
    socket.send(pattern(1000), 0, 1000);
    peer.listen();
    expect(peer.take().map(({ identification }) => identification)).toEqual([
      65_531, 65_532, 65_533, 65_534, 65_535, 1, 2, 3, 4, 5,
    ]);
  });
});

describe('IPv6 flow label (RFC 6437)', () => {
  test('is the same for all segments of a connection, and another for the next', () => {
    const peer = new Witness({ family: 6 });
    const labels = [0, 1, 2].map(() => {
      const socket = peer.answer();
      socket.send(pattern(10), 0, 10);
      peer.listen();
      peer.pass(SECOND);
      socket.abort();
      peer.listen();
      peer.renew();
      const all = new Set(peer.take().map(({ identification }) => identification));
      expect(all.size).toBe(1);
      return [...all][0];
    });
    expect(new Set(labels).size).toBe(3);
  });
});
