import type { DatagramSocket } from '../../lib';
import { Checksum, Word } from '../../lib/core/segment/layout';
import { Network, type Host, type LinkOptions } from '../../lib/testing';
import { pattern } from '../support/segments';
import { intercept, sleep, tell } from './support';

const PORT = 53;
const GROUP = { 4: '239.1.2.3', 6: 'ff05::123' } as const;

/** What a program hears at a socket: `server.53 'text'`, in order. */
interface Ear {
  readonly socket: DatagramSocket;
  readonly heard: string[];
}

/** A socket on `PORT` that listens. */
async function ear(host: Host, family: 4 | 6 = 4): Promise<Ear> {
  const heard: string[] = [];
  const type = family === 4 ? 'udp4' : 'udp6';
  const socket = host.dgram.createSocket({ type, reuseAddr: true }, (message, { port }) => {
    const text = message.length > 20 ? `${message.length} bytes` : `'${String(message)}'`;
    heard.push(port === PORT ? text : `${text} from another port`);
  });
  await new Promise<void>((resolve) => socket.bind(PORT, resolve));
  return { socket, heard };
}

/** What the sender is told: 'sent', or why not. As with node:dgram that isn't an 'error'. */
function send(from: Ear, to: string, data: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    from.socket.send(data, PORT, to, (error) => {
      resolve(error === null ? 'sent' : String((error as NodeJS.ErrnoException).code));
    });
  });
}

/** Hosts at one switch, each with an ear. */
async function atOneTable(
  names: readonly string[],
  family: 4 | 6,
  story: (ears: Ear[], hosts: Host[], network: Network) => Promise<void>,
): Promise<void> {
  const network = new Network({ seed: 17 });
  const table = network.switch('table');
  const hosts = names.map((name) => network.host(name));
  for (const host of hosts) network.link(host, table, { delay: 1 });
  await network.run(async () => {
    const ears = await Promise.all(hosts.map((host) => ear(host, family)));
    await story(ears, hosts, network);
    await sleep(100);
    for (const { socket } of ears) socket.close();
  });
  await network.close();
}

/** Two hosts with an ear each. */
function talk(
  link: LinkOptions,
  story: (near: Ear, far: Ear, hosts: { client: Host; server: Host }) => Promise<void>,
): Promise<void> {
  return tell({ link }, async ({ client, server }) => {
    const [near, far] = [await ear(client), await ear(server)];
    await story(near, far, { client, server });
    near.socket.close();
    far.socket.close();
  });
}

