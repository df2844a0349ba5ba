import type { IcmpMessage } from '../../../lib/codec/build-icmp';
import type { Exchange, Talk } from '../support/exchange';

const NET_UNREACHABLE: IcmpMessage = { type: 3, code: 0 };
const HOST_UNREACHABLE: IcmpMessage = { type: 3, code: 1 };
const PORT_UNREACHABLE: IcmpMessage = { type: 3, code: 3 };
const tooBig = (mtu: number): IcmpMessage => ({ type: 3, code: 4, mtu });
const tooBig6 = (mtu: number): IcmpMessage => ({ type: 2, code: 0, mtu });

const IP = 0;
const IPV6 = 41;
const MTU_DISCOVER = 10;
const RECEIVE_ERRORS = 11;
const MTU = 14;
const MTU6 = 24;
const MTU_DISCOVER6 = 23;
const MSG_MORE = 0x8000;

/** Connection attempts, and what a router says of their SYNs. */
async function attempts(talk: Talk, messages: readonly IcmpMessage[]): Promise<void> {
  for (const message of messages) {
    const fd = await talk.socket();
    await talk.connect(fd);
    await talk.icmp(message, 0);
    await talk.poll(fd);
    await talk.error(fd);
  }
}

/** Three segments in flight, IP_MTU before and after what a router says, and new data. */
async function narrow(talk: Talk, fd: number, message: IcmpMessage): Promise<void> {
  const [level, option] = talk.family === 4 ? [IP, MTU] : [IPV6, MTU6];
  await talk.getOption(fd, level, option);
  // Written in one piece, Linux cuts it elsewhere.
  const full = talk.family === 4 ? 1460 : 1440;
  await talk.setOption(fd, 6, 1, 1);
  await talk.send(fd, full, MSG_MORE);
  await talk.send(fd, full, MSG_MORE);
  await talk.write(fd, 500);
  await talk.icmp(message, 1);
  await talk.getOption(fd, level, option);
  await talk.peer('.', { ack: 2 * full + 501 });
  await talk.write(fd, 1460);
  await talk.getOption(fd, 6, 2);
}

