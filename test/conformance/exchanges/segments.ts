import type { Exchange } from '../support/exchange';

const SYN = { mss: 1460, sackOK: true, ts: 1000, wscale: 7 };
const MORE = 0x8000;
const EOR = 0x80;
const WR = 1;

/** Segments that come as they seldom do, and what is done for the wire's sake. */
export const SEGMENTS: readonly Exchange[] = [
  {
    name: 'the third segment has data, and the FIN',
    async run(talk) {
      const listener = await talk.listener(8100);
      await talk.peer('S', SYN);
      await talk.peer('FP.', { data: 'all at once', ts: 1001 });
      await talk.pass(50);
      const fd = await talk.accept(listener);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
      await talk.write(fd, 10);
      await talk.close(fd);
      await talk.peer('.', { ts: 1002 });
    },
  },
  {
    name: 'SYN with data; SYN+FIN; segments without ACK',
    async run(talk) {
      const listener = await talk.listener(8101);
      await talk.peer('SF', { mss: 1460 });
      talk.next();
      await talk.peer('S', { mss: 1460, data: 'early' });
      await talk.peer('P', { seq: 1, data: 'no ACK' });
      await talk.peer('P.', { seq: 1, data: 'early' });
      const fd = await talk.accept(listener);
      await talk.read(fd);
      await talk.peer('P', { seq: 6, data: 'no ACK' });
      await talk.peer('', { seq: 6 });
      await talk.read(fd);
      await talk.peer('RP.', { seq: 6, data: 'last words' });
      await talk.read(fd);
    },
  },
  {
    name: 'SYN+ACK with data',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S.', { mss: 1460, data: 'early' });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.close(fd);
      await talk.peer('.');
    },
  },
  {
    name: 'two connections wait, the backlog is full',
    async run(talk) {
      const listener = await talk.listener(8102, 1);
      for (let i = 0; i < 3; i++) {
        await talk.peer('S', { mss: 1460 });
        await talk.peer('.', { seq: 1, ack: 1 });
        talk.next();
      }
      await talk.poll(listener);
      await talk.accept(listener, 'A');
      await talk.accept(listener, 'B');
      await talk.call('accept', { fd: listener });
    },
  },
  {
    name: 'MSG_MORE, then the rest',
    async run(talk) {
      const [fd] = await talk.served(8103, { mss: 1000 }, 30);
      await talk.send(fd, 100, MORE);
      await talk.send(fd, 200, MORE);
      await talk.send(fd, 50, 0);
      await talk.peer('.');
      await talk.send(fd, 1500, MORE);
      await talk.pass(400);
    },
  },
  {
    name: 'shutdown and close before the handshake is over',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S', SYN);
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
      await talk.peer('.', { ack: 1 });
      await talk.poll(fd);
      await talk.peer('.', { ack: 2 });
      await talk.peer('F.', { ack: 2 });
      await talk.poll(fd);
    },
  },
  {
    name: 'FIN-WAIT-2 of a closed socket ends',
    sysctls: { 'net.ipv4.tcp_fin_timeout': '1' },
    async run(talk) {
      const [fd] = await talk.served(8104);
      await talk.close(fd);
      await talk.peer('.');
      await talk.pass(400);
      await talk.peer('.', { seq: 0 });
      await talk.pass(2600);
      await talk.peer('F.');
    },
  },
  {
    name: 'no timestamps, no SACK, no scaling: switched off',
    sysctls: {
      'net.ipv4.tcp_timestamps': '0',
      'net.ipv4.tcp_sack': '0',
      'net.ipv4.tcp_window_scaling': '0',
    },
    async run(talk) {
      await talk.served(8105, SYN);
      talk.next();
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S.', { mss: 1460 });
      await talk.write(fd, 10);
    },
  },
  {
    name: 'window scaling alone; SACK alone; a scale of 15',
    async run(talk) {
      const listener = await talk.listener(8106);
      for (const syn of [{ wscale: 3 }, { sackOK: true }, { mss: 1460, wscale: 15 }]) {
        await talk.peer('S', syn);
        await talk.peer('.', { win: 100 });
        const fd = await talk.accept(listener);
        await talk.write(fd, 10);
        await talk.peer('.', { win: 100 });
        talk.next();
      }
    },
  },
  {
    name: 'a tiny MSS, none, and a large one',
    async run(talk) {
      const listener = await talk.listener(8107);
      for (const mss of [1, 48, 100, 400, 9000]) {
        await talk.peer('S', { mss });
        await talk.pass(30);
        await talk.peer('.');
        const fd = await talk.accept(listener);
        await talk.write(fd, 40);
        await talk.getOption(fd, 6, 2);
        await talk.close(fd);
        await talk.peer('R', { seq: 1 });
        talk.next();
      }
    },
  },
  {
    name: 'a partial acknowledgment, and one again with a new window',
    async run(talk) {
      const [fd] = await talk.served(8108, { mss: 1000 }, 30);
      await talk.write(fd, 3500);
      await talk.peer('.', { ack: 501 });
      await talk.peer('.', { ack: 501, win: 2000 });
      await talk.write(fd, 1000);
      await talk.peer('.', { ack: 1001, win: 2000 });
      await talk.peer('.', { ack: 3501, win: 2000 });
      await talk.peer('.');
    },
  },
  {
    name: 'many small segments, unread: how the window goes',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8109, { mss: 1000 });
      for (let i = 0; i < 6; i++) await talk.peer('P.', { data: 1000 });
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.read(fd, 2500);
      await talk.read(fd);
    },
  },
  {
    name: 'TIME-WAIT and a timestamp that is older; a SYN that is older',
    async run(talk) {
      const [fd] = await talk.served(8110, SYN);
      await talk.close(fd);
      await talk.peer('F.', { ts: 2000 });
      await talk.peer('F.', { seq: 1, ts: 1500 });
      await talk.peer('S', { ...SYN, seq: 0, ts: 1500 });
      await talk.peer('P.', { seq: 2, data: 'late', ts: 2001 });
    },
  },
  {
    name: 'PSH: a large write at a window of eight segments',
    async run(talk) {
      const [fd] = await talk.served(8190, { mss: 1000, win: 8000 }, 40);
      talk.window = 8000;
      await talk.write(fd, 20_000);
      await talk.pass(40);
      for (let acked = 4000; acked <= 20_000; acked += 4000) {
        await talk.peer('.', { ack: acked + 1 });
        await talk.pass(40);
      }
    },
  },
  {
    name: 'PSH: writes that wait behind a closed congestion window',
    async run(talk) {
      const [fd] = await talk.served(8191, { mss: 1000 }, 40);
      await talk.write(fd, 10_000);
      for (const size of [1000, 2500, 500, 3000]) await talk.write(fd, size);
      await talk.pass(40);
      await talk.peer('.', { ack: 4001 });
      await talk.peer('.', { ack: 10_001 });
      await talk.peer('.');
    },
  },
  {
    name: 'MSG_EOR: what follows begins a segment of its own',
    async run(talk) {
      const [fd] = await talk.served(8199, { mss: 1000, sackOK: true, wscale: 7 }, 30);
      await talk.write(fd, 10_400);
      await talk.send(fd, 400, EOR);
      await talk.send(fd, 300, EOR);
      await talk.send(fd, 1300, EOR);
      await talk.write(fd, 200);
      await talk.peer('.', { ack: 10_001 });
      await talk.peer('.');
      await talk.send(fd, 100, EOR);
      await talk.send(fd, 100, EOR);
      await talk.peer('.');
    },
  },
  {
    name: 'MSG_EOR: records stay apart when they are sent again',
    async run(talk) {
      const [fd] = await talk.served(8200, { mss: 1000, sackOK: true, wscale: 7 }, 30);
      await talk.setOption(fd, 6, 1, 1);
      await talk.write(fd, 200);
      await talk.send(fd, 100, EOR);
      await talk.send(fd, 100, 0);
      await talk.send(fd, 100, 0);
      await talk.pass(1300);
      await talk.peer('.', { ack: 301 });
      await talk.peer('.');
    },
  },
];
