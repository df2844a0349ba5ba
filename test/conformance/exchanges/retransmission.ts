import type { Exchange } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, ts: 1000, wscale: 7 };

/** Loss on either way, and giving up. */
export const RETRANSMISSIONS: readonly Exchange[] = [
  {
    name: 'data unacknowledged: doubling timeouts',
    async run(talk) {
      const [fd] = await talk.served(8040, { mss: 1000 });
      await talk.write(fd, 500);
      await talk.pass(1000);
      await talk.peer('.');
      await talk.write(fd, 10);
      await talk.pass(300);
    },
  },
  {
    name: 'data unacknowledged: tcp_thin_linear_timeouts',
    sysctls: { 'net.ipv4.tcp_thin_linear_timeouts': '1', 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const [fd] = await talk.served(8051, { mss: 1000 });
      await talk.write(fd, 500);
      await talk.pass(1900);
      await talk.peer('.');
      for (let i = 0; i < 4; i++) await talk.write(fd, 1000);
      await talk.pass(700);
    },
  },
  {
    name: 'given up: TCP_USER_TIMEOUT',
    async run(talk) {
      const [fd] = await talk.served(8041, { mss: 1000 });
      await talk.setOption(fd, 6, 18, 700);
      await talk.write(fd, 100);
      await talk.pass(1200);
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
    },
  },
  {
    name: 'given up: tcp_retries2',
    sysctls: { 'net.ipv4.tcp_retries2': '2' },
    async run(talk) {
      const [fd] = await talk.served(8042, { mss: 1000 });
      await talk.write(fd, 100);
      await talk.pass(3600);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'FIN unacknowledged',
    async run(talk) {
      const [fd] = await talk.served(8043, { mss: 1000 });
      await talk.write(fd, 100);
      await talk.close(fd);
      await talk.pass(800);
      await talk.peer('.');
    },
  },
  {
    name: 'three duplicate acknowledgments without SACK',
    async run(talk) {
      const [fd] = await talk.served(8044, { mss: 1000 }, 30);
      await talk.write(fd, 5000);
      await talk.pass(30);
      await talk.peer('.', { ack: 1001 });
      for (let i = 0; i < 3; i++) await talk.peer('.', { ack: 1001 });
      await talk.peer('.', { ack: 5001 });
    },
  },
  {
    name: 'a delayed acknowledgment',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8045, SYN, 30);
      for (let i = 0; i < 18; i++) await talk.peer('P.', { data: 50, ts: 1002 });
      await talk.read(fd);
      await talk.write(fd, 10);
      await talk.peer('.', { ts: 1003 });
      await talk.peer('P.', { data: 50, ts: 1004 });
      await talk.pass(150);
      await talk.peer('P.', { data: 50, ts: 1005 });
      await talk.pass(150);
    },
  },
  {
    name: 'every second full segment is acknowledged',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8046, SYN, 30);
      for (let i = 0; i < 8; i++) await talk.peer('.', { data: 988, ts: 1002 + i });
      await talk.read(fd);
      await talk.peer('.', { data: 988, ts: 1020 });
      await talk.peer('.', { data: 988, ts: 1021 });
    },
  },
  {
    name: 'out of order, SACK blocks, then the hole',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8047, { ...SYN }, 30);
      await talk.peer('.', { seq: 1001, data: 1000, ts: 1010 });
      await talk.poll(fd);
      await talk.peer('.', { seq: 3001, data: 1000, ts: 1011 });
      await talk.peer('.', { seq: 5001, data: 1000, ts: 1012 });
      await talk.peer('.', { seq: 7001, data: 1000, ts: 1013 });
      await talk.peer('.', { seq: 2001, data: 1000, ts: 1014 });
      await talk.peer('.', { seq: 1, data: 1000, ts: 1015 });
      await talk.read(fd);
      await talk.peer('.', { seq: 4001, data: 1000, ts: 1016 });
      await talk.peer('.', { seq: 6001, data: 1000, ts: 1017 });
      await talk.read(fd);
    },
  },
  {
    name: 'out of order without SACK, FIN beyond the hole',
    async run(talk) {
      const [fd] = await talk.served(8048, { mss: 1000 });
      await talk.peer('F.', { seq: 101, data: 50 });
      await talk.poll(fd);
      await talk.peer('.', { seq: 1, data: 100 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.read(fd);
    },
  },
  {
    name: 'old and overlapping data, without SACK',
    async run(talk) {
      const [fd] = await talk.served(8049, { mss: 1000, ts: 1000 });
      await talk.peer('P.', { data: 'abcdefgh', ts: 1001 });
      await talk.peer('P.', { seq: 1, data: 'abcdefgh', ts: 1002 });
      await talk.peer('P.', { seq: 5, data: 'efghijkl', ts: 1003 });
      await talk.read(fd);
      // Beyond the window, and an old timestamp (PAWS).
      await talk.peer('P.', { seq: 100_000, data: 'x', ts: 1004 });
      await talk.peer('P.', { seq: 13, data: 'x', ts: 900 });
      await talk.read(fd);
    },
  },
  {
    name: 'keepalive probes, then ETIMEDOUT',
    async run(talk) {
      const [fd] = await talk.served(8050, SYN);
      await talk.setOption(fd, 6, 4, 1);
      await talk.setOption(fd, 6, 5, 1);
      await talk.setOption(fd, 6, 6, 1);
      await talk.setOption(fd, 1, 9, 1);
      await talk.pass(1300);
      await talk.peer('.', { ts: 1100 });
      await talk.pass(2500);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
];
