import type { Exchange, Talk } from '../support/exchange';
import type { Say } from '../support/peer-side';

const SYN = { mss: 1000, sackOK: true, wscale: 7 };
/** Round trip, ms: what the machine adds to it is little. */
const RTT = 100;
const TCP_NODELAY = 1;

/**
 * Another, for timeouts: the least variation that counts, 200 ms, is more than the one measured,
 * so that it is no matter what the machine adds.
 */
const SHORT = 40;

/** What TCP_INFO tells of loss recovery. */
const RECOVERY = ['ca_state', 'unacked', 'sacked', 'lost', 'retrans', 'snd_cwnd', 'snd_ssthresh'];
const TOTALS = ['total_retrans', 'reordering', 'reord_seen', 'dsack_dups', 'delivered'];

/** A number of a byte, from that of its segment of 1000 bytes. */
function at(segment: number): number {
  return 1 + 1000 * segment;
}

/** The peer has all before segment `una`, and those from `from` to `to` - 1. */
async function sack(talk: Talk, una: number, ...blocks: readonly (readonly [number, number])[]) {
  const say: Say = { ack: at(una) };
  if (blocks.length > 0) say.sack = blocks.map(([from, to]) => [at(from), at(to)] as const);
  await talk.peer('.', say);
}

/** A connection with SACK; `segments` of 1000 bytes are written, and a round trip passes. */
async function flight(
  talk: Talk,
  port: number,
  segments: number,
  wait = RTT,
  syn: Say = SYN,
  rtt = RTT,
): Promise<number> {
  const [fd] = await talk.served(port, syn, rtt);
  await talk.write(fd, 1000 * segments);
  if (wait > 0) await talk.pass(wait);
  return fd;
}

