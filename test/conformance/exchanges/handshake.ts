import type { Exchange } from '../support/exchange';

const SYN = { mss: 1460, sackOK: true, ts: 1000, wscale: 7 };

/** Both ways to open a connection, and the ways in which it fails. */
export const HANDSHAKES: readonly Exchange[] = [
  {
    name: 'passive open with every option, data and close',
    async run(talk) {
      const [fd] = await talk.served(8000, SYN);
      await talk.poll(fd);
      await talk.peer('P.', { data: 100, ts: 1001 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.write(fd, 10);
      await talk.peer('.', { ts: 1002 });
      await talk.close(fd);
      await talk.peer('F.', { ts: 1003 });
      await talk.pass(50);
    },
  },
  {
    name: 'passive open without options',
    async run(talk) {
      const [fd] = await talk.served(8001, {}, 30);
      await talk.write(fd, 2000);
      await talk.peer('.');
      await talk.close(fd);
    },
  },
  {
    name: 'active open with every option',
    async run(talk) {
      const fd = await talk.socket();
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.write(fd, 5);
      await talk.read(fd);
      await talk.peer('S.', SYN);
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.connect(fd);
      await talk.error(fd);
      await talk.write(fd, 1000);
      await talk.peer('.', { ts: 1001 });
    },
  },
  {
    name: 'active open of a blocking socket',
    async run(talk) {
      const fd = await talk.socket('S', false);
      const connecting = await talk.begin('connect', {
        fd,
        family: 4,
        addr: talk.remote,
        port: talk.peerPort,
      });
      await talk.pass(100);
      await talk.peer('S.', SYN);
      await connecting.end();
      await talk.poll(fd);
    },
  },
  {
    name: 'refused',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('R.', { seq: 0, ack: 1 });
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.poll(fd);
      await talk.error(fd);
      await talk.connect(fd);
      await talk.peer('R.', { seq: 0, ack: 1 });
      await talk.error(fd);
      await talk.connect(fd);
      await talk.read(fd);
      await talk.write(fd, 1);
    },
  },
  {
    name: 'refused, a blocking socket; and again',
    async run(talk) {
      const fd = await talk.socket('S', false);
      const where = { fd, family: 4, addr: talk.remote, port: talk.peerPort };
      const first = await talk.begin('connect', where);
      await talk.peer('R.', { seq: 0, ack: 1 });
      await first.end();
      await talk.poll(fd);
      const second = await talk.begin('connect', where);
      await talk.peer('S.', { mss: 1000 });
      await second.end();
      await talk.poll(fd);
      await talk.write(fd, 1);
    },
  },
  {
    name: 'no listener',
    async run(talk) {
      talk.port = 8002;
      await talk.peer('S', SYN);
      await talk.peer('.', { seq: 5, ack: 77 });
      await talk.peer('R', { seq: 5 });
      await talk.peer('F', { seq: 9 });
    },
  },
  {
    name: 'simultaneous open',
    async run(talk) {
      // Without SACK, by which Linux would tell what came twice.
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S', { mss: 1000, ts: 1000, wscale: 2 });
      await talk.poll(fd);
      await talk.peer('S.', { mss: 1000, ts: 1000, wscale: 2, seq: 0, ack: 1 });
      await talk.poll(fd);
      await talk.write(fd, 10);
      await talk.peer('P.', { data: 5, ts: 1002 });
      await talk.read(fd);
    },
  },
  {
    name: 'SYN retransmitted, then given up',
    async run(talk) {
      const fd = await talk.socket();
      await talk.setOption(fd, 6, 7, 1);
      await talk.connect(fd);
      await talk.pass(2500);
      await talk.poll(fd);
      await talk.error(fd);
    },
    sysctls: { 'net.ipv4.tcp_syn_linear_timeouts': '0' },
  },
  {
    name: 'SYN+ACK retransmitted, then given up',
    async run(talk) {
      const fd = await talk.listener(8003);
      await talk.peer('S', SYN);
      await talk.pass(3500);
      await talk.poll(fd);
    },
    sysctls: { 'net.ipv4.tcp_synack_retries': '1' },
  },
  {
    name: 'a wrong acknowledgment in the handshake',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S.', { ...SYN, ack: 5, seq: 0 });
      // The SYN comes again at once.
      await talk.pass(60);
      await talk.peer('.', { seq: 1, ack: 99 });
      await talk.peer('R.', { seq: 0, ack: 99 });
      await talk.peer('R', { seq: 0 });
      await talk.poll(fd);
      const listener = await talk.listener(8004);
      talk.next();
      await talk.peer('S', { ...SYN, to: 8004 });
      await talk.peer('.', { ack: 7, ts: 1001 });
      await talk.call('accept', { fd: listener });
      await talk.peer('.', { seq: 1, ack: 1, ts: 1002 });
      await talk.accept(listener);
    },
  },
  {
    name: 'SYN retransmitted by the peer; RST in SYN-RECEIVED',
    async run(talk) {
      const listener = await talk.listener(8005);
      await talk.peer('S', SYN);
      await talk.peer('S', { ...SYN, seq: 0 });
      await talk.peer('R', { seq: 1 });
      await talk.peer('.', { seq: 1, ack: 1, ts: 1001 });
      await talk.call('accept', { fd: listener });
      await talk.poll(listener);
    },
  },
];
