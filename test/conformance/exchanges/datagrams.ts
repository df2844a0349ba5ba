import {
  datagram,
  datagramSocket,
  icmpOf,
  packetsOf,
  receiveFrom,
  receiveMessage,
  sendTo,
} from '../support/datagram-talk';
import type { Exchange, Talk } from '../support/exchange';

const SOCKET = 1;
const IP = 0;
const IPV6 = 41;
const REUSE_ADDRESS = 2;
const BROADCAST = 6;
const PEEK = 0x2;

/** The number of an option in each family, with its level. */
const TTL = { 4: [IP, 2], 6: [IPV6, 16] } as const;
const CLASS = { 4: [IP, 1], 6: [IPV6, 67] } as const;
const TELL_TTL = { 4: [IP, 12], 6: [IPV6, 51] } as const;
const TELL_CLASS = { 4: [IP, 13], 6: [IPV6, 66] } as const;
const RECEIVE_ERRORS = { 4: [IP, 11], 6: [IPV6, 25] } as const;
const MTU_DISCOVER = { 4: [IP, 10], 6: [IPV6, 23] } as const;
const MTU = { 4: [IP, 14], 6: [IPV6, 24] } as const;
const GROUP_TTL = { 4: [IP, 33], 6: [IPV6, 18] } as const;
const GROUP_LOOP = { 4: [IP, 34], 6: [IPV6, 19] } as const;

type ByFamily = Readonly<Record<4 | 6, readonly [number, number]>>;

async function set(talk: Talk, fd: number, option: ByFamily, value: number): Promise<void> {
  await talk.setOption(fd, ...option[talk.family], value);
}

async function get(talk: Talk, fd: number, option: ByFamily): Promise<void> {
  await talk.getOption(fd, ...option[talk.family]);
}