/** How a sender finds out what was lost, and mends it. */
export const LOSSES: readonly Exchange[] = [
  {
    name: 'loss: three segments SACKed beyond a hole',
    async run(talk) {
      const fd = await flight(talk, 8500, 10);
      await sack(talk, 0, [1, 2]);
      await talk.info(fd, RECOVERY);
      await sack(talk, 0, [1, 3]);
      await sack(talk, 0, [1, 4]);
      await talk.info(fd, RECOVERY);
      await sack(talk, 0, [1, 10]);
      await talk.pass(RTT);
      await sack(talk, 10);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: the reordering timer',
    async run(talk) {
      const fd = await flight(talk, 8501, 4);
      await sack(talk, 0, [1, 2]);
      await talk.pass(60);
      await talk.info(fd, RECOVERY);
      await talk.pass(40);
      await sack(talk, 4);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a retransmission is lost, too',
    async run(talk) {
      const fd = await flight(talk, 8502, 30);
      for (let to = 2; to <= 10; to++) await sack(talk, 0, [1, to]);
      await talk.pass(RTT);
      // What left behind the retransmission has arrived, but not the retransmission.
      await sack(talk, 0, [1, 11]);
      await sack(talk, 0, [1, 12]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 12);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: limited transmit, then the hole is filled after all',
    async run(talk) {
      const fd = await flight(talk, 8503, 30);
      await sack(talk, 0, [1, 2]);
      await sack(talk, 0, [1, 3]);
      await sack(talk, 3);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: proportional rate reduction',
    async run(talk) {
      const fd = await flight(talk, 8504, 60);
      await sack(talk, 10);
      await talk.pass(RTT);
      for (let to = 14; to <= 30; to++) await sack(talk, 10, [11, to]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 31);
      await sack(talk, 34);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a burst of losses',
    async run(talk) {
      const fd = await flight(talk, 8505, 60);
      await sack(talk, 10);
      await talk.pass(RTT);
      // 10 to 24 are lost, 25 to 29 have arrived.
      for (let to = 26; to <= 30; to++) await sack(talk, 10, [25, to]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      for (let una = 11; una <= 14; una++) await sack(talk, una, [25, 30]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 20, [25, 30]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 31);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: three holes, partial acknowledgments',
    async run(talk) {
      const fd = await flight(talk, 8506, 10);
      await sack(talk, 0, [9, 10], [5, 8], [1, 4]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 4, [9, 10], [5, 8]);
      await sack(talk, 8, [9, 10]);
      await talk.pass(RTT);
      await sack(talk, 10);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: most acknowledgments are lost, too',
    async run(talk) {
      const fd = await flight(talk, 8507, 40);
      await sack(talk, 0, [1, 9]);
      await talk.pass(RTT);
      await sack(talk, 9);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: a retransmission was needless, says D-SACK',
    async run(talk) {
      const fd = await flight(talk, 8508, 20);
      for (let to = 2; to <= 5; to++) await sack(talk, 0, [1, to]);
      await talk.info(fd, RECOVERY);
      await sack(talk, 10);
      await talk.info(fd, RECOVERY);
      await talk.pass(50);
      await sack(talk, 10, [0, 1]);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a retransmission was needless, says D-SACK, after recovery',
    async run(talk) {
      const fd = await flight(talk, 8509, 10);
      for (let to = 2; to <= 5; to++) await sack(talk, 0, [1, to]);
      await sack(talk, 10);
      await talk.info(fd, RECOVERY);
      await talk.pass(50);
      await sack(talk, 10, [0, 1]);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: reordering is remembered',
    async run(talk) {
      const fd = await flight(talk, 8510, 10);
      await sack(talk, 0, [1, 2]);
      await sack(talk, 0, [1, 3]);
      await sack(talk, 3);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
      await sack(talk, 10);
      await talk.write(fd, 10_000);
      await talk.pass(RTT);
      await sack(talk, 10, [11, 20]);
      await talk.info(fd, RECOVERY);
      await talk.pass(60);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: the tail is probed with the last segment, which mends it',
    async run(talk) {
      const fd = await flight(talk, 8511, 3, 280);
      await talk.info(fd, RECOVERY);
      await talk.pass(20);
      await sack(talk, 3);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
      await talk.write(fd, 1000);
      await talk.pass(RTT);
      await sack(talk, 4);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: the tail is probed, and more than the last segment is missing',
    async run(talk) {
      const fd = await flight(talk, 8512, 5, 300);
      await sack(talk, 1, [4, 5]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 5);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: the tail is probed with new data',
    async run(talk) {
      const fd = await flight(talk, 8513, 12, 250);
      await talk.pass(50);
      await sack(talk, 0, [10, 11]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 11);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: the probe was needless, says D-SACK',
    async run(talk) {
      const fd = await flight(talk, 8514, 3, 250);
      await sack(talk, 3);
      await sack(talk, 3, [2, 3]);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
      await talk.write(fd, 1000);
      await talk.pass(RTT);
      await sack(talk, 4);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: a single segment is probed later, then times out',
    async run(talk) {
      const fd = await flight(talk, 8515, 1, 1400, SYN, SHORT);
      await talk.info(fd, ['total_retrans', 'retransmits', 'backoff', ...RECOVERY]);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: the tail is not probed (tcp_early_retrans)',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const fd = await flight(talk, 8516, 3, 1000, SYN, SHORT);
      await talk.info(fd, RECOVERY);
      await sack(talk, 3);
    },
  },
  {
    name: 'loss: a timeout, then slow start mends what was in flight',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const fd = await flight(talk, 8517, 10, 400, SYN, SHORT);
      await talk.info(fd, RECOVERY);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await talk.pass(SHORT);
      await sack(talk, 3);
      await talk.pass(SHORT);
      await sack(talk, 7);
      await talk.pass(SHORT);
      await sack(talk, 10);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a needless timeout, found by F-RTO',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const fd = await flight(talk, 8518, 20, 400, SYN, SHORT);
      await talk.info(fd, RECOVERY);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await sack(talk, 2);
      await talk.info(fd, RECOVERY);
      await sack(talk, 10);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a timeout that F-RTO finds was none of the sort',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const fd = await flight(talk, 8519, 20, 400, SYN, SHORT);
      await sack(talk, 1);
      await talk.pass(SHORT);
      await sack(talk, 1, [10, 11]);
      await talk.info(fd, RECOVERY);
      await sack(talk, 1, [10, 12]);
      await talk.pass(SHORT);
      await sack(talk, 2, [10, 12]);
      await sack(talk, 4, [10, 12]);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: F-RTO has no new data to send',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const fd = await flight(talk, 8520, 4, 400, SYN, SHORT);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await sack(talk, 4);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: F-RTO is off',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0', 'net.ipv4.tcp_frto': '0' },
    async run(talk) {
      const fd = await flight(talk, 8521, 20, 400, SYN, SHORT);
      await sack(talk, 1);
      await sack(talk, 3);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: F-RTO without SACK',
    async run(talk) {
      const fd = await flight(talk, 8522, 20, 400, { mss: 1000, wscale: 7 }, SHORT);
      await sack(talk, 1);
      await sack(talk, 2);
      await talk.info(fd, RECOVERY);
      await sack(talk, 10);
      await sack(talk, 11);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: a timeout without SACK',
    async run(talk) {
      const fd = await flight(talk, 8523, 20, 400, { mss: 1000, wscale: 7 }, SHORT);
      await sack(talk, 1);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await talk.pass(SHORT);
      await sack(talk, 2);
      await talk.pass(SHORT);
      await sack(talk, 5);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: NewReno, two holes',
    async run(talk) {
      const fd = await flight(talk, 8524, 20, RTT, { mss: 1000, wscale: 7 });
      for (let i = 0; i < 8; i++) await sack(talk, 0);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 5);
      await talk.info(fd, RECOVERY);
      await sack(talk, 5);
      await talk.pass(RTT);
      await sack(talk, 10);
      await talk.info(fd, RECOVERY);
      await sack(talk, 11);
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: NewReno, needless by timestamps',
    async run(talk) {
      const [fd] = await talk.served(8525, { mss: 1000, ts: 1000 }, RTT);
      await talk.write(fd, 988 * 10);
      await talk.pass(RTT);
      const early = talk.lastStamp;
      for (let i = 0; i < 4; i++) await talk.peer('.', { ack: 1, ts: [1200, early] });
      await talk.pass(20);
      await talk.info(fd, RECOVERY);
      await talk.peer('.', { ack: 1 + 988 * 5, ts: [1220, early] });
      await talk.info(fd, RECOVERY);
    },
  },
  {
    name: 'loss: needless by timestamps, with SACK',
    async run(talk) {
      const [fd] = await talk.served(8526, { ...SYN, ts: 1000 }, RTT);
      await talk.write(fd, 988 * 20);
      await talk.pass(RTT);
      const early = talk.lastStamp;
      for (let to = 2; to < 6; to++) {
        await talk.peer('.', { ack: 1, ts: [1200, early], sack: [[989, 1 + 988 * to]] });
      }
      await talk.info(fd, RECOVERY);
      await talk.pass(20);
      await talk.peer('.', { ack: 1 + 988 * 6, ts: [1220, early] });
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: the peer takes back what it SACKed',
    async run(talk) {
      const fd = await flight(talk, 8528, 6);
      await sack(talk, 0, [1, 6]);
      await talk.pass(RTT);
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await talk.pass(60);
      await talk.info(fd, RECOVERY);
      await sack(talk, 6);
    },
  },
  {
    name: 'loss: blocks that can not be true',
    async run(talk) {
      const fd = await flight(talk, 8529, 5);
      await talk.peer('.', { ack: 1, sack: [[5001, 6001]] });
      await talk.peer('.', { ack: 1, sack: [[4001, 5002]] });
      await talk.peer('.', { ack: 1, sack: [[3001, 2001]] });
      await talk.peer('.', { ack: 1, sack: [[2001, 2001]] });
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: small segments are sent again as one',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const [fd] = await talk.served(8530, SYN, SHORT);
      await talk.setOption(fd, 6, TCP_NODELAY, 1);
      for (let i = 0; i < 6; i++) await talk.write(fd, 300);
      await talk.pass(400);
      await talk.peer('.', { ack: 1801 });
    },
  },
  {
    name: 'loss: given up by TCP_USER_TIMEOUT, which counts from the probe',
    async run(talk) {
      const [fd] = await talk.served(8531, SYN, SHORT);
      await talk.setOption(fd, 6, 18, 800);
      await talk.write(fd, 100);
      await talk.pass(2500);
      await talk.poll(fd);
      await talk.error(fd);
    },
  },
  {
    name: 'loss: the window has shrunk below what is sent again',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1' },
    async run(talk) {
      const fd = await flight(talk, 8550, 8, RTT, { mss: 1000, sackOK: true });
      talk.window = 1500;
      await sack(talk, 1, [4, 5]);
      await sack(talk, 1, [4, 6]);
      await sack(talk, 1, [4, 7]);
      await sack(talk, 1, [4, 8]);
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await talk.offer(65_535, { ack: 2501, sack: [[at(4), at(8)]] });
      await talk.info(fd, RECOVERY);
      await talk.pass(RTT);
      await sack(talk, 8);
      await talk.info(fd, [...RECOVERY, ...TOTALS]);
    },
  },
  {
    name: 'loss: a timeout, the window smaller than a segment',
    async run(talk) {
      const fd = await flight(talk, 8551, 3, SHORT, { mss: 1000, sackOK: true }, SHORT);
      talk.window = 600;
      await sack(talk, 1);
      await talk.info(fd, RECOVERY);
      await talk.pass(600);
      await talk.offer(2000, { ack: 1601 });
      await talk.info(fd, RECOVERY);
      await talk.pass(600);
      await sack(talk, 3);
    },
  },
  {
    name: 'loss: a probe of the tail, which the window has no longer room for',
    async run(talk) {
      const fd = await flight(talk, 8552, 3, SHORT, { mss: 1000, sackOK: true }, SHORT);
      talk.window = 1400;
      await sack(talk, 1);
      await talk.pass(600);
      await talk.info(fd, RECOVERY);
      await sack(talk, 3);
    },
  },
];
