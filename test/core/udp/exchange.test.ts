import { Errno } from '../../../lib/core/errno';
import { MAY_FRAGMENT, Word } from '../../../lib/core/segment/layout';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import { MtuDiscover } from '../../../lib/core/socket/options';
import { DatagramHost, datagram, ip, pass, read, say } from '../../support/datagrams';

/** Two hosts, and a socket of each. */
function pair(family: 4 | 6) {
  const near = new DatagramHost({ addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  const far = new DatagramHost({ addresses: ['10.0.0.9/24', 'fd00::9/64'] });
  const [here, there] = family === 4 ? ['10.0.0.1', '10.0.0.9'] : ['fd00::1', 'fd00::9'];
  const client = near.socket(family, here, 5000);
  const server = far.socket(family, there, 53);
  return { near, far, here, there, client, server };
}

describe.each([4, 6] as const)('datagrams over IPv%i', (family) => {
  it('go there and back, each by itself', () => {
    const { near, far, here, there, client, server } = pair(family);
    expect(say(client, 'one', there, 53)).toBe(3);
    expect(say(client, '', there, 53)).toBe(0);
    expect(say(client, 'three', there, 53)).toBe(5);
    expect(pass(near, far)).toBe(3);
    expect(server.waiting).toBe(3);
    expect([read(server), read(server), read(server), read(server)]).toEqual([
      `one from ${here}:5000`,
      ` from ${here}:5000`,
      `three from ${here}:5000`,
      -Errno.EAGAIN,
    ]);
    say(server, 'answer', here, 5000);
    pass(far, near);
    expect(read(client)).toBe(`answer from ${there}:53`);
    const v = family === 4 ? 'Udp' : 'Udp6';
    expect(near.core.counters).toMatchObject({ [`${v}OutDatagrams`]: 3, [`${v}InDatagrams`]: 1 });
    expect(far.core.counters).toMatchObject({ [`${v}OutDatagrams`]: 1, [`${v}InDatagrams`]: 3 });
  });

  const largest = family === 4 ? 65_507 : 65_527;

  it.each([1, 1472, 1473, 2048, 2049, 16_384, 16_385, 65_507, largest])(
    'of %i bytes arrive whole',
    (length) => {
      const { near, far, there, client, server } = pair(family);
      const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff));
      expect(client.send(bytes, 0, length, ip(there), 53)).toBe(length);
      pass(near, far);
      expect(Buffer.from(server.take() as Uint8Array).equals(bytes)).toBe(true);
      // All memory is free again.
      expect(near.core.udp.pool.used).toBe(0);
      expect(client.outgoing.held).toBe(0);
    },
  );

  it('are no longer than the length fields can say', () => {
    const { near, there, client } = pair(family);
    const bytes = new Uint8Array(70_000);
    expect(client.send(bytes, 0, largest + 1, ip(there), 53)).toBe(-Errno.EMSGSIZE);
    expect(client.send(bytes, 0, 70_000, ip(there), 53)).toBe(-Errno.EMSGSIZE);
    expect(near.flush()).toEqual([]);
  });

  it('are many where one stands for many (GSO)', () => {
    const { near, far, here, there, client, server } = pair(family);
    say(client, 'onetwothreeX', there, 53);
    far.receive(near.flush()[0].packet, 3);
    expect([read(server), read(server), read(server), read(server)]).toEqual(
      ['one', 'two', 'thr', 'eeX'].map((text) => `${text} from ${here}:5000`),
    );
    say(client, 'onetwo!', there, 53);
    far.receive(near.flush()[0].packet, 6);
    expect([read(server), read(server), read(server)]).toEqual([
      `onetwo from ${here}:5000`,
      `! from ${here}:5000`,
      -Errno.EAGAIN,
    ]);
    expect(far.core.counters[family === 4 ? 'UdpInDatagrams' : 'Udp6InDatagrams']).toBe(6);
  });

  it('may have several parts', () => {
    const { near, far, here, there, client, server } = pair(family);
    const parts = ['a', '', 'b'.repeat(3000), 'c'].map((text) => Buffer.from(text));
    expect(client.sendParts(parts, ip(there), 53)).toBe(3002);
    pass(near, far);
    expect(read(server)).toBe(`a${'b'.repeat(3000)}c from ${here}:5000`);
  });

  it('are fragments where they are longer than the path', () => {
    const { near, there, client } = pair(family);
    const headers = family === 4 ? 28 : 48;
    for (const length of [1500 - headers, 1501 - headers]) {
      client.send(new Uint8Array(length), 0, length, ip(there), 53);
    }
    const [fits, split] = near.flush().map(({ words }) => words);
    expect(fits[Word.Fragment]).toBe(0);
    expect(split[Word.Fragment]).toBe(1500);
    expect(fits[Word.Identification] & MAY_FRAGMENT).toBe(0);
    expect(split[Word.Identification] & MAY_FRAGMENT).toBe(family === 4 ? MAY_FRAGMENT : 0);
  });

  it.each([
    [MtuDiscover.Dont, false, 1473],
    [MtuDiscover.Want, true, 1473],
    [MtuDiscover.Do, true, -Errno.EMSGSIZE],
    [MtuDiscover.Probe, true, -Errno.EMSGSIZE],
    [MtuDiscover.Interface, false, -Errno.EMSGSIZE],
    [MtuDiscover.Omit, false, 1473],
  ])('with MTU discovery %i: DF %s, and too long a one gives %i', (mode, df, outcome) => {
    const { near, there, client } = pair(family);
    client.setOption(DatagramOption.MtuDiscover, mode);
    say(client, 'x', there, 53);
    const [{ words }] = near.flush();
    if (family === 4) expect((words[Word.Identification] & MAY_FRAGMENT) === 0).toBe(df);
    expect(client.send(new Uint8Array(1473), 0, 1473, ip(there), 53)).toBe(outcome);
  });
});

