import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, wscale: 7 };
const STAMPED = { ...SYN, ts: 1000 };
const SIZE = 500;

/** The peer's segments with these numbers, `SIZE` bytes each if no end is given. */
async function segments(talk: Talk, ...ranges: readonly (number | [number, number])[]) {
  for (const range of ranges) {
    const [seq, end] = typeof range === 'number' ? [range, range + SIZE] : range;
    await talk.peer('P.', { seq, data: end - seq, ...(talk.stamped ? { ts: 2000 } : {}) });
  }
}

/** What RFC 2018 §4 and RFC 2883 §4 have a receiver report. */
export const SACKS: readonly Exchange[] = [
  {
    name: 'SACK: one hole, many, and their order',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8200, SYN);
      await segments(talk, 501, 1501, 2501, 3501, 1501, 3001, 4501, 1, 1001);
    },
  },
  {
    name: 'SACK: three blocks beside timestamps',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8201, STAMPED);
      talk.stamped = true;
      await segments(talk, 501, 1501, 2501, 3501, 4501, 1501, 1, 1001);
    },
  },
  {
    name: 'D-SACK: a segment below what is acknowledged (RFC 2883 §4.1.1, §4.1.2)',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8202, SYN);
      await segments(talk, 1, 501, 1, 1001, 501, 2001, 1001, 1501);
    },
  },
  {
    name: 'D-SACK: a segment among those beyond the hole (RFC 2883 §4.1.3)',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8203, SYN);
      await segments(talk, 1, 1001, 1501, 2001, 2501, 1501, 2501, 501, 1501);
    },
  },
  {
    name: 'D-SACK: parts of segments (RFC 2883 §4.2)',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8204, SYN);
      await segments(talk, [1, 101], [101, 201], [101, 301], [401, 501], [441, 601], [361, 421]);
      await segments(talk, [321, 641], [801, 901], [1001, 1101], [761, 1161]);
      await segments(talk, [1, 500], [500, 801]);
    },
  },
  {
    name: 'D-SACK: what fills a hole reaches into what is there',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8205, SYN);
      await segments(talk, [501, 1001], [1501, 2001], [2501, 3001], [1, 1601], [1801, 3501]);
    },
  },
  {
    name: 'D-SACK beside timestamps leaves room for two blocks',
    async run(talk) {
      await talk.served(8206, STAMPED);
      talk.stamped = true;
      await segments(talk, 1, 1001, 2001, 3001, 4001, 1, 3001);
    },
  },
  {
    name: 'D-SACK: a segment again after its FIN, and the FIN again',
    async run(talk) {
      await talk.served(8207, SYN);
      await talk.peer('FP.', { data: 10 });
      await talk.peer('FP.', { seq: 1, data: 10 });
      await talk.peer('F.', { seq: 11 });
    },
  },
  {
    name: 'acknowledgments are delayed again once a hole is filled',
    deviceMemory: true,
    async run(talk) {
      await talk.served(8209, SYN);
      for (let i = 0; i < 16; i++) await talk.peer('.', { data: 400 });
      await talk.peer('.', { seq: 6801, data: 400 });
      await talk.peer('.', { seq: 6401, data: 400 });
      await talk.pass(100);
      for (let i = 0; i < 4; i++) {
        await talk.peer('.', { seq: 7201 + 400 * i, data: 400 });
        await talk.pass(100);
      }
    },
  },
  {
    name: 'tcp_dsack off',
    deviceMemory: true,
    sysctls: { 'net.ipv4.tcp_dsack': '0' },
    async run(talk) {
      await talk.served(8208, SYN);
      await segments(talk, 1, 1, 1001, 1001, 501);
    },
  },
  {
    name: 'a duplicate with a FIN behind it is not told of',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8203, { mss: 1000, sackOK: true }, 30);
      await talk.peer('.', { data: 1000 });
      await talk.read(fd);
      await talk.pass(100);
      await talk.peer('F.', { seq: 1, data: 1200 });
      await talk.pass(100);
      await talk.peer('.', { seq: 1, data: 1000 });
    },
  },
];