describe('S17: datagrams', () => {
  test('one to one: no connection is opened, nothing is acknowledged', () =>
    tell({}, async ({ network, client, server }) => {
      const [near, far] = [await ear(client), await ear(server)];
      void send(near, server.address, 'one');
      await sleep(1000);
      expect(far.heard).toEqual(["'one'"]);
      // One packet of 20 + 8 + 3 bytes is all that there ever was.
      const lines = network.trace.lines({ since: 0 }).map((line) => line.slice(9));
      expect(lines).toEqual([
        'client.53 > server.53: UDP, length 3',
        'client.53 > server.53: UDP, length 3 [received]',
      ]);
      expect(client.connections()).toEqual([]);
      near.socket.close();
      far.socket.close();
    }));

  test('boundaries are kept, those of empty ones, too', () =>
    talk({}, async (near, far, { server }) => {
      for (const text of ['a', '', 'bcd', '', 'ef']) void send(near, server.address, text);
      void send(near, server.address, pattern(1472));
      await sleep(100);
      expect(far.heard).toEqual(["'a'", "''", "'bcd'", "''", "'ef'", '1472 bytes']);
    }));

  test.each([4, 6] as const)('IPv%d: one to many, many to one, many to many', (family) =>
    atOneTable(['a', 'b', 'c', 'd'], family, async (ears, hosts) => {
      const address = ({ address: four, address6 }: Host) => (family === 4 ? four : address6);
      const heard = () => ears.map((one) => one.heard.splice(0).sort());
      // Many to one.
      for (const one of ears.slice(1)) void send(one, address(hosts[0]), 'hello');
      await sleep(10);
      expect(heard()).toEqual([["'hello'", "'hello'", "'hello'"], [], [], []]);
      // One to many: to a group that two are in, who hear it, and the one who isn't doesn't.
      for (const i of [0, 1, 2]) ears[i].socket.addMembership(GROUP[family]);
      void send(ears[0], GROUP[family], 'we');
      await sleep(10);
      expect(heard()).toEqual([["'we'"], ["'we'"], ["'we'"], []]);
      // Many to many; also from one who isn't in it.
      ears.forEach((one, i) => void send(one, GROUP[family], String(i)));
      await sleep(10);
      const all = ["'0'", "'1'", "'2'", "'3'"];
      expect(heard()).toEqual([all, all, all, []]);
      ears[2].socket.dropMembership(GROUP[family]);
      void send(ears[0], GROUP[family], 'less');
      await sleep(10);
      expect(heard()).toEqual([["'less'"], ["'less'"], [], []]);
    }),
  );

  test('broadcast: to all of a network, for who has asked for it', () =>
    atOneTable(['a', 'b', 'c'], 4, async (ears) => {
      expect(await send(ears[0], '255.255.255.255', 'refused')).toBe('EACCES');
      ears[0].socket.setBroadcast(true);
      for (const to of ['255.255.255.255', '10.255.255.255']) void send(ears[0], to, 'all');
      await sleep(10);
      const both = ["'all'", "'all'"];
      expect(ears.map(({ heard }) => heard)).toEqual([both, both, both]);
    }));

  test('no order and no guarantee: what is lost stays lost, what is late stays late', () =>
    talk({}, async (near, far, { client, server }) => {
      // A copy of the second, then the first; the third is lost.
      const kept: Parameters<Host['arrive']>[0][] = [];
      intercept(server, (packet) => {
        kept.push(packet);
        return kept.length === 4 ? [kept[1], kept[0], kept[1].copy(), packet] : [];
      });
      for (const text of ['first', 'second', 'third', 'fourth'])
        void send(near, server.address, text);
      await sleep(60_000);
      expect(far.heard).toEqual(["'second'", "'first'", "'second'", "'fourth'"]);
      expect(client.counters).toMatchObject({ UdpOutDatagrams: 4, UdpInDatagrams: 0 });
    }));

  test('a wrong checksum: dropped and counted; none at all: taken, in IPv4', () =>
    talk({}, async (near, far, { server }) => {
      intercept(server, (packet) => {
        const [spoilt, without] = [packet.copy(), packet.copy()];
        const bytes = spoilt.bytes();
        bytes[28] ^= 1;
        spoilt.spoil(bytes);
        without.words[Word.Checksum] = Checksum.None;
        return [spoilt, without];
      });
      void send(near, server.address, 'sum');
      await sleep(100);
      expect(far.heard).toEqual(["'sum'"]);
      expect(server.counters).toMatchObject({ UdpInCsumErrors: 1, UdpInErrors: 1 });
    }));

  test('a tenth of all with a flipped bit: what is heard is right', () =>
    talk({ corrupt: 0.1 }, async (near, far, { server }) => {
      for (let i = 0; i < 500; i++) void send(near, server.address, 'always the same');
      await sleep(100);
      expect(new Set(far.heard)).toEqual(new Set(["'always the same'"]));
      expect(far.heard.length).toBeGreaterThan(400);
      expect(server.counters.UdpInCsumErrors).toBeGreaterThan(10);
    }));
});

describe('S17: a datagram over the MTU', () => {
  test.each([
    [4, 65_507, 45],
    [6, 65_527, 46],
  ] as const)('IPv%d: goes as fragments, and arrives whole', (family, longest, count) =>
    tell({}, async ({ client, server, cable }) => {
      const [near, far] = [await ear(client, family), await ear(server, family)];
      const to = family === 4 ? server.address : server.address6;
      const bytes = pattern(longest);
      const got: Buffer[] = [];
      far.socket.on('message', (message) => void got.push(message));
      expect(await send(near, to, bytes)).toBe('sent');
      await sleep(100);
      expect(got.map((message) => message.equals(bytes))).toEqual([true]);
      expect(cable.counters.client.sent).toBe(count);
      const { IpReasmOKs, Ip6ReasmOKs } = server.counters;
      expect(family === 4 ? IpReasmOKs : Ip6ReasmOKs).toBe(1);
      // And not one byte more.
      expect(await send(near, to, pattern(longest + 1))).toBe('EMSGSIZE');
      near.socket.close();
      far.socket.close();
    }),
  );

  test.each([4, 6] as const)('IPv%d: one fragment is lost, and so is the datagram', (family) =>
    tell({}, async ({ network, client, server, cable }) => {
      const [near, far] = [await ear(client, family), await ear(server, family)];
      const to = family === 4 ? server.address : server.address6;
      cable.set({ filter: ({ fragment }) => fragment?.more !== false }, { from: client });
      void send(near, to, pattern(4000));
      await sleep(29_000);
      expect(server.counters).toMatchObject({ IcmpOutTimeExcds: 0, Icmp6OutTimeExcds: 0 });
      // Linux waits 30 s in IPv4, 60 s in IPv6, and then tells the sender.
      await sleep(32_000);
      expect(far.heard).toEqual([]);
      expect(network.trace.lines({ from: 'server' }).join('\n')).toMatch(
        family === 4
          ? /ICMP ip reassembly time exceeded/
          : /ICMP6, time exceeded in-transit \(reassembly\)/,
      );
      const { IpReasmFails, Ip6ReasmFails } = server.counters;
      expect(family === 4 ? IpReasmFails : Ip6ReasmFails).toBeGreaterThan(0);
      near.socket.close();
      far.socket.close();
    }),
  );
});
