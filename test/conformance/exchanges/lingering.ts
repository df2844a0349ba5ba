import type { Exchange, Talk } from '../support/exchange';

const SOCKET = 1;
const SO_LINGER = 13;
const TCP = 6;
const TCP_USER_TIMEOUT = 18;
const TCP_LINGER2 = 8;
const WR = 1;

function linger(seconds: number): Buffer {
  const raw = Buffer.alloc(8);
  raw.writeInt32LE(1, 0);
  raw.writeInt32LE(seconds, 4);
  return raw;
}

/** Lingers for 1 s on a FIN that the peer acknowledges when close has given up. */
async function closeInVain(talk: Talk, fd: number): Promise<void> {
  await talk.setOption(fd, SOCKET, SO_LINGER, linger(1));
  const closing = await talk.begin('close', { fd });
  await talk.pass(1200);
  await closing.end();
  await talk.peer('.');
  await talk.peer('F.');
}

/** SO_LINGER, TCP_LINGER2, and what becomes of a connection that no program holds. */
export const LINGERINGS: readonly Exchange[] = [
  {
    name: 'SO_LINGER 0: RST instead of what is queued',
    async run(talk) {
      const [fd] = await talk.served(8300);
      await talk.setOption(fd, SOCKET, SO_LINGER, linger(0));
      await talk.getOption(fd, SOCKET, SO_LINGER, 8);
      await talk.write(fd, 100);
      await talk.close(fd);
      await talk.peer('.', { ack: 101 });
    },
  },
  {
    name: 'SO_LINGER 0 after the peer’s FIN, and after ours',
    async run(talk) {
      const [fd] = await talk.served(8301);
      await talk.setOption(fd, SOCKET, SO_LINGER, linger(0));
      await talk.peer('F.');
      await talk.pass(60);
      await talk.shutdown(fd, WR);
      await talk.close(fd);
      talk.next();
      const [other] = await talk.served(8302);
      await talk.setOption(other, SOCKET, SO_LINGER, linger(0));
      await talk.shutdown(other, WR);
      await talk.peer('.');
      await talk.close(other);
    },
  },
  {
    name: 'SO_LINGER 1: close gives up, the connection goes on',
    async run(talk) {
      const [fd] = await talk.served(8304);
      await talk.setFlags(fd, 0);
      await closeInVain(talk, fd);
    },
  },
  {
    name: 'SO_LINGER 1 on a socket that does not block: close waits all the same',
    async run(talk) {
      const [fd] = await talk.served(8314);
      await closeInVain(talk, fd);
    },
  },
  {
    name: 'SO_LINGER 3: with data unread close waits for nothing',
    async run(talk) {
      const [fd] = await talk.served(8318);
      await talk.setFlags(fd, 0);
      await talk.setOption(fd, SOCKET, SO_LINGER, linger(3));
      await talk.peer('P.', { data: 10 });
      const closing = await talk.begin('close', { fd });
      await closing.end();
    },
  },
  {
    name: 'SO_LINGER 3: where all is acknowledged close waits for nothing',
    async run(talk) {
      const [fd] = await talk.served(8319);
      await talk.setFlags(fd, 0);
      await talk.setOption(fd, SOCKET, SO_LINGER, linger(3));
      await talk.shutdown(fd, WR);
      await talk.peer('.');
      const closing = await talk.begin('close', { fd });
      await closing.end();
      await talk.peer('F.');
    },
  },
  {
    name: 'TCP_LINGER2 of 1 s: FIN-WAIT-2 ends, and RST answers',
    async run(talk) {
      const [fd] = await talk.served(8305);
      await talk.getOption(fd, TCP, TCP_LINGER2);
      await talk.setOption(fd, TCP, TCP_LINGER2, 1);
      await talk.getOption(fd, TCP, TCP_LINGER2);
      await talk.close(fd);
      await talk.peer('.');
      await talk.pass(1500);
      await talk.peer('F.');
    },
  },
  {
    name: 'TCP_LINGER2 below 0: no FIN-WAIT-2',
    async run(talk) {
      const [fd] = await talk.served(8306);
      await talk.setOption(fd, TCP, TCP_LINGER2, -5);
      await talk.getOption(fd, TCP, TCP_LINGER2);
      await talk.close(fd);
      await talk.peer('.');
      await talk.peer('F.');
      talk.next();
      const [other] = await talk.served(8307);
      await talk.setOption(other, TCP, TCP_LINGER2, -5);
      await talk.shutdown(other, WR);
      await talk.peer('.');
      await talk.close(other);
    },
  },
  {
    name: 'an orphan in FIN-WAIT-2: old data, the window’s edge, FIN',
    async run(talk) {
      const [fd] = await talk.served(8308, { mss: 1460, sackOK: true, ts: 1000, wscale: 7 });
      await talk.close(fd);
      await talk.peer('.', { ts: 1001 });
      await talk.peer('P.', { seq: -4, data: 5, ts: 1002 });
      await talk.peer('.', { ts: 1002 });
      await talk.peer('F.', { ts: 1003 });
      await talk.peer('F.', { seq: 1, ts: 1004 });
    },
  },
  {
    name: 'an orphan in FIN-WAIT-2: RST',
    async run(talk) {
      const [fd] = await talk.served(8309);
      await talk.close(fd);
      await talk.peer('.');
      await talk.peer('R');
      await talk.peer('F.', { seq: 1 });
    },
  },
  {
    name: 'answers of TIME-WAIT have a limit',
    async run(talk) {
      const [fd] = await talk.served(8310);
      await talk.close(fd);
      await talk.peer('F.');
      await talk.pass(20);
      await talk.peer('.', { seq: 500 });
      await talk.peer('.', { seq: 500 });
      await talk.peer('P.', { seq: 500, data: 5 });
    },
  },
  {
    name: 'TCP_USER_TIMEOUT: data that nobody acknowledges',
    async run(talk) {
      const [fd] = await talk.served(8311);
      await talk.setOption(fd, TCP, TCP_USER_TIMEOUT, 1000);
      await talk.write(fd, 10);
      await talk.pass(1900);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'TCP_USER_TIMEOUT: a window that stays closed',
    async run(talk) {
      const [fd] = await talk.served(8312);
      await talk.setOption(fd, TCP, TCP_USER_TIMEOUT, 1000);
      await talk.peer('.', { win: 0 });
      await talk.write(fd, 10);
      await talk.pass(2500);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'TCP_USER_TIMEOUT and keepalive: silence after a probe',
    async run(talk) {
      const [fd] = await talk.served(8313);
      await talk.setOption(fd, TCP, TCP_USER_TIMEOUT, 1500);
      await talk.setOption(fd, TCP, 4, 1);
      await talk.setOption(fd, TCP, 5, 1);
      await talk.setOption(fd, SOCKET, 9, 1);
      await talk.pass(3500);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
];
