import type { Exchange } from '../support/exchange';

const SYN = { mss: 1440, sackOK: true, ts: 1000, wscale: 7 };
const TCP = 6;
const DEFER_ACCEPT = 9;

/** What a listener does that has little room, or is told to wait. */
export const SERVERS: readonly Exchange[] = [
  {
    name: 'SYN cookie, with timestamps all options',
    deviceMemory: true,
    sysctls: { 'net.ipv4.tcp_syncookies': '2' },
    async run(talk) {
      const [fd] = await talk.served(8500, SYN);
      await talk.peer('P.', { data: 100, ts: 1001 });
      await talk.read(fd);
      await talk.write(fd, 3000);
      await talk.peer('.', { ts: 1002 });
      await talk.close(fd);
      await talk.peer('F.', { ts: 1003 });
    },
  },
  {
    name: 'SYN cookie without timestamps, data in the third segment',
    deviceMemory: true,
    sysctls: { 'net.ipv4.tcp_syncookies': '2' },
    async run(talk) {
      const listener = await talk.listener(8501);
      await talk.peer('S', { mss: 1400, sackOK: true, wscale: 7 });
      await talk.peer('P.', { data: 10 });
      const fd = await talk.accept(listener);
      await talk.read(fd);
      await talk.write(fd, 3000);
    },
  },
  {
    name: 'SYN cookie: a wrong acknowledgment, a wrong number',
    sysctls: { 'net.ipv4.tcp_syncookies': '2' },
    async run(talk) {
      const listener = await talk.listener(8502);
      await talk.peer('S', SYN);
      await talk.peer('.', { ack: 100, ts: 1001 });
      await talk.peer('.', { seq: 100, ack: 1, ts: 1001 });
      await talk.peer('R', { seq: 1 });
      await talk.peer('.', { seq: 1, ack: 1, ts: 1001 });
      await talk.accept(listener);
    },
  },
  {
    name: 'TCP_DEFER_ACCEPT: data begins the connection',
    async run(talk) {
      const listener = await talk.listener(8503);
      await talk.setOption(listener, TCP, DEFER_ACCEPT, 3);
      await talk.getOption(listener, TCP, DEFER_ACCEPT);
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: 1001 });
      await talk.call('accept', { fd: listener });
      await talk.peer('P.', { data: 5, ts: 1002 });
      const fd = await talk.accept(listener);
      await talk.read(fd);
    },
  },
  {
    name: 'TCP_DEFER_ACCEPT: the time is over',
    async run(talk) {
      const listener = await talk.listener(8504);
      await talk.setOption(listener, TCP, DEFER_ACCEPT, 1);
      await talk.getOption(listener, TCP, DEFER_ACCEPT);
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: 1001 });
      await talk.pass(1500);
      await talk.peer('.', { ts: 2500 });
      await talk.accept(listener);
    },
  },
  {
    name: 'a full backlog: the third segment is forgotten',
    deviceMemory: true,
    async run(talk) {
      const listener = await talk.listener(8505);
      await talk.call('listen', { fd: listener, backlog: 0 });
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: 1001 });
      talk.next();
      await talk.peer('S', { ...SYN, to: 8505 });
      await talk.accept(listener);
      await talk.peer('S', { ...SYN, seq: 0, to: 8505 });
      await talk.peer('P.', { data: 3, seq: 1, ts: 1001 });
      const fd = await talk.accept(listener);
      await talk.read(fd);
    },
  },
  {
    name: 'SYN in the window of a handshake',
    async run(talk) {
      await talk.listener(8506);
      await talk.peer('S', SYN);
      await talk.peer('S', { ...SYN, seq: 10, ts: 1001 });
      await talk.peer('.', { seq: 1, ack: 1, ts: 1002 });
    },
  },
  {
    name: 'TSecr that nobody has sent',
    async run(talk) {
      const listener = await talk.listener(8507);
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: [1001, 5] });
      await talk.call('accept', { fd: listener });
    },
  },
];
