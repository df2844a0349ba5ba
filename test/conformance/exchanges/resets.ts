import type { Exchange } from '../support/exchange';

const WR = 1;
const SYN = { mss: 1460, sackOK: true, ts: 1000, wscale: 7 };

/** A RST, or what is answered with one, in each state. */
export const RESETS: readonly Exchange[] = [
  {
    name: 'RST in ESTABLISHED',
    async run(talk) {
      const [fd] = await talk.served(8030);
      await talk.peer('P.', { data: 20 });
      await talk.peer('R.');
      await talk.poll(fd);
      await talk.read(fd, 5);
      await talk.read(fd);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
      await talk.poll(fd);
      await talk.write(fd, 1);
      await talk.connect(fd);
      await talk.shutdown(fd, WR);
    },
  },
  {
    name: 'RST in ESTABLISHED, told to the writer',
    async run(talk) {
      const [fd] = await talk.served(8031);
      await talk.peer('R.');
      await talk.write(fd, 1);
      await talk.write(fd, 1);
      await talk.error(fd);
    },
  },
  {
    name: 'RST within the window: challenge',
    async run(talk) {
      const [fd] = await talk.served(8032, SYN);
      await talk.peer('R', { seq: 100 });
      await talk.peer('R', { seq: 70_000 });
      await talk.peer('S', { ...SYN, seq: 50 });
      await talk.poll(fd);
      await talk.pass(600);
      await talk.peer('S', { ...SYN, seq: 1 });
      await talk.poll(fd);
      await talk.peer('R', { seq: 1 });
      await talk.poll(fd);
    },
  },
  {
    name: 'RST behind what was SACKed',
    deviceMemory: true,
    async run(talk) {
      const [fd, listener] = await talk.served(8132, { mss: 1000, sackOK: true });
      await talk.peer('.', { seq: 5001, data: 1000 });
      await talk.peer('.', { seq: 2001, data: 1000 });
      await talk.peer('R', { seq: 3001 });
      await talk.poll(fd);
      await talk.peer('R', { seq: 6001 });
      await talk.poll(fd);
      await talk.read(fd);
      talk.next();
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const other = await talk.accept(listener, 'O');
      await talk.peer('.', { seq: 2001, data: 1000 });
      await talk.peer('R', { seq: 3001 });
      await talk.poll(other);
    },
  },
  {
    name: 'RST in CLOSE-WAIT',
    async run(talk) {
      const [fd] = await talk.served(8033);
      await talk.peer('F.');
      await talk.pass(50);
      await talk.peer('R.');
      await talk.poll(fd);
      await talk.read(fd);
      await talk.error(fd);
      await talk.write(fd, 1);
      await talk.poll(fd);
    },
  },
  {
    name: 'RST in FIN-WAIT-1',
    async run(talk) {
      const [fd] = await talk.served(8034);
      await talk.shutdown(fd, WR);
      await talk.peer('R', { seq: 1 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
    },
  },
  {
    name: 'RST in FIN-WAIT-2',
    async run(talk) {
      const [fd] = await talk.served(8035);
      await talk.shutdown(fd, WR);
      await talk.peer('.');
      await talk.peer('R', { seq: 1 });
      await talk.poll(fd);
      await talk.error(fd);
      await talk.poll(fd);
    },
  },
  {
    name: 'RST in CLOSING and LAST-ACK',
    async run(talk) {
      const [fd, listener] = await talk.served(8036);
      await talk.shutdown(fd, WR);
      await talk.peer('F.', { ack: 1 });
      await talk.peer('R', { seq: 2 });
      await talk.poll(fd);
      await talk.error(fd);
      talk.next();
      await talk.peer('S', { mss: 1460 });
      await talk.peer('.');
      const other = await talk.accept(listener, 'O');
      await talk.peer('F.');
      await talk.pass(50);
      await talk.shutdown(other, WR);
      await talk.peer('R', { seq: 2 });
      await talk.poll(other);
      await talk.error(other);
      await talk.read(other);
    },
  },
  {
    name: 'RST in SYN-SENT without acknowledgment, and with',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('R', { seq: 0 });
      await talk.poll(fd);
      await talk.peer('R.', { seq: 0, ack: 1 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
    },
  },
  {
    name: 'RST before accept',
    async run(talk) {
      const listener = await talk.listener(8037);
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: 1001 });
      await talk.peer('P.', { data: 5, ts: 1002 });
      await talk.peer('R', {});
      await talk.poll(listener);
      const fd = await talk.accept(listener);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
    },
  },
  {
    name: 'a segment that acknowledges what was not sent',
    async run(talk) {
      const [fd] = await talk.served(8038);
      await talk.peer('.', { ack: 500 });
      await talk.peer('P.', { ack: 500, data: 10 });
      await talk.read(fd);
      await talk.peer('P.', { seq: 1, ack: 1, data: 10 });
      await talk.read(fd);
    },
  },
  {
    name: 'the listener closes: handshakes and those not accepted',
    async run(talk) {
      const listener = await talk.listener(8039);
      await talk.peer('S', { mss: 1460 });
      await talk.peer('.');
      talk.next();
      await talk.peer('S', { mss: 1460 });
      await talk.close(listener);
      await talk.peer('.');
    },
  },
];