/** What is the same in both families. */
const BOTH: readonly Exchange[] = [
  {
    name: 'UDP: echo, and another’s ephemeral port',
    async run(talk) {
      const fd = await datagramSocket(talk, 8800);
      await talk.poll(fd);
      await receiveFrom(talk, fd);
      await datagram(talk, { data: 'hello' });
      await talk.poll(fd);
      await receiveFrom(talk, fd);
      await talk.poll(fd);
      await sendTo(talk, fd, 'hello yourself');
      const other = await datagramSocket(talk);
      await sendTo(talk, other, 1);
      await datagram(talk, { data: 'to an ephemeral one' });
      await receiveFrom(talk, other);
      await talk.close(fd);
      await talk.close(other);
    },
  },
  {
    name: 'UDP: boundaries: what is too long for the buffer, peeked at, or empty',
    async run(talk) {
      const fd = await datagramSocket(talk, 8801);
      for (const data of ['0123456789', '', 'abc']) await datagram(talk, { data });
      for (const flags of [PEEK, 0]) await receiveMessage(talk, fd, 4, flags);
      await talk.poll(fd);
      await receiveMessage(talk, fd, 4);
      await receiveMessage(talk, fd, 0);
      await receiveMessage(talk, fd);
      await datagram(talk, { data: 1000 });
      await talk.call('read', { fd, len: 999 });
      await sendTo(talk, fd, 0);
    },
  },
  {
    name: 'UDP: a wrong checksum, and none',
    async run(talk) {
      const fd = await datagramSocket(talk, 8802);
      await datagram(talk, { data: 'wrong', checksum: 'wrong' });
      await receiveFrom(talk, fd);
      await datagram(talk, { data: 'none', checksum: 'none' });
      await receiveFrom(talk, fd);
      await datagram(talk, { data: 'right' });
      await receiveFrom(talk, fd);
    },
  },
  {
    name: 'UDP: source port 0; to port 0',
    async run(talk) {
      const fd = await datagramSocket(talk, 8803);
      await datagram(talk, { sourcePort: 0 });
      await receiveFrom(talk, fd);
      await sendTo(talk, fd, 'x', 0);
    },
  },
  {
    name: 'UDP: connected: send, other senders, AF_UNSPEC',
    async run(talk) {
      const fd = await datagramSocket(talk, 8804);
      const all = await datagramSocket(talk, undefined, 'A');
      await talk.call('send', { fd, data: 'eA==', len: 1, flags: 0 });
      await talk.connect(fd);
      await talk.call('send', { fd, data: 'eA==', len: 1, flags: 0 });
      await sendTo(talk, fd, 'elsewhere', talk.peerPort + 1);
      await datagram(talk, { data: 'from the peer' });
      await receiveFrom(talk, fd);
      await talk.connect(fd, talk.peerPort + 1);
      await datagram(talk, { data: 'again', sourcePort: talk.peerPort + 1 });
      await receiveFrom(talk, fd);
      await talk.disconnect(fd);
      await talk.write(fd, 'nobody');
      await datagram(talk, { data: 'anybody' });
      await receiveFrom(talk, fd);
      await talk.connect(all);
      await talk.disconnect(all);
    },
  },
  {
    name: 'UDP: reuse of a port: the last one that came, of two that are connected the right one',
    async run(talk) {
      const first = await datagramSocket(talk, undefined, 'A');
      await talk.setOption(first, SOCKET, REUSE_ADDRESS, 1);
      await talk.bind(first, 8805);
      talk.port = 8805;
      const last = await datagramSocket(talk, undefined, 'B');
      await talk.bind(last, 8805);
      await talk.setOption(last, SOCKET, REUSE_ADDRESS, 1);
      await talk.bind(last, 8805);
      await datagram(talk, { data: 'for the last' });
      await receiveFrom(talk, first);
      await receiveFrom(talk, last);
      await talk.connect(first);
      await datagram(talk, { data: 'for who is connected' });
      await receiveFrom(talk, last);
      await receiveFrom(talk, first);
      await datagram(talk, { data: 'for the other', sourcePort: talk.peerPort + 1 });
      await receiveFrom(talk, last);
      await receiveFrom(talk, first);
    },
  },
  {
    name: 'UDP: TTL and class, both ways',
    async run(talk) {
      const fd = await datagramSocket(talk, 8806);
      for (const option of [TTL, CLASS, TELL_TTL, TELL_CLASS]) await get(talk, fd, option);
      await set(talk, fd, TTL, 7);
      await set(talk, fd, CLASS, 0x2f);
      await set(talk, fd, TTL, 256);
      for (const option of [TTL, CLASS]) await get(talk, fd, option);
      await sendTo(talk, fd, 'near');
      await set(talk, fd, TTL, -1);
      await sendTo(talk, fd, 'far');
      await set(talk, fd, TELL_TTL, 1);
      await datagram(talk, { hopLimit: 9, trafficClass: 0x88 });
      await receiveMessage(talk, fd);
      await set(talk, fd, TELL_CLASS, 1);
      await datagram(talk, { hopLimit: 9, trafficClass: 0x88 });
      await receiveMessage(talk, fd);
    },
  },
  {
    name: 'UDP: the calls of a stream, shutdown, SO_RCVTIMEO',
    async run(talk) {
      const fd = await datagramSocket(talk, 8807);
      await talk.call('listen', { fd, backlog: 1 });
      await talk.call('accept', { fd });
      await talk.shutdown(fd, 0);
      await receiveFrom(talk, fd);
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.shutdown(fd, 1);
      await talk.poll(fd);
      await talk.write(fd, 'after the end');
      for (const opt of [3, 4, 6, 7, 8, 30, 38, 39]) await talk.getOption(fd, SOCKET, opt);
      for (const size of [0, 1000, 100_000]) {
        await talk.setOption(fd, SOCKET, 8, size);
        await talk.getOption(fd, SOCKET, 8);
        await talk.setOption(fd, SOCKET, 7, size);
        await talk.getOption(fd, SOCKET, 7);
      }
    },
  },
  {
    name: 'UDP: a call that waits for a datagram, or for a time',
    async run(talk) {
      const fd = await talk.socket('U', false, 2);
      await talk.bind(fd, 8808);
      talk.port = 8808;
      const waiting = await talk.begin('recvfrom', { fd, len: 100, flags: 0 });
      await datagram(talk, { data: 'at last' });
      await waiting.end();
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(200_000n, 8);
      await talk.setOption(fd, SOCKET, 20, timeout);
      const vain = await talk.begin('recvfrom', { fd, len: 100, flags: 0 });
      await talk.pass(260);
      await vain.end();
      await talk.call('recvfrom', { fd, len: 100, flags: 0x40 });
    },
  },
  {
    name: 'UDP: lengths: the path’s MTU, and no fragments with IP_PMTUDISC_DO',
    async run(talk) {
      const fd = await datagramSocket(talk, 8809);
      const most = talk.family === 4 ? 65_507 : 65_527;
      await set(talk, fd, MTU_DISCOVER, 2);
      const fits = talk.family === 4 ? 1472 : 1452;
      await sendTo(talk, fd, fits);
      await sendTo(talk, fd, fits + 1);
      await sendTo(talk, fd, most + 1);
      await get(talk, fd, MTU);
      await talk.connect(fd);
      await get(talk, fd, MTU);
      const tooBig = talk.family === 4 ? { type: 3, code: 4 } : { type: 2, code: 0 };
      await icmpOf(talk, { ...tooBig, mtu: 1300 }, fits);
      await get(talk, fd, MTU);
      await talk.poll(fd);
      await talk.error(fd);
      await sendTo(talk, fd, fits);
      await sendTo(talk, fd, fits - 200);
    },
  },
  {
    name: 'UDP: ICMP errors of a socket with a peer, and of one without',
    async run(talk) {
      const codes =
        talk.family === 4
          ? [0, 1, 3, 13].map((code) => ({ type: 3, code }))
          : [0, 1, 3, 4].map((code) => ({ type: 1, code }));
      const others = talk.family === 4 ? [11, 12] : [3, 4];
      const messages = [...codes, ...others.map((type) => ({ type, code: 0 }))];
      const fd = await datagramSocket(talk, 8810);
      for (const message of messages.slice(2, 4)) {
        await icmpOf(talk, message);
        await talk.poll(fd);
        await talk.error(fd);
      }
      await talk.connect(fd);
      for (const message of messages) {
        await icmpOf(talk, message);
        await talk.poll(fd);
        await receiveFrom(talk, fd);
        await receiveFrom(talk, fd);
      }
      await icmpOf(talk, messages[talk.family === 4 ? 2 : 3]);
      await talk.write(fd, 'first told of the error');
      await talk.write(fd, 'then sent');
    },
  },
  {
    name: 'UDP: the error queue',
    async run(talk) {
      const fd = await datagramSocket(talk, 8811);
      const refused = talk.family === 4 ? { type: 3, code: 3 } : { type: 1, code: 4 };
      const late = talk.family === 4 ? { type: 11, code: 0 } : { type: 3, code: 0 };
      await set(talk, fd, RECEIVE_ERRORS, 1);
      await get(talk, fd, RECEIVE_ERRORS);
      await receiveMessage(talk, fd, 100, 0x2000);
      for (const message of [refused, late]) await icmpOf(talk, message, 'what was sent');
      await talk.poll(fd);
      await receiveMessage(talk, fd, 100, 0x2000);
      await talk.poll(fd);
      await receiveMessage(talk, fd, 4, 0x2000);
      await talk.poll(fd);
      await talk.error(fd);
      await icmpOf(talk, refused);
      await talk.error(fd);
      await set(talk, fd, RECEIVE_ERRORS, 0);
      await talk.poll(fd);
      await receiveMessage(talk, fd, 100, 0x2000);
    },
  },
];

