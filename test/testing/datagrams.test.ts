/** Datagrams, groups and fragments between simulated hosts. */
import { buildReceived } from '../../lib/codec/build-received';
import { parseAddress, writeAddress, type IpAddress } from '../../lib/core/ip/address';
import { IcmpWord, IpProtocol, Word } from '../../lib/core/segment/layout';
import { DatagramOption } from '../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import { MtuDiscover } from '../../lib/core/socket/options';
import { DatagramInfo } from '../../lib/core/udp/datagram-info';
import { Network, type Host, type SegmentView } from '../../lib/testing';
import { Packet } from '../../lib/testing/engine/packet';
import { splitPacket } from '../../lib/testing/split';
import { pattern } from '../support/segments';

const PORT = 5000;
const ip = (text: string): IpAddress => {
  const address = parseAddress(text);
  if (address === null) throw new Error(text);
  return address;
};

/** A socket on `PORT` of every address. */
function open(host: Host, family: 4 | 6 = 4): DatagramSocket {
  const socket = host.datagrams(family, { ready: () => undefined });
  expect(socket.bind(ip(family === 4 ? '0.0.0.0' : '::'), PORT)).toBe(0);
  return socket;
}

function send(host: Host, socket: DatagramSocket, to: string, bytes: Uint8Array): number {
  host.enter();
  const sent = socket.send(bytes, 0, bytes.length, ip(to), PORT);
  host.flush();
  return sent;
}

/** Lengths of what has arrived. */
function taken(socket: DatagramSocket): number[] {
  const lengths: number[] = [];
  const info = new DatagramInfo();
  for (let got; typeof (got = socket.take(info)) !== 'number';) lengths.push(got.length);
  return lengths;
}

/** client - router - server; the second cable is narrow. */
function narrow(mtu: number) {
  const network = new Network();
  const [client, server] = [network.host('client'), network.host('server')];
  const router = network.router('router');
  network.link(client, router, { delay: 1 });
  const cable = network.link(router, server, { delay: 1, mtu });
  const seen: SegmentView[] = [];
  cable.set({ filter: (segment) => void seen.push(segment) }, { from: router });
  return { network, client, server, router, cable, seen };
}

describe('a router', () => {
  test('makes fragments of IPv4 without DF, and of fragments', async () => {
    const { network, client, server, router, seen } = narrow(576);
    const [from, to] = [open(client), open(server)];
    from.setOption(DatagramOption.MtuDiscover, MtuDiscover.Dont);
    // Two fragments on the first cable: 1480 bytes and 528.
    expect(send(client, from, server.address, pattern(2000))).toBe(2000);
    await network.advance(10);
    expect(router.counters).toMatchObject({ forwarded: 2, split: 1, icmp: 0, lost: {} });
    expect(seen.map(({ packetLength }) => packetLength)).toEqual([572, 572, 396, 548]);
    expect(taken(to)).toEqual([2000]);
    await network.close();
  });

  test('says of IPv4 with DF, and of IPv6, that it is too big', async () => {
    const { network, client, server, router, seen } = narrow(1280);
    for (const family of [4, 6] as const) {
      const from = open(client, family);
      const to = family === 4 ? server.address : server.address6;
      expect(send(client, from, to, pattern(1400))).toBe(1400);
      await network.advance(10);
      expect(seen.splice(0)).toEqual([]);
      // The path is known now: fragments from the start.
      expect(send(client, from, to, pattern(1400))).toBe(1400);
      await network.advance(10);
      expect(seen.splice(0).map(({ packetLength }) => packetLength)).toEqual(
        family === 4 ? [1276, 172] : [1280, 224],
      );
      from.close();
    }
    expect(router.counters).toMatchObject({ split: 0, icmp: 2, lost: {} });
    await network.close();
  });

  test('forwards nothing that is for many, and says nothing of it', async () => {
    const { network, client, router } = narrow(1500);
    const socket = open(client);
    socket.setOption(DatagramOption.Broadcast, 1);
    for (const to of ['239.1.2.3', '255.255.255.255', '10.255.255.255']) {
      expect(send(client, socket, to, pattern(10))).toBe(10);
    }
    await network.advance(10);
    expect(router.counters).toMatchObject({ icmp: 0, lost: { unroutable: 3 } });
    await network.close();
  });
});

