import type { Exchange, Talk } from '../support/exchange';

const OOB = 0x1;
const PEEK = 0x2;
const INLINE = 10;
const SOL_SOCKET = 1;

async function atMark(talk: Talk, fd: number): Promise<void> {
  await talk.call('ioctl', { fd, name: 'SIOCATMARK', req: 0x8905 });
}

/** All that a program can ask without taking anything. */
async function ask(talk: Talk, fd: number): Promise<void> {
  await talk.poll(fd);
  await atMark(talk, fd);
  await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
}

/** Urgent data (RFC 9293 §3.8.5, RFC 6093). */
export const URGENT: readonly Exchange[] = [
  {
    name: 'urgent: one byte behind others, read out of band, then what is around it',
    async run(talk) {
      const [fd] = await talk.served(8400);
      await talk.recv(fd, 1, OOB);
      await ask(talk, fd);
      await talk.peer('PU.', { data: 'abcX', urgent: 4 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB | PEEK);
      await talk.call('recvmsg', { fd, len: 1, flags: OOB, ctrllen: 0 });
      await talk.recv(fd, 1, OOB);
      await ask(talk, fd);
      await talk.peer('P.', { data: 'def' });
      await ask(talk, fd);
      await talk.recv(fd, 2);
      await talk.recv(fd, 10);
      await ask(talk, fd);
      await talk.recv(fd, 10, PEEK);
      await talk.recv(fd, 10);
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
    },
  },
  {
    name: 'urgent: in line',
    async run(talk) {
      const [fd] = await talk.served(8401);
      await talk.setOption(fd, SOL_SOCKET, INLINE, 1);
      await talk.getOption(fd, SOL_SOCKET, INLINE);
      await talk.peer('PU.', { data: 'abcX', urgent: 4 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.peer('P.', { data: 'def' });
      await talk.recv(fd, 10);
      await ask(talk, fd);
      await talk.recv(fd, 10, PEEK);
      await talk.recv(fd, 10);
      await ask(talk, fd);
    },
  },
  {
    name: 'urgent: announced before it comes; its segment beyond a hole',
    async run(talk) {
      const [fd] = await talk.served(8402);
      await talk.peer('U.', { urgent: 6 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.peer('P.', { seq: 4, data: 'deX' });
      await ask(talk, fd);
      await talk.recv(fd, 10);
      await talk.recv(fd, 1, OOB);
      await talk.peer('P.', { seq: 1, data: 'abc' });
      await ask(talk, fd);
      await talk.recv(fd, 10);
      await ask(talk, fd);
      await talk.recv(fd, 10);
      await ask(talk, fd);
    },
  },
  {
    name: 'urgent: the program reads on, and the byte is lost',
    async run(talk) {
      const [fd] = await talk.served(8403);
      await talk.peer('PU.', { data: 'abX', urgent: 3 });
      await talk.peer('P.', { data: 'cd' });
      await talk.read(fd);
      await talk.read(fd);
      await talk.recv(fd, 1, OOB);
      await talk.peer('PU.', { data: 'Y', urgent: 1 });
      await ask(talk, fd);
      await talk.read(fd);
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
    },
  },
  {
    name: 'urgent: a second before the first was read; old pointers, and pointers to nowhere',
    async run(talk) {
      const [fd] = await talk.served(8404);
      await talk.peer('PU.', { data: 'aX', urgent: 2 });
      await talk.peer('PU.', { data: 'bY', urgent: 2 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.read(fd);
      await talk.read(fd);
      await ask(talk, fd);
      await talk.peer('U.', { seq: 1, urgent: 2 });
      await ask(talk, fd);
      await talk.peer('PU.', { data: 'Z', urgent: 0 });
      await ask(talk, fd);
      await talk.peer('PU.', { data: 'z', urgent: 65_535 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.read(fd);
      await talk.peer('F.');
      await talk.pass(60);
      await talk.recv(fd, 1, OOB);
      await talk.read(fd);
      await ask(talk, fd);
    },
  },
  {
    name: 'urgent: a second one while the reader stands at the first',
    async run(talk) {
      const [fd] = await talk.served(8405);
      await talk.peer('PU.', { data: 'aX', urgent: 2 });
      await talk.read(fd);
      await ask(talk, fd);
      await talk.peer('PU.', { data: 'bY', urgent: 2 });
      await ask(talk, fd);
      await talk.read(fd);
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.peer('P.', { data: 'c' });
      await talk.read(fd);
    },
  },
  {
    name: 'urgent: the pointer is to the urgent byte (tcp_stdurg)',
    sysctls: { 'net.ipv4.tcp_stdurg': '1' },
    async run(talk) {
      const [fd] = await talk.served(8406);
      await talk.peer('PU.', { data: 'abXc', urgent: 2 });
      await ask(talk, fd);
      await talk.recv(fd, 1, OOB);
      await talk.read(fd);
      await talk.read(fd);
      await talk.send(fd, 'Y', OOB);
    },
  },
  {
    name: 'urgent: sent alone, behind others, with others in flight',
    async run(talk) {
      const [fd] = await talk.served(8407, { mss: 1000 }, 30);
      await talk.send(fd, 'X', OOB);
      await talk.peer('.');
      await talk.write(fd, 10);
      await talk.write(fd, 20);
      await talk.send(fd, 'abY', OOB);
      await talk.write(fd, 30);
      await talk.peer('.');
      await talk.write(fd, 10);
      await talk.peer('.');
    },
  },
  {
    name: 'urgent: sent again, and beside a FIN',
    async run(talk) {
      const [fd] = await talk.served(8408, { mss: 1000 }, 30);
      await talk.send(fd, 'abX', OOB);
      await talk.pass(350);
      await talk.peer('.');
      await talk.send(fd, 'Y', OOB);
      await talk.write(fd, 10);
      await talk.peer('.', { ack: 4 });
      await talk.pass(20);
      await talk.peer('.', { ack: 5 });
      await talk.close(fd);
      await talk.peer('.');
      await talk.peer('F.');
    },
  },
  {
    name: 'urgent: more than the window has room for; several segments',
    async run(talk) {
      const [fd] = await talk.served(8409, { mss: 1000, win: 3000 }, 30);
      talk.window = 3000;
      await talk.send(fd, 2500, OOB);
      await talk.write(fd, 2500);
      await talk.peer('.', { ack: 1001 });
      await talk.peer('.', { ack: 2502 });
      await talk.peer('.');
    },
  },
  {
    name: 'urgent: at a closed window the pointer is told with a probe',
    async run(talk) {
      const [fd] = await talk.served(8410, { mss: 1000, win: 0 }, 30);
      await talk.offer(0);
      await talk.send(fd, 'abX', OOB);
      await talk.peer('.');
      await talk.pass(350);
      await talk.offer(1000);
    },
  },
  {
    name: 'urgent: a corked byte leaves',
    async run(talk) {
      const [fd] = await talk.served(8411, { mss: 1000 }, 30);
      await talk.setOption(fd, 6, 3, 1);
      await talk.write(fd, 10);
      await talk.send(fd, 'X', OOB);
      await talk.write(fd, 10);
      await talk.peer('.');
      await talk.send(fd, 'Y', OOB | 0x8000);
    },
  },
  {
    name: 'urgent: calls without a connection, and at its end',
    async run(talk) {
      const fd = await talk.socket();
      await talk.recv(fd, 1, OOB);
      await talk.send(fd, 'X', OOB);
      await atMark(talk, fd);
      const listener = await talk.listener(8412);
      await talk.recv(listener, 1, OOB);
      await atMark(talk, listener);
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const other = await talk.accept(listener, 'B');
      await talk.peer('PU.', { data: 'abX', urgent: 3 });
      await talk.shutdown(other, 0);
      await ask(talk, other);
      await talk.recv(other, 1, OOB);
      await talk.peer('R.');
      await talk.recv(other, 1, OOB);
      await talk.send(other, 'X', OOB);
    },
  },
];