const IPV4: readonly Exchange[] = [
  {
    name: 'UDP: 65,507 bytes leave as fragments, and not one more',
    async run(talk) {
      const fd = await datagramSocket(talk, 8820);
      await sendTo(talk, fd, 65_507);
      await sendTo(talk, fd, 65_508);
      await sendTo(talk, fd, 1473);
      await sendTo(talk, fd, 2952);
      await sendTo(talk, fd, 2953);
    },
  },
  {
    name: 'UDP: the path’s MTU is less than the link’s: fragments of that size',
    async run(talk) {
      const fd = await datagramSocket(talk, 8821);
      await talk.connect(fd);
      await sendTo(talk, fd, 1472);
      await icmpOf(talk, { type: 3, code: 4, mtu: 1000 }, 1472);
      await talk.error(fd);
      await sendTo(talk, fd, 1472);
      await sendTo(talk, fd, 972);
    },
  },
  {
    name: 'UDP: broadcast is for who asks for it',
    async run(talk) {
      const port = talk.peerPort + 2;
      const fd = await datagramSocket(talk, port);
      await sendTo(talk, fd, 'all', talk.peerPort, '192.168.255.255');
      await talk.setOption(fd, SOCKET, BROADCAST, 1);
      await sendTo(talk, fd, 'all', talk.peerPort, '192.168.255.255');
      await sendTo(talk, fd, 'all of us', port, '192.168.255.255');
      await receiveFrom(talk, fd);
      await datagram(talk, { to: '192.168.255.255', data: 'for all' });
      await receiveFrom(talk, fd);
    },
  },
  {
    name: 'UDP: multicast: its TTL, its loop, who is in a group',
    async run(talk) {
      const own = Buffer.of(192, 168, 0, 1);
      const group = '239.1.2.3';
      const request = Buffer.concat([Buffer.of(239, 1, 2, 3), own]);
      const fd = await talk.socket('U', true, 2);
      const port = talk.peerPort + 2;
      await talk.bind(fd, port, '0.0.0.0');
      talk.port = port;
      await talk.setOption(fd, IP, 32, own);
      await get(talk, fd, GROUP_TTL);
      await get(talk, fd, GROUP_LOOP);
      await sendTo(talk, fd, 'to a group', talk.peerPort, group);
      await set(talk, fd, GROUP_TTL, 5);
      await sendTo(talk, fd, 'farther', talk.peerPort, group);
      await datagram(talk, { to: group, data: 'not for us' });
      await receiveFrom(talk, fd);
      await talk.setOption(fd, IP, 35, request);
      await talk.setOption(fd, IP, 35, request);
      await datagram(talk, { to: group, data: 'for us' });
      await receiveFrom(talk, fd);
      await sendTo(talk, fd, 'for ourselves', port, group);
      await receiveFrom(talk, fd);
      await set(talk, fd, GROUP_LOOP, 0);
      await sendTo(talk, fd, 'for others', port, group);
      await receiveFrom(talk, fd);
      await talk.setOption(fd, IP, 36, request);
      await talk.setOption(fd, IP, 36, request);
      await datagram(talk, { to: group, data: 'not any more' });
      await receiveFrom(talk, fd);
    },
  },
];

