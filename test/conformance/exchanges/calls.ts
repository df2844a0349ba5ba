import type { Exchange } from '../support/exchange';

const WR = 1;
const LINGER = 13;
const OUT_OF_RANGE = [-1, 0, 128, 32_768, 1 << 30];

/** What each call says to wrong arguments and in the wrong state. */
export const CALLS: readonly Exchange[] = [
  {
    name: 'bad arguments of bind, listen and connect',
    async run(talk) {
      const fd = await talk.socket();
      await talk.bind(fd, 8070, '10.9.8.7');
      await talk.bind(fd, 8070);
      await talk.bind(fd, 8071);
      await talk.connect(fd, 80, '10.9.8.7');
      const other = await talk.socket('O');
      await talk.bind(other, 8070);
      await talk.bind(other, 8070, '0.0.0.0');
      await talk.call('listen', { fd: other, backlog: 0 });
      await talk.call('listen', { fd: other, backlog: -1 });
      await talk.connect(other);
      await talk.bind(other, 8072);
      await talk.connect(await talk.socket('M'), 80, '224.0.0.1');
      await talk.call('accept', { fd });
    },
  },
  {
    name: 'two listeners, SO_REUSEADDR',
    async run(talk) {
      const first = await talk.socket('1');
      const second = await talk.socket('2');
      await talk.setOption(first, 1, 2, 1);
      await talk.setOption(second, 1, 2, 1);
      await talk.bind(first, 8073);
      await talk.bind(second, 8073);
      await talk.call('listen', { fd: first, backlog: 1 });
      await talk.call('listen', { fd: second, backlog: 1 });
      const third = await talk.socket('3');
      await talk.setOption(third, 1, 2, 1);
      await talk.bind(third, 8073);
      await talk.close(first);
      await talk.call('listen', { fd: second, backlog: 1 });
    },
  },
  {
    name: 'calls on a fresh socket',
    async run(talk) {
      const fd = await talk.socket();
      await talk.poll(fd);
      await talk.read(fd);
      await talk.write(fd, 1);
      await talk.recv(fd, 1, 2);
      await talk.recv(fd, 1, 1);
      await talk.call('accept', { fd });
      await talk.error(fd);
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.call('fcntl', { fd, cmd: 'F_GETFL' });
      await talk.bind(fd, 8074);
      await talk.read(fd);
      await talk.write(fd, 1);
      await talk.poll(fd);
    },
  },
  {
    name: 'calls on a listener',
    async run(talk) {
      const fd = await talk.listener(8075);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.recv(fd, 1, 2);
      await talk.write(fd, 1);
      await talk.connect(fd);
      await talk.bind(fd, 8076);
      await talk.call('listen', { fd, backlog: 3 });
      await talk.call('accept', { fd });
      await talk.error(fd);
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.getOption(fd, 1, 30);
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
    },
  },
  {
    name: 'calls on a connected socket',
    async run(talk) {
      const fd = await talk.connected();
      await talk.connect(fd);
      await talk.connect(fd);
      await talk.bind(fd, 8077);
      await talk.call('listen', { fd, backlog: 3 });
      await talk.call('accept', { fd });
      await talk.getOption(fd, 1, 30);
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.write(fd, 0);
      await talk.shutdown(fd, 7);
      await talk.shutdown(fd, -1);
      await talk.write(fd, 100);
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.shutdown(fd, WR);
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.write(fd, 0);
      await talk.peer('P.', { data: 10 });
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.peer('F.', { data: 10 });
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
    },
  },
  {
    name: 'calls on a socket that is connecting',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.bind(fd, 8078);
      await talk.call('listen', { fd, backlog: 3 });
      await talk.call('accept', { fd });
      await talk.connect(fd, 80, '192.0.2.77');
      await talk.read(fd);
      await talk.write(fd, 0);
      await talk.error(fd);
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.getOption(fd, 6, 2);
      await talk.close(fd);
      await talk.peer('S.', { mss: 1000, ack: 1 });
    },
  },
  {
    name: 'options of a fresh socket',
    async run(talk) {
      const fd = await talk.socket();
      for (const opt of [2, 3, 4, 8, 9, 18, 30, 38, 39]) await talk.getOption(fd, 1, opt);
      await talk.getOption(fd, 1, LINGER, 8);
      await talk.getOption(fd, 1, 20, 16);
      for (const opt of [1, 2, 3, 4, 5, 6, 7, 18]) await talk.getOption(fd, 6, opt);
      for (const opt of [1, 2, 14]) await talk.getOption(fd, 0, opt);
      await talk.getOption(fd, 6, 99);
      await talk.getOption(fd, 77, 1);
      await talk.getOption(fd, 1, 9, 2);
    },
  },
  {
    name: 'options out of range',
    async run(talk) {
      const fd = await talk.socket();
      for (const opt of [2, 4, 5, 6, 7, 18]) {
        for (const value of OUT_OF_RANGE) await talk.setOption(fd, 6, opt, value);
      }
      await talk.setOption(fd, 6, 2, 87);
      await talk.setOption(fd, 6, 2, 88);
      await talk.getOption(fd, 6, 2);
      for (const value of [-2, -1, 0, 1, 255, 256]) await talk.setOption(fd, 0, 2, value);
      await talk.getOption(fd, 0, 2);
      await talk.setOption(fd, 0, 1, 0xff);
      await talk.getOption(fd, 0, 1);
      for (const value of [0, 1, 5000, 1 << 30, -1]) {
        await talk.setOption(fd, 1, 8, value);
        await talk.getOption(fd, 1, 8);
        await talk.setOption(fd, 1, 7, value);
        await talk.getOption(fd, 1, 7);
      }
      await talk.setOption(fd, 6, 1, Buffer.from([1, 0]));
      await talk.setOption(fd, 6, 1, 77);
      await talk.getOption(fd, 6, 1);
      await talk.setOption(fd, 1, LINGER, Buffer.from([1, 0, 0, 0]));
      await talk.setOption(fd, 6, 99, 1);
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(1_000_000n, 8);
      await talk.setOption(fd, 1, 20, timeout);
      await talk.setOption(fd, 1, 20, 1);
    },
  },
  {
    name: 'options set on a listener are the accepted one’s; seen on the wire',
    async run(talk) {
      const listener = await talk.socket('L');
      await talk.setOption(listener, 1, 2, 1);
      await talk.setOption(listener, 6, 2, 700);
      await talk.setOption(listener, 0, 2, 33);
      await talk.setOption(listener, 0, 1, 0x20);
      await talk.setOption(listener, 6, 1, 1);
      await talk.setOption(listener, 1, 8, 8000);
      await talk.setOption(listener, 6, 4, 77);
      await talk.bind(listener, 8079);
      await talk.call('listen', { fd: listener, backlog: 3 });
      talk.port = 8079;
      await talk.peer('S', { mss: 1460, sackOK: true, ts: 1000, wscale: 7 });
      await talk.pass(30);
      await talk.peer('.', { ts: 1001 });
      const fd = await talk.accept(listener);
      for (const opt of [1, 2, 4]) await talk.getOption(fd, 6, opt);
      for (const opt of [1, 2, 14]) await talk.getOption(fd, 0, opt);
      await talk.getOption(fd, 1, 8);
      await talk.write(fd, 1000);
    },
  },
  {
    name: 'options of a connected socket; TCP_MAXSEG and SO_RCVBUF before connect',
    async run(talk) {
      const fd = await talk.socket();
      await talk.setOption(fd, 6, 2, 600);
      await talk.setOption(fd, 1, 8, 20_000);
      await talk.setOption(fd, 0, 2, 99);
      await talk.connect(fd);
      await talk.pass(30);
      await talk.peer('S.', { mss: 1460, ts: 1000 });
      await talk.getOption(fd, 6, 2);
      await talk.getOption(fd, 0, 14);
      await talk.write(fd, 1300);
      await talk.setOption(fd, 0, 2, 5);
      await talk.peer('.', { ts: 1001 });
      await talk.write(fd, 10);
    },
  },
  {
    name: 'TCP_INQ: recvmsg tells what is left',
    async run(talk) {
      const listener = await talk.listener(8130);
      await talk.setOption(listener, 6, 36, 2);
      await talk.setOption(listener, 6, 36, 1);
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.getOption(fd, 6, 36);
      const take = (len: number, ctrllen = 64, flags = 0) =>
        talk.call('recvmsg', { fd, len, flags, ctrllen });
      await take(10);
      await talk.peer('P.', { data: 100 });
      await take(10, 64, 2);
      await take(10);
      await take(10, 0);
      await talk.setOption(fd, 6, 36, 0);
      await take(10);
      await talk.setOption(fd, 6, 36, 1);
      await talk.peer('F.');
      await take(10);
      await take(100);
      await take(100);
    },
  },
];
