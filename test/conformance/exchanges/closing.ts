import type { Exchange } from '../support/exchange';

const RD = 0;
const WR = 1;
const RDWR = 2;
const SYN = { mss: 1460, sackOK: true, ts: 1000, wscale: 7 };

/** Every order of closing. */
export const CLOSINGS: readonly Exchange[] = [
  {
    name: 'we close first',
    async run(talk) {
      const [fd] = await talk.served(8010);
      await talk.close(fd);
      await talk.peer('.');
      await talk.peer('F.');
      // TIME-WAIT: the FIN again, an old segment, a RST.
      await talk.peer('F.', { seq: 1 });
      await talk.peer('P.', { seq: 1, data: 5 });
    },
  },
  {
    name: 'the peer closes first, polls on the way',
    async run(talk) {
      const [fd] = await talk.served(8011);
      await talk.peer('F.', { data: 10 });
      await talk.pass(50);
      await talk.poll(fd);
      await talk.read(fd, 4);
      await talk.read(fd);
      await talk.read(fd);
      await talk.write(fd, 10);
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
      await talk.write(fd, 1);
      await talk.peer('.');
      await talk.poll(fd);
      await talk.read(fd);
      await talk.error(fd);
      await talk.shutdown(fd, WR);
      await talk.close(fd);
    },
  },
  {
    name: 'half-close, data afterwards',
    async run(talk) {
      const [fd] = await talk.served(8012, SYN);
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
      await talk.peer('.', { ts: 1001 });
      await talk.poll(fd);
      await talk.peer('P.', { data: 500, ts: 1002 });
      await talk.read(fd);
      await talk.peer('P.', { data: 300, ts: 1003 });
      await talk.peer('F.', { ts: 1004 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
      await talk.call('ioctl', { fd, name: 'SIOCINQ', req: 0x541b });
      await talk.close(fd);
    },
  },
  {
    name: 'simultaneous close',
    async run(talk) {
      const [fd] = await talk.served(8013);
      await talk.shutdown(fd, WR);
      await talk.peer('F.', { ack: 1 });
      await talk.poll(fd);
      await talk.peer('.', { ack: 2 });
      await talk.poll(fd);
      await talk.peer('F.', { seq: 1, ack: 2 });
    },
  },
  {
    name: 'simultaneous close of a closed socket',
    async run(talk) {
      const [fd] = await talk.served(8014);
      await talk.close(fd);
      await talk.peer('F.', { ack: 1 });
      await talk.peer('.', { ack: 2 });
    },
  },
  {
    name: 'FIN with data, acknowledged in one',
    async run(talk) {
      const fd = await talk.connected();
      await talk.write(fd, 100);
      await talk.close(fd);
      await talk.peer('F.', { data: 0 });
      await talk.peer('.');
    },
  },
  {
    name: 'close with data unread',
    async run(talk) {
      const [fd] = await talk.served(8015);
      await talk.peer('P.', { data: 50 });
      await talk.close(fd);
    },
  },
  {
    name: 'data after close',
    async run(talk) {
      const [fd] = await talk.served(8016);
      await talk.close(fd);
      await talk.peer('.');
      await talk.peer('P.', { data: 10 });
      await talk.peer('P.', { seq: 11, data: 10 });
    },
  },
  {
    name: 'data after shutdown of both directions',
    async run(talk) {
      const [fd] = await talk.served(8017);
      await talk.shutdown(fd, RDWR);
      await talk.poll(fd);
      await talk.peer('P.', { data: 10 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
      await talk.write(fd, 1);
      await talk.error(fd);
    },
  },
  {
    name: 'shutdown of reading',
    async run(talk) {
      const [fd] = await talk.served(8018);
      await talk.shutdown(fd, RD);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.peer('P.', { data: 10 });
      await talk.poll(fd);
      await talk.read(fd, 4);
      await talk.read(fd);
      await talk.read(fd);
      await talk.write(fd, 1);
    },
  },
  {
    name: 'shutdown in each state',
    async run(talk) {
      const fresh = await talk.socket('F');
      await talk.shutdown(fresh, WR);
      await talk.poll(fresh);
      await talk.shutdown(fresh, RD);
      await talk.poll(fresh);
      await talk.shutdown(fresh, 3);
      const bound = await talk.socket('B');
      await talk.bind(bound, 8019);
      await talk.shutdown(bound, RDWR);
      const listener = await talk.listener(8020);
      await talk.shutdown(listener, WR);
      await talk.poll(listener);
      await talk.shutdown(listener, RD);
      await talk.poll(listener);
      await talk.call('accept', { fd: listener });
      await talk.call('listen', { fd: listener, backlog: 1 });
      await talk.poll(listener);
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
      await talk.error(fd);
      await talk.connect(fd);
      await talk.peer('S.', { mss: 1000 });
      await talk.shutdown(fd, WR);
      await talk.shutdown(fd, WR);
      await talk.peer('.');
      await talk.shutdown(fd, RD);
      await talk.poll(fd);
      await talk.peer('F.');
      await talk.shutdown(fd, WR);
      await talk.poll(fd);
    },
  },
  {
    name: 'SO_LINGER of 0: RST',
    async run(talk) {
      const [fd] = await talk.served(8021);
      const linger = Buffer.alloc(8);
      linger.writeInt32LE(1, 0);
      await talk.setOption(fd, 1, 13, linger);
      await talk.getOption(fd, 1, 13, 8);
      await talk.write(fd, 10);
      await talk.close(fd);
    },
  },
  {
    name: 'connect to AF_UNSPEC in each state',
    async run(talk) {
      const fresh = await talk.socket('F');
      await talk.disconnect(fresh);
      await talk.poll(fresh);
      const [fd, listener] = await talk.served(8022);
      await talk.disconnect(fd);
      await talk.poll(fd);
      await talk.error(fd);
      await talk.read(fd);
      await talk.disconnect(listener);
      await talk.poll(listener);
      await talk.call('accept', { fd: listener });
      const dialled = await talk.socket();
      talk.next();
      await talk.connect(dialled);
      await talk.disconnect(dialled);
      await talk.poll(dialled);
      await talk.error(dialled);
      await talk.connect(dialled);
      await talk.peer('S.', { mss: 1000 });
      await talk.poll(dialled);
      await talk.peer('F.');
      await talk.pass(50);
      await talk.disconnect(dialled);
      await talk.poll(dialled);
    },
  },
  {
    name: 'TIME-WAIT takes a new SYN',
    async run(talk) {
      const [fd, listener] = await talk.served(8023, SYN);
      await talk.close(fd);
      await talk.peer('F.', { ts: 1001 });
      await talk.pass(50);
      await talk.peer('S', { ...SYN, seq: 100, ts: 3000 });
      await talk.peer('.', { seq: 101, ack: 1, ts: 3001 });
      await talk.accept(listener);
    },
  },
  {
    name: 'TIME-WAIT and RST',
    async run(talk) {
      const [fd] = await talk.served(8024);
      await talk.close(fd);
      await talk.peer('F.');
      await talk.peer('.', { seq: 1 });
      await talk.peer('R', {});
      await talk.peer('F.', { seq: 1 });
    },
  },
  {
    name: 'a FIN waits for the window, too',
    async run(talk) {
      const [fd] = await talk.served(8197, { mss: 1000, win: 500 }, 30);
      await talk.offer(500);
      await talk.write(fd, 500);
      await talk.close(fd);
      await talk.pass(50);
      await talk.offer(0);
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(500);
      await talk.offer(1);
      await talk.peer('F.');
    },
  },
  {
    name: 'a FIN alone, and a closed window',
    async run(talk) {
      const [fd] = await talk.served(8198, { mss: 1000 }, 30);
      await talk.offer(0);
      await talk.shutdown(fd, WR);
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(500);
      await talk.offer(10);
      await talk.peer('F.');
    },
  },
];