/** ICMP errors that quote us. */
export const ICMPS: readonly Exchange[] = [
  ...[
    [0, 1, 2, 3],
    [5, 6, 7, 8],
    [9, 10, 11, 12],
    [13, 14, 15],
  ].map((codes): Exchange => ({
    name: `ICMP for a SYN: unreachable, codes ${codes.join(', ')}`,
    run: (talk) =>
      attempts(
        talk,
        codes.map((code) => ({ type: 3, code })),
      ),
  })),
  {
    name: 'ICMP for a SYN: time exceeded, parameter problem',
    run: (talk) =>
      attempts(
        talk,
        [11, 12].map((type) => ({ type, code: 0 })),
      ),
  },
  ...[
    [0, 1, 2, 3],
    [4, 5, 6],
  ].map((codes): Exchange => ({
    name: `IPv6: ICMP for a SYN: unreachable, codes ${codes.join(', ')}`,
    family: 6,
    run: (talk) =>
      attempts(
        talk,
        codes.map((code) => ({ type: 1, code })),
      ),
  })),
  {
    name: 'IPv6: ICMP for a SYN: time exceeded, parameter problem',
    family: 6,
    run: (talk) =>
      attempts(
        talk,
        [3, 4].map((type) => ({ type, code: 0 })),
      ),
  },
  {
    name: 'ICMP for a SYN: another sequence number, source quench, too big',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.icmp(HOST_UNREACHABLE, 2);
      await talk.icmp(HOST_UNREACHABLE, -1);
      await talk.icmp({ type: 4, code: 0 }, 0);
      await talk.icmp(tooBig(1000), 0);
      await talk.poll(fd);
      await talk.peer('S.', { mss: 1460 });
      await talk.write(fd, 1460);
    },
  },
  {
    name: 'ICMP for data: no error is fatal',
    async run(talk) {
      const [fd] = await talk.served(8700, { mss: 1000 }, 400);
      await talk.write(fd, 500);
      for (const code of [0, 2, 3]) await talk.icmp({ type: 3, code }, 1);
      await talk.icmp({ type: 12, code: 0 }, 1);
      await talk.poll(fd);
      await talk.error(fd);
      await talk.error(fd);
      await talk.peer('.');
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ICMP for data: told when it is given up',
    sysctls: { 'net.ipv4.tcp_retries2': '2' },
    async run(talk) {
      const [fd] = await talk.served(8701, { mss: 1000 });
      await talk.write(fd, 100);
      await talk.pass(1000);
      await talk.icmp(PORT_UNREACHABLE, 1);
      await talk.pass(2600);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'ICMP for data: forgotten when the peer answers',
    sysctls: { 'net.ipv4.tcp_retries2': '2' },
    async run(talk) {
      const [fd] = await talk.served(8702, { mss: 1000 });
      await talk.write(fd, 100);
      await talk.pass(1000);
      await talk.icmp(PORT_UNREACHABLE, 1);
      await talk.peer('.', { ack: 1 });
      await talk.pass(2600);
      await talk.error(fd);
    },
  },
  {
    name: 'ICMP for data: IP_RECVERR',
    async run(talk) {
      const [fd] = await talk.served(8703, { mss: 1000 });
      await talk.setOption(fd, IP, RECEIVE_ERRORS, 1);
      await talk.getOption(fd, IP, RECEIVE_ERRORS);
      await talk.write(fd, 100);
      await talk.icmp(HOST_UNREACHABLE, 1);
      await talk.write(fd, 100);
      await talk.write(fd, 100);
      await talk.icmp(PORT_UNREACHABLE, 1);
      await talk.read(fd);
      await talk.read(fd);
      await talk.icmp({ type: 11, code: 0 }, 1);
      await talk.error(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'ICMP for data: the edges of what is in flight',
    async run(talk) {
      const [fd] = await talk.served(8704, { mss: 1000 });
      await talk.setOption(fd, IP, RECEIVE_ERRORS, 1);
      await talk.write(fd, 100);
      for (const seq of [0, 102, 1, 101]) {
        await talk.icmp(HOST_UNREACHABLE, seq);
        await talk.error(fd);
      }
    },
  },
  {
    name: 'ICMP for data: the timeout is taken back (RFC 6069)',
    async run(talk) {
      const [fd] = await talk.served(8705, { mss: 1000 });
      await talk.write(fd, 100);
      await talk.pass(1000);
      await talk.icmp(NET_UNREACHABLE, 1);
      await talk.pass(300);
      await talk.icmp(HOST_UNREACHABLE, 1);
      await talk.pass(300);
    },
  },
  {
    name: 'ICMP for a SYN+ACK',
    async run(talk) {
      await talk.listener(8706);
      await talk.peer('S', { mss: 1000 });
      await talk.icmp(PORT_UNREACHABLE, 0);
      await talk.icmp(HOST_UNREACHABLE, 1);
      await talk.icmp(tooBig(600), 0);
      await talk.icmp(HOST_UNREACHABLE, 0);
      await talk.peer('.');
    },
  },
  {
    name: 'fragmentation needed: smaller segments at once',
    async run(talk) {
      const [fd] = await talk.served(8710, { mss: 1460 }, 30);
      await narrow(talk, fd, tooBig(1000));
    },
  },
  {
    name: 'fragmentation needed: more than there was',
    async run(talk) {
      const [fd] = await talk.served(8711, { mss: 1460 }, 30);
      await narrow(talk, fd, tooBig(1600));
    },
  },
  ...[0, 400].map((mtu): Exchange => ({
    name: `fragmentation needed: MTU ${mtu}, which is not believed`,
    async run(talk) {
      const [fd] = await talk.served(8712, { mss: 1460 }, 30);
      await narrow(talk, fd, tooBig(mtu));
    },
  })),
  {
    name: 'fragmentation needed: nothing large in flight',
    async run(talk) {
      const [fd] = await talk.served(8713, { mss: 1460 });
      await talk.write(fd, 100);
      await talk.icmp(tooBig(1000), 1);
      await talk.getOption(fd, IP, MTU);
      await talk.peer('.', { ack: 101 });
      await talk.write(fd, 1460);
    },
  },
  ...[0, 1, 2, 3, 4, 5].map((mode): Exchange => ({
    name: `fragmentation needed: IP_MTU_DISCOVER ${mode}`,
    async run(talk) {
      const [fd] = await talk.served(8714, { mss: 1460 }, 30);
      await talk.getOption(fd, IP, MTU_DISCOVER);
      await talk.setOption(fd, IP, MTU_DISCOVER, mode);
      await talk.setOption(fd, IP, MTU_DISCOVER, 6);
      await narrow(talk, fd, tooBig(1000));
    },
  })),
  ...['1', '2', '3'].map((value): Exchange => ({
    name: `fragmentation needed: ip_no_pmtu_disc ${value}`,
    sysctls: { 'net.ipv4.ip_no_pmtu_disc': value },
    async run(talk) {
      const [fd] = await talk.served(8715, { mss: 1460 }, 30);
      await narrow(talk, fd, tooBig(1000));
    },
  })),
  {
    name: 'fragmentation needed: what is known counts for the next connection',
    async run(talk) {
      const [fd, listener] = await talk.served(8716, { mss: 1460 });
      await talk.write(fd, 1460);
      await talk.icmp(tooBig(1000), 1);
      talk.next();
      await talk.peer('S', { mss: 1460 });
      await talk.peer('.');
      const other = await talk.accept(listener, 'B');
      await talk.write(other, 1460);
    },
  },
  ...[1300, 1279, 1500].map((mtu): Exchange => ({
    name: `IPv6: packet too big, ${mtu}`,
    family: 6,
    async run(talk) {
      const [fd] = await talk.served(8720, { mss: 1440 }, 30);
      await narrow(talk, fd, tooBig6(mtu));
    },
  })),
  {
    name: 'IPv6: packet too big, IPV6_MTU_DISCOVER',
    family: 6,
    async run(talk) {
      const [fd] = await talk.served(8721, { mss: 1440 }, 30);
      await talk.getOption(fd, IPV6, MTU_DISCOVER6);
      await talk.setOption(fd, IPV6, MTU_DISCOVER6, 4);
      await narrow(talk, fd, tooBig6(1300));
    },
  },
  {
    name: 'IPv6: ICMP for data',
    family: 6,
    async run(talk) {
      const [fd] = await talk.served(8722, { mss: 1000 }, 400);
      await talk.write(fd, 100);
      await talk.icmp({ type: 1, code: 3 }, 1);
      await talk.icmp({ type: 1, code: 4 }, 1);
      await talk.setOption(fd, IPV6, 25, 1);
      await talk.icmp({ type: 1, code: 1 }, 1);
      await talk.error(fd);
      await talk.icmp({ type: 3, code: 0 }, 1);
      await talk.write(fd, 1);
    },
  },
];
