import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, ts: 1000, wscale: 7 };

const NOTSENT_LOWAT = 25;

/** Windows, Nagle, segment sizes. */
export const FLOWS: readonly Exchange[] = [
  {
    name: 'zero window and its probes',
    async run(talk) {
      const [fd] = await talk.served(8060, { mss: 1000, win: 1000 }, 30);
      await talk.offer(1000);
      await talk.write(fd, 2500);
      await talk.offer(0);
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(600);
      await talk.offer(3000);
      await talk.peer('.');
    },
  },
  {
    name: 'our window closes, and opens as the program reads',
    async run(talk) {
      const listener = await talk.socket('L');
      await talk.setOption(listener, 1, 8, 5000);
      await talk.setOption(listener, 1, 2, 1);
      await talk.bind(listener, 8061);
      await talk.call('listen', { fd: listener, backlog: 2 });
      talk.port = 8061;
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.read(fd);
    },
  },
  {
    name: 'Nagle, TCP_NODELAY and TCP_CORK',
    async run(talk) {
      const [fd] = await talk.served(8062, { mss: 1000 }, 30);
      await talk.write(fd, 10);
      await talk.write(fd, 20);
      await talk.write(fd, 30);
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
      await talk.call('ioctl', { fd, name: 'SIOCOUTQNSD', req: 0x894b });
      await talk.peer('.');
      await talk.setOption(fd, 6, 1, 1);
      await talk.write(fd, 10);
      await talk.write(fd, 20);
      await talk.peer('.');
      await talk.setOption(fd, 6, 3, 1);
      await talk.write(fd, 10);
      await talk.write(fd, 1010);
      await talk.setOption(fd, 6, 3, 0);
      await talk.peer('.');
    },
  },
  {
    name: 'TCP_CORK lets go after 200 ms',
    async run(talk) {
      const [fd] = await talk.served(8063, { mss: 1000 }, 30);
      await talk.setOption(fd, 6, 3, 1);
      await talk.write(fd, 10);
      await talk.pass(400);
    },
  },
  {
    name: 'one large write, the initial congestion window, slow start',
    async run(talk) {
      const [fd] = await talk.served(8064, SYN, 40);
      await talk.write(fd, 16_000);
      await talk.pass(40);
      await talk.peer('.', { ack: 1977, ts: 1100, win: 2000 });
      await talk.peer('.', { ack: 3953, ts: 1101, win: 2000 });
      await talk.peer('.', { ack: 16_001, ts: 1102, win: 2000 });
    },
  },
  {
    name: 'a window smaller than what waits',
    async run(talk) {
      const [fd] = await talk.served(8065, { mss: 1000 }, 30);
      await talk.offer(2500);
      await talk.write(fd, 5000);
      await talk.pass(30);
      await talk.peer('.', { ack: 1001 });
      await talk.peer('.', { ack: 2001 });
      await talk.peer('.');
    },
  },
  {
    name: 'MSG_PEEK, MSG_TRUNC, MSG_WAITALL and MSG_DONTWAIT',
    async run(talk) {
      const [fd] = await talk.served(8066);
      await talk.recv(fd, 10, 0x40);
      await talk.peer('P.', { data: 'abcdefghij' });
      await talk.recv(fd, 4, 0x2);
      await talk.recv(fd, 4, 0);
      await talk.recv(fd, 100, 0x2);
      await talk.recv(fd, 0, 0);
      await talk.recv(fd, 100, 0x100);
      await talk.recv(fd, 1, 1);
      await talk.call('recvmsg', { fd, len: 5, flags: 0, ctrllen: 0 });
      await talk.peer('P.', { data: 'kl' });
      await talk.call('recvmsg', { fd, len: 5, flags: 0, ctrllen: 0 });
      await talk.peer('P.', { data: 'mn' });
      await talk.call('recvfrom', { fd, len: 5, flags: 0 });
    },
  },
  {
    name: 'blocking reads and writes, and their timeouts',
    async run(talk) {
      const [fd] = await talk.served(8067, { mss: 1000 }, 30);
      await talk.setFlags(fd, 2);
      const reading = await talk.begin('recv', { fd, len: 10, flags: 0x100 });
      await talk.peer('P.', { data: 'abc' });
      await talk.pass(60);
      await talk.peer('P.', { data: 'defghijklm' });
      await reading.end();
      const rest = await talk.begin('read', { fd, len: 10 });
      await rest.end();
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(200_000n, 8);
      await talk.setOption(fd, 1, 20, timeout);
      await talk.getOption(fd, 1, 20, 16);
      const vain = await talk.begin('read', { fd, len: 10 });
      await talk.pass(350);
      await vain.end();
      const eof = await talk.begin('read', { fd, len: 10 });
      await talk.peer('F.');
      await eof.end();
    },
  },
  {
    name: 'accept that blocks, and its timeout',
    async run(talk) {
      const listener = await talk.listener(8068);
      await talk.setFlags(listener, 2);
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(150_000n, 8);
      await talk.setOption(listener, 1, 20, timeout);
      const vain = await talk.begin('accept', { fd: listener });
      await talk.pass(300);
      await vain.end();
      const reading = await talk.begin('poll', { timeout: 150, fds: [[listener, 1]] });
      await talk.pass(300);
      await reading.end();
    },
  },
  {
    name: 'TCP_NODELAY lets go what TCP_CORK and MSG_MORE hold back',
    async run(talk) {
      const [fd] = await talk.served(8069, { mss: 1000 }, 30);
      await talk.setOption(fd, 6, 3, 1);
      await talk.write(fd, 10);
      await talk.write(fd, 20);
      await talk.setOption(fd, 6, 1, 1);
      await talk.write(fd, 5);
      await talk.peer('.');
      await talk.setOption(fd, 6, 3, 0);
      await talk.peer('.');
      await talk.send(fd, 10, 0x8000);
      await talk.setOption(fd, 6, 1, 1);
      await talk.peer('.');
      await talk.send(fd, 10, 0x8000);
      await talk.setOption(fd, 6, 3, 0);
      await talk.peer('.');
    },
  },
  {
    name: 'MSG_MORE: no PSH until a call without it, or the timer',
    async run(talk) {
      const [fd] = await talk.served(8070, { mss: 1000 }, 30);
      await talk.send(fd, 1010, 0x8000);
      await talk.send(fd, 20, 0x8000);
      await talk.peer('.');
      await talk.send(fd, 10, 0x8000);
      await talk.send(fd, 10, 0);
      await talk.peer('.');
      await talk.peer('.');
      await talk.send(fd, 10, 0x8000);
      await talk.pass(400);
    },
  },
  {
    name: 'slow start goes on to twice what was in flight at once',
    async run(talk) {
      const [fd] = await talk.served(8071, SYN, 40);
      await talk.write(fd, 7 * 988);
      await talk.pass(40);
      for (let n = 2; n <= 7; n += 1) await talk.peer('.', { ack: 1 + n * 988, ts: 1100 + n });
      // All that the window lets leave at once shows it.
      await talk.write(fd, 30_000);
      await talk.peer('.', { ts: 1200 });
    },
  },
  {
    name: 'duplicate acknowledgments count for slow start but once',
    async run(talk) {
      const [fd] = await talk.served(8072, { mss: 1000 }, 40);
      await talk.write(fd, 15_000);
      await talk.pass(40);
      await talk.peer('.', { ack: 1 });
      await talk.peer('.', { ack: 1 });
      await talk.peer('.', { ack: 3001 });
      await talk.peer('.', { ack: 5001 });
    },
  },
  {
    name: 'an acknowledgment of what was never sent',
    async run(talk) {
      const [fd] = await talk.served(8073, { mss: 1000 }, 40);
      await talk.peer('P.', { data: 'no', ack: 9999, seq: 1 });
      await talk.peer('P.', { data: 'yes', seq: 1 });
      await talk.read(fd);
    },
  },
  ...['1', '3', '10'].map((least, i) => ({
    name: `bursts of ${least} segments`,
    sysctls: { 'net.ipv4.tcp_min_tso_segs': least },
    async run(talk: Talk) {
      const [fd] = await talk.served(8074 + i, { mss: 1000 }, 100);
      await talk.write(fd, 15_000);
      await talk.pass(100);
      await talk.peer('.', { ack: 10_001 });
    },
  })),
  {
    name: 'TCP_NOTSENT_LOWAT: what a write takes, and when there is room again',
    sysctls: { 'net.ipv4.tcp_wmem': '4096 50000 4194304' },
    async run(talk) {
      const [fd] = await talk.served(8201, { mss: 1000, sackOK: true, wscale: 7 }, 30);
      await talk.offer(257);
      await talk.setOption(fd, 6, NOTSENT_LOWAT, -1);
      await talk.getOption(fd, 6, NOTSENT_LOWAT);
      await talk.setOption(fd, 6, NOTSENT_LOWAT, 32_000);
      await talk.write(fd, 69_000);
      await talk.poll(fd);
      await talk.peer('.', { ack: 10_001 });
      await talk.poll(fd);
    },
  },
  {
    name: 'a blocking write waits until a third of the buffer is free',
    async run(talk) {
      const listener = await talk.listener(8202);
      await talk.peer('S', { mss: 1000 });
      await talk.pass(30);
      await talk.peer('.', { win: 50_000 });
      const fd = await talk.accept(listener, 'A', false);
      talk.window = 50_000;
      await talk.setOption(fd, 1, 7, 2500);
      const write = await talk.begin('write', {
        fd,
        len: 30_000,
        data: Buffer.alloc(30_000).toString('base64'),
      });
      await talk.peer('.', { ack: 10_001 });
      await talk.peer('.', { ack: 20_001 });
      await talk.pass(50);
      await talk.peer('.', { ack: 24_001 });
      await write.end();
    },
  },
  {
    name: 'TCP_WINDOW_CLAMP without scaling: what a header can say',
    async run(talk) {
      const listener = await talk.listener(8206);
      await talk.setOption(listener, 1, 8, 256_000);
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.getOption(fd, 6, 10);
    },
  },
];