/** What `kernel_reference.py` doesn't pass on of IPv6. */
const UNHEARD: readonly Exchange[] = [
  {
    name: 'UDP: a closed port: port unreachable, not for what is for many or has a wrong checksum',
    async run(talk) {
      await datagram(talk, { destinationPort: 8830, data: 100 });
      await datagram(talk, { destinationPort: 8830, data: 1000, trafficClass: 8 });
      await datagram(talk, { destinationPort: 8830, checksum: 'wrong' });
      await datagram(talk, { destinationPort: 8830, to: '192.168.255.255' });
      await datagram(talk, { destinationPort: 8830, sourcePort: 0 });
      const fd = await datagramSocket(talk, 8831);
      await talk.connect(fd);
      await datagram(talk, { sourcePort: talk.peerPort + 1 });
    },
  },
  {
    name: 'UDP: a closed port, fragments',
    async run(talk) {
      const packets = packetsOf(talk, { destinationPort: 8832, data: 3000, mtu: 1500, id: 77 });
      await talk.inject(packets);
    },
  },
];

/** What arrives in pieces, the same in both families. */
const PIECES: readonly Exchange[] = [
  {
    name: 'UDP: fragments in any order, twice, and the longest datagram',
    async run(talk) {
      const fd = await datagramSocket(talk, 8833);
      const [a, b, c] = packetsOf(talk, { data: 4000, mtu: 1500, id: 1 });
      await talk.inject([c, a]);
      await receiveFrom(talk, fd);
      await talk.inject([a, b]);
      await receiveFrom(talk, fd);
      const most = talk.family === 4 ? 65_507 : 65_527;
      await talk.inject(packetsOf(talk, { data: most, mtu: 1500, id: 2 }).reverse());
      await receiveFrom(talk, fd);
      await datagram(talk, { data: 2000, mtu: 1400, id: 3, checksum: 'wrong' });
      await receiveFrom(talk, fd);
    },
  },
  {
    name: 'UDP: fragments that overlap, and some that belong to another',
    async run(talk) {
      const fd = await datagramSocket(talk, 8834);
      const whole = packetsOf(talk, { data: 3000, mtu: 1500, id: 4 });
      const other = packetsOf(talk, { data: 3000, mtu: 1300, id: 4 });
      await talk.inject([whole[0], other[1], whole[1], whole[2]]);
      await receiveFrom(talk, fd);
      const next = packetsOf(talk, { data: 3000, mtu: 1500, id: 5 });
      const foreign = packetsOf(talk, { data: 3000, mtu: 1500, id: 6 });
      await talk.inject([next[0], foreign[1], next[2]]);
      await receiveFrom(talk, fd);
      await talk.inject([next[1]]);
      await receiveFrom(talk, fd);
    },
  },
];

/** The same exchanges over IPv6. */
function over6(exchanges: readonly Exchange[]): Exchange[] {
  return exchanges.map((one) => ({ ...one, name: `IPv6: ${one.name}`, family: 6 }));
}

/** Datagram sockets. */
export const DATAGRAMS: readonly Exchange[] = [
  ...BOTH,
  ...over6(BOTH),
  ...IPV4,
  ...UNHEARD,
  ...PIECES,
  ...over6(PIECES),
];