describe('what arrives', () => {
  it('is read as far as there is room, and can be looked at', () => {
    const { near, far, there, client, server } = pair(4);
    say(client, 'abcdef', there, 53);
    say(client, 'gh', there, 53);
    pass(near, far);
    const into = Buffer.alloc(4);
    expect(server.inQueue).toBe(6);
    expect(server.receive(into, 0, 4, 0x02)).toBe(4);
    expect(server.receive(into, 0, 4, 0x22)).toBe(6);
    expect(server.receive(into, 1, 2)).toBe(2);
    expect(into.toString()).toBe('aabd');
    expect(server.receive(into, 0, 4, 0x20)).toBe(2);
    expect(server.receive(into, 0, 4)).toBe(-Errno.EAGAIN);
  });

  it('with a wrong checksum is dropped and counted, without one it is taken', () => {
    const { far, server } = pair(4);
    const packet = datagram('10.0.0.1', 5000, '10.0.0.9', 53, 'abc');
    const wrong = packet.slice();
    wrong[28] ^= 1;
    far.receive(wrong);
    expect(far.core.counters).toMatchObject({ UdpInCsumErrors: 1, UdpInErrors: 1 });
    const none = packet.slice();
    none.fill(0, 26, 28);
    far.receive(none);
    expect(read(server)).toBe('abc from 10.0.0.1:5000');
  });

  it('without a checksum is not taken over IPv6 (RFC 8200 §8.1)', () => {
    const { far, server } = pair(6);
    const packet = datagram('fd00::1', 5000, 'fd00::9', 53);
    packet.fill(0, 46, 48);
    far.receive(packet);
    expect(far.core.counters.Udp6InCsumErrors).toBe(1);
    expect(server.waiting).toBe(0);
  });

  it('may have source port 0', () => {
    const { far, server } = pair(4);
    const packet = datagram('10.0.0.1', 5000, '10.0.0.9', 53);
    packet.fill(0, 20, 22);
    packet.fill(0, 26, 28);
    far.receive(packet);
    expect(read(server)).toBe('x from 10.0.0.1:0');
  });

  it('for a port without a socket, or for somebody else, is counted', () => {
    const { far } = pair(4);
    far.receive(datagram('10.0.0.1', 5000, '10.0.0.9', 54));
    far.receive(datagram('fd00::1', 5000, 'fd00::9', 54));
    far.receive(datagram('10.0.0.1', 5000, '10.0.0.8', 53));
    far.receive(datagram('fd00::1', 5000, 'fd00::8', 53));
    expect(far.core.counters).toMatchObject({
      UdpNoPorts: 1,
      Udp6NoPorts: 1,
      IpInAddrErrors: 1,
      Ip6InAddrErrors: 1,
      IpInDelivers: 1,
    });
  });

  it('from an address that nobody can have is dropped', () => {
    const { far, server } = pair(4);
    for (const source of [0xe0000001, 0xffffffff, 0x0a0000ff, 0]) {
      const packet = datagram('10.0.0.1', 5000, '10.0.0.9', 53);
      new DataView(packet.buffer).setUint32(12, source);
      packet.fill(0, 26, 28);
      rewriteHeaderSum(packet);
      far.receive(packet);
    }
    expect(far.core.counters.NetlandMartianSources).toBe(4);
    expect(server.waiting).toBe(0);
  });

  it('beyond the receive buffer is dropped, one always has room', () => {
    const { near, far, there, client, server } = pair(4);
    server.setOption(DatagramOption.ReceiveBuffer, 1);
    expect(server.getOption(DatagramOption.ReceiveBuffer)).toBe(2304);
    const long = new Uint8Array(60_000);
    client.send(long, 0, long.length, ip(there), 53);
    say(client, 'lost', there, 53);
    pass(near, far);
    expect([server.waiting, server.drops]).toEqual([1, 1]);
    expect(far.core.counters).toMatchObject({ UdpRcvbufErrors: 1, UdpInErrors: 1 });
    server.take();
    for (let i = 0; i < 5; i++) say(client, 'small', there, 53);
    pass(near, far);
    // Linux counts 768 bytes for each.
    expect([server.waiting, server.drops]).toEqual([3, 3]);
  });
});

