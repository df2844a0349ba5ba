import type { Exchange } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, ts: 1000, wscale: 7 };
const OPEN = { mss: 1000, ts: 1000, wscale: 7 };
const ASK = { 'net.ipv4.tcp_ecn': '1' };
const OFF = { 'net.ipv4.tcp_ecn': '0' };
const NOT_ECT = 0;
const ECT1 = 1;
const ECT0 = 2;
const CE = 3;

/** Explicit congestion notification (RFC 3168). */
export const ECN: readonly Exchange[] = [
  {
    name: 'ECN: a SYN that asks is granted it; those that ask oddly',
    async run(talk) {
      await talk.listener(8300);
      const odd: [string, number][] = [
        ['SEW', NOT_ECT],
        ['SE', NOT_ECT],
        ['SW', NOT_ECT],
        ['S', ECT0],
        ['SEW', ECT0],
        ['SEW', ECT1],
        ['SEW', CE],
      ];
      for (const [flags, ecn] of odd) {
        await talk.peer(flags, { mss: 1000, ecn });
        talk.next();
      }
    },
  },
  {
    name: 'ECN: a SYN that asks, sent again without; the SYN+ACK, sent again',
    async run(talk) {
      const listener = await talk.listener(8301);
      await talk.peer('SEW', { mss: 1000 });
      await talk.peer('S', { mss: 1000, seq: 0 });
      await talk.pass(1200);
      await talk.peer('.', { seq: 1 });
      const fd = await talk.accept(listener);
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: switched off, nobody gets it',
    sysctls: OFF,
    async run(talk) {
      const listener = await talk.listener(8302);
      await talk.peer('SEW', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.write(fd, 100);
      await talk.peer('.', { ecn: CE });
      await talk.peer('P.', { data: 100, ecn: CE });
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: we ask, and are granted it; what is marked',
    sysctls: ASK,
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.pass(40);
      await talk.peer('S.E', { mss: 1000 });
      await talk.write(fd, 1500);
      await talk.pass(40);
      await talk.peer('.');
      await talk.peer('P.', { data: 100, ecn: ECT0 });
      await talk.pass(50);
      await talk.shutdown(fd, 1);
      await talk.peer('.');
      await talk.peer('F.', {});
    },
  },
  {
    name: 'ECN: we ask, and are not granted it',
    sysctls: ASK,
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.peer('S.', { mss: 1000 });
      await talk.write(fd, 100);
      await talk.peer('P.E', { data: 10, ecn: CE });
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: a SYN that is lost is sent again without',
    sysctls: ASK,
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.pass(1100);
      await talk.peer('S.E', { mss: 1000 });
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: no fallback: it is asked for again',
    sysctls: { ...ASK, 'net.ipv4.tcp_ecn_fallback': '0' },
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.pass(1100);
      await talk.peer('S.', { mss: 1000 });
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: both ask at once',
    sysctls: ASK,
    async run(talk) {
      for (const [syn, synAck] of [
        ['SEW', 'S.E'],
        ['S', 'S.'],
        ['SE', 'S.E'],
      ]) {
        const fd = await talk.socket();
        await talk.connect(fd);
        await talk.peer(syn, OPEN);
        await talk.peer(synAck, { ...OPEN, seq: 0 });
        await talk.write(fd, 100);
        talk.next();
      }
    },
  },
  {
    name: 'ECN: CE is echoed until CWR comes',
    deviceMemory: true,
    async run(talk) {
      const listener = await talk.listener(8303);
      await talk.peer('SEW', SYN);
      await talk.peer('.', { ts: 1001 });
      const fd = await talk.accept(listener);
      await talk.peer('P.', { data: 100, ecn: ECT0, ts: 1002 });
      await talk.peer('P.', { data: 100, ecn: CE, ts: 1003 });
      await talk.peer('P.', { data: 100, ecn: ECT0, ts: 1004 });
      await talk.write(fd, 100);
      await talk.peer('P.W', { data: 100, ecn: ECT0, ts: 1005 });
      await talk.peer('P.W', { data: 100, ecn: CE, ts: 1007 });
      await talk.write(fd, 100);
      await talk.peer('.W', { ts: 1008 });
      await talk.write(fd, 100);
    },
  },
  {
    name: 'ECN: CE beyond a hole, in old data, on pure acknowledgments; CWR beyond a hole',
    deviceMemory: true,
    async run(talk) {
      const listener = await talk.listener(8304);
      await talk.peer('SEW', { mss: 1000 });
      await talk.peer('.');
      await talk.accept(listener);
      await talk.peer('.', { ecn: CE });
      await talk.peer('P.', { seq: 1, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 1, data: 100, ecn: CE });
      await talk.peer('P.', { seq: 201, data: 100, ecn: CE });
      await talk.peer('P.W', { seq: 401, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 101, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 301, data: 100, ecn: CE });
      await talk.peer('P.W', { seq: 1, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 501, data: 100, ecn: ECT0 });
      await talk.peer('.W', { seq: 1 });
      await talk.peer('P.', { seq: 601, data: 100, ecn: ECT0 });
      await talk.peer('.W', { seq: 701, ack: 900 });
      await talk.peer('P.W', { seq: 990_000, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 701, data: 100, ecn: ECT0 });
      await talk.peer('P.W', { seq: 751, data: 100, ecn: ECT0 });
      await talk.peer('P.', { seq: 851, data: 100, ecn: CE });
      await talk.peer('P.W', { seq: 901, data: 50, ecn: ECT0 });
      await talk.peer('P.', { seq: 951, data: 100, ecn: ECT0 });
    },
  },
  {
    name: 'ECN: not marked after marks: a retransmission, acknowledged at once',
    deviceMemory: true,
    async run(talk) {
      const listener = await talk.listener(8305);
      await talk.peer('SEW', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      for (let i = 0; i < 17; i++) await talk.peer('P.', { data: 100, ecn: ECT0 });
      await talk.peer('P.', { data: 100, ecn: NOT_ECT });
      await talk.peer('P.', { data: 100, ecn: CE });
      await talk.read(fd);
    },
  },
  {
    name: 'ECN: ECE halves the window once for what is in flight; CWR on new data',
    async run(talk) {
      const listener = await talk.listener(8306);
      await talk.peer('SEW', { mss: 1000 });
      await talk.pass(40);
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.write(fd, 30_000);
      await talk.pass(40);
      await talk.peer('.E', { ack: 1001 });
      for (let i = 2; i < 10; i++) await talk.peer('.E', { ack: i * 1000 + 1 });
    },
  },
  {
    name: 'ECN: ECE with nothing in flight, and without negotiation',
    async run(talk) {
      const listener = await talk.listener(8307);
      await talk.peer('SEW', { mss: 1000 });
      await talk.peer('.E');
      const fd = await talk.accept(listener);
      await talk.peer('P.E', { data: 10 });
      await talk.write(fd, 10);
      talk.next();
      await talk.peer('S', { mss: 1000 });
      await talk.pass(40);
      await talk.peer('.');
      const other = await talk.accept(listener, 'B');
      await talk.write(other, 2000);
      await talk.peer('.E', { ack: 1001 });
      await talk.write(other, 10);
    },
  },
  {
    name: 'ECN: a retransmission and a window probe are not marked, CWR follows a timeout',
    async run(talk) {
      const listener = await talk.listener(8308);
      await talk.peer('SEW', { mss: 1000 });
      await talk.pass(40);
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.write(fd, 500);
      await talk.pass(300);
      await talk.peer('.');
      await talk.write(fd, 500);
      await talk.peer('.', { win: 0 });
      await talk.write(fd, 500);
      await talk.pass(350);
      await talk.peer('.', { win: 5000 });
    },
  },
];