test.each([4, 6] as const)('IPv%d: routers and hosts answer pings', async (family) => {
  const { network, client, server, router, seen } = narrow(1500);
  const ping = (to: IpAddress): void => {
    const words = new Int32Array(Word.Stride);
    words[Word.Family] = family;
    words[Word.Protocol] = family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
    words[Word.HopLimit] = 64;
    words[IcmpWord.Kind] = (family === 4 ? 8 : 128) << 8;
    words[IcmpWord.Rest] = 0x00010002;
    writeAddress(ip(family === 4 ? client.address : client.address6), words, Word.Source);
    writeAddress(to, words, Word.Destination);
    const bytes = pattern(56);
    words[Word.PayloadLength] = bytes.length;
    const packet = Packet.of(buildReceived(words, bytes));
    if (packet !== null) router.arrive(packet);
  };
  ping(router.addresses[family === 4 ? 0 : 1]);
  ping(ip(family === 4 ? server.address : server.address6));
  await network.advance(10);
  const { IcmpInEchoReps, Icmp6InEchoReplies } = client.counters;
  expect(family === 4 ? IcmpInEchoReps : Icmp6InEchoReplies).toBe(2);
  expect(router.counters).toMatchObject({ forwarded: 2, icmp: 1, lost: {} });
  expect(seen.map(({ length }) => length)).toEqual([56]);
  await network.close();
});

test('options that are not to be copied are in the first fragment alone (RFC 791 §3.1)', () => {
  const packet = new Uint8Array(28 + 1000);
  // A record of the route, which isn't copied, and a router alert, which is cut to fit.
  packet.set([0x47, 0, packet.length >> 8, packet.length & 255, 0, 9, 0, 0, 64, 17, 0, 0]);
  packet.set([7, 3, 4, 0x94, 4, 0, 0, 0], 20);
  packet.set(pattern(1000), 28);
  const fragments = splitPacket(packet, 576);
  expect(fragments.map(({ length }) => length)).toEqual([572, 484]);
  expect([...fragments[0].subarray(20, 28)]).toEqual([7, 3, 4, 0x94, 4, 0, 0, 0]);
  expect([...fragments[1].subarray(20, 28)]).toEqual([1, 1, 1, 0x94, 4, 0, 0, 0]);
  expect(fragments.map((bytes) => bytes[6])).toEqual([0x20, 0]);
  expect(fragments[1][7]).toBe(544 / 8);
});

describe('a switch', () => {
  function lan() {
    const network = new Network();
    const [left, right] = [network.switch('left'), network.switch('right')];
    network.link(left, right, { delay: 1 });
    const hosts = ['a', 'b', 'c', 'd'].map((name) => network.host(name));
    hosts.forEach((host, i) => network.link(host, i < 2 ? left : right, { delay: 1 }));
    const sockets = hosts.map((host) => open(host));
    return { network, left, right, hosts, sockets };
  }

  test('to one: on the way to it alone, as it is; to all: to everybody once', async () => {
    const { network, left, hosts, sockets } = lan();
    sockets[0].setOption(DatagramOption.Broadcast, 1);
    sockets[0].setOption(DatagramOption.Ttl, 1);
    send(hosts[0], sockets[0], hosts[2].address, pattern(5));
    send(hosts[0], sockets[0], '255.255.255.255', pattern(6));
    send(hosts[0], sockets[0], '10.255.255.255', pattern(7));
    send(hosts[0], sockets[0], '10.0.0.99', pattern(8));
    await network.advance(10);
    expect(sockets.slice(1).map(taken)).toEqual([
      [6, 7],
      [5, 6, 7],
      [6, 7],
    ]);
    expect(left.counters).toEqual({ forwarded: 5, unroutable: 1 });
    await network.close();
  });

  test.each([
    [4, '239.1.2.3'],
    [6, 'ff02::99'],
  ] as const)('IPv%d: to a group: who is in it hears it', async (family, group) => {
    const { network, hosts, sockets } = lan();
    for (const [i, socket] of sockets.entries()) {
      socket.close();
      sockets[i] = open(hosts[i], family);
    }
    for (const i of [0, 1, 3]) expect(sockets[i].groups.join(ip(group))).toBe(0);
    send(hosts[0], sockets[0], group, pattern(9));
    await network.advance(10);
    expect(sockets.map(taken)).toEqual([[9], [9], [], [9]]);
    await network.close();
  });

  test('a ring of them is refused', () => {
    const { network, left, right } = lan();
    const third = network.switch('third');
    network.link(left, third);
    const refused = expect.objectContaining({ code: 'ERR_NETLAND_TOPOLOGY' }) as Error;
    expect(() => network.link(third, right)).toThrow(refused);
    expect(() => network.link(third, network.router('r'))).not.toThrow();
  });
});

test('a firewall answers datagrams with port unreachable, or not at all', async () => {
  const network = new Network();
  const [client, server] = [network.host('client'), network.host('server')];
  network.link(client, server, { delay: 1 });
  const [from, to] = [open(client), open(server)];
  expect(from.connect(ip(server.address), PORT)).toBe(0);
  const errors: number[] = [];
  for (const action of ['drop', 'reject', 'unreachable'] as const) {
    server.block(PORT, action);
    send(client, from, server.address, pattern(1));
    await network.advance(10);
    errors.push(from.takeError());
  }
  expect(errors).toEqual([0, 111, 111]);
  server.unblock(PORT);
  send(client, from, server.address, pattern(2));
  await network.advance(10);
  expect(taken(to)).toEqual([2]);
  await network.close();
});