function rewriteHeaderSum(packet: Uint8Array): void {
  const view = new DataView(packet.buffer);
  view.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
}

describe('what is to be sent', () => {
  it('fills the send buffer, then EAGAIN, until less than half of it is full', () => {
    const { near, there, client } = pair(4);
    client.setOption(DatagramOption.SendBuffer, 2304);
    let taken = 0;
    while (say(client, 'x', there, 53) === 1) taken++;
    expect(taken).toBe(6);
    expect(say(client, 'x', there, 53)).toBe(-Errno.EAGAIN);
    expect(near.core.counters.UdpSndbufErrors).toBe(2);
    expect(client.poll() & 0x004).toBe(0);
    expect(near.core.pollEvent()).toBeNull();
    expect(near.flush().length).toBe(6);
    expect(near.core.pollEvent()).toBe(client);
    expect(client.poll() & 0x004).toBe(0x004);
  });

  it('of several sockets takes turns when a batch is full', () => {
    const near = new DatagramHost({ batch: 2 });
    const sockets = [near.socket(4, '10.0.0.1', 1), near.socket(4, '10.0.0.1', 2)];
    for (const socket of sockets) for (let i = 0; i < 3; i++) say(socket, 'x', '10.0.0.9', 53);
    const ports: number[][] = [];
    while (near.core.hasOutput) {
      ports.push(near.transmit().map(({ words }) => words[Word.SourcePort]));
    }
    expect(ports).toEqual([
      [1, 1],
      [2, 2],
      [1, 2],
    ]);
  });

  it('still leaves after close', () => {
    const { near, there, client } = pair(4);
    say(client, 'last', there, 53);
    expect(client.close()).toBe(0);
    expect(near.flush().map(({ payload }) => payload.toString())).toEqual(['last']);
    expect(near.core.udp.pool.used).toBe(0);
  });

  it('and TCP take turns', () => {
    const near = new DatagramHost({ batch: 1 });
    const socket = near.socket(4, '10.0.0.1', 1);
    for (let i = 0; i < 3; i++) {
      say(socket, 'x', '10.0.0.9', 53);
      near.core.socket(4).connect(ip('10.0.0.9'), 80 + i);
    }
    const protocols: number[] = [];
    while (near.core.hasOutput) protocols.push(...near.transmit().map(({ words }) => words[1]));
    expect(protocols).toEqual([6, 17, 6, 17, 6, 17]);
  });

  it('has TTL, class and checksum as the options say', () => {
    const { near, there, client } = pair(4);
    client.setOption(DatagramOption.Ttl, 7);
    client.setOption(DatagramOption.TrafficClass, 0xb8);
    client.setOption(DatagramOption.NoCheck, 1);
    say(client, 'x', there, 53);
    const [{ packet }] = near.flush();
    expect([packet[8], packet[1], packet[26], packet[27]]).toEqual([7, 0xb8, 0, 0]);
  });
});
