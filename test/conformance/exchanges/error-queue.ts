import type { IcmpMessage } from '../../../lib/codec/build-icmp';
import type { Exchange, Talk } from '../support/exchange';

const IP = 0;
const IPV6 = 41;
const RECEIVE_ERRORS = 11;
const RECEIVE_ERRORS6 = 25;
const MTU_DISCOVER = 10;
const MTU_DISCOVER6 = 23;

/** A SYN is refused by ICMP, and what the program sees then. */
async function refused(talk: Talk, fd: number, message: IcmpMessage): Promise<void> {
  await talk.connect(fd);
  await talk.icmp(message, 0);
  await talk.poll(fd);
}

/** Reads what there is, until there is nothing. */
async function drain(talk: Talk, fd: number, count: number): Promise<void> {
  for (let i = 0; i <= count; i++) {
    await talk.queued(fd);
    await talk.poll(fd);
    await talk.error(fd);
  }
}

/** What recvmsg(2) with MSG_ERRQUEUE tells. */
export const ERROR_QUEUES: readonly Exchange[] = [
  {
    name: 'error queue: of attempts one after another, IP_RECVERR or not',
    async run(talk) {
      const fd = await talk.socket();
      await talk.queued(fd);
      for (const code of [1, 3, 0]) {
        await refused(talk, fd, { type: 3, code });
        await talk.error(fd);
        await talk.connect(fd);
      }
      await drain(talk, fd, 3);
    },
  },
  {
    name: 'error queue: instead of SO_ERROR; types; a parameter',
    async run(talk) {
      for (const type of [11, 12]) {
        const fd = await talk.socket();
        await refused(talk, fd, { type, code: 0, mtu: 0x14000000 });
        await drain(talk, fd, 1);
        await talk.connect(fd);
      }
    },
  },
  {
    name: 'error queue: too little room',
    async run(talk) {
      for (const [length, room] of [
        [4, 512],
        [0, 0],
        [100, 15],
        [100, 16],
        [8, 20],
        [20, 47],
        [20, 48],
      ]) {
        const fd = await talk.socket();
        await refused(talk, fd, { type: 3, code: 1 });
        await talk.queued(fd, length, room);
        await talk.queued(fd);
      }
    },
  },
  {
    name: 'error queue: emptied by IP_RECVERR 0; nothing of a connection, or of too big',
    async run(talk) {
      const fd = await talk.socket();
      await talk.setOption(fd, IP, RECEIVE_ERRORS, 1);
      await refused(talk, fd, { type: 3, code: 1 });
      await talk.setOption(fd, IP, RECEIVE_ERRORS, 0);
      await drain(talk, fd, 0);
      const [other, listener] = await talk.served(8730);
      await talk.setOption(other, IP, RECEIVE_ERRORS, 1);
      await talk.write(other, 100);
      await talk.icmp({ type: 3, code: 4, mtu: 1000 }, 1);
      await talk.icmp({ type: 3, code: 1 }, 1);
      await drain(talk, other, 0);
      await talk.queued(listener);
    },
  },
  {
    name: 'error queue: bounded by SO_RCVBUF',
    async run(talk) {
      const fd = await talk.socket();
      await talk.setOption(fd, 1, 8, 1500);
      for (let i = 0; i < 5; i++) {
        await refused(talk, fd, { type: 3, code: 1 });
        await talk.error(fd);
        await talk.connect(fd);
      }
      await drain(talk, fd, 4);
    },
  },
  {
    name: 'IPv6: error queue',
    family: 6,
    async run(talk) {
      for (const option of [RECEIVE_ERRORS, RECEIVE_ERRORS6]) {
        const fd = await talk.socket();
        await talk.setOption(fd, option === RECEIVE_ERRORS ? IP : IPV6, option, 1);
        await talk.getOption(fd, IP, RECEIVE_ERRORS);
        await talk.getOption(fd, IPV6, RECEIVE_ERRORS6);
        await refused(talk, fd, { type: 4, code: 1, mtu: 40 });
        await drain(talk, fd, 1);
      }
    },
  },
  {
    name: 'IPv6: IP_RECVERR and IP_MTU_DISCOVER are for IPv4 alone',
    family: 6,
    async run(talk) {
      const [fd] = await talk.served(8731, { mss: 1440 }, 400);
      await talk.setOption(fd, IP, RECEIVE_ERRORS, 1);
      await talk.setOption(fd, IP, MTU_DISCOVER, 4);
      await talk.getOption(fd, IPV6, MTU_DISCOVER6);
      await talk.setOption(fd, IPV6, MTU_DISCOVER6, 0);
      await talk.getOption(fd, IP, MTU_DISCOVER);
      await talk.write(fd, 1440);
      await talk.icmp({ type: 1, code: 3 }, 1);
      await talk.poll(fd);
      await talk.icmp({ type: 2, code: 0, mtu: 1300 }, 1);
    },
  },
  {
    name: 'TCP_TIMESTAMP is not to be set',
    async run(talk) {
      const fd = await talk.socket();
      await talk.setOption(fd, 6, 24, 5);
      await talk.setOption(fd, 6, 24, Buffer.alloc(3));
    },
  },
];
