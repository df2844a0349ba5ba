import type { Exchange, Talk } from '../support/exchange';
import type { Say } from '../support/peer-side';

const SYN = { mss: 1000, sackOK: true, wscale: 7 };
const TCP_CONGESTION = 13;
const MAX_PACING_RATE = 47;
const SO_SNDBUF = 7;
/** Round trip, ms: what the machine adds to it is little. */
const RTT = 100;
const LOSS = ['ca_state', 'unacked', 'sacked', 'lost', 'retrans', 'reordering', 'reord_seen'];

/** A connection; `bytes` are written, and a round trip passes. */
async function written(talk: Talk, port: number, bytes: number): Promise<number> {
  const [fd] = await talk.served(port, SYN, RTT);
  await talk.write(fd, bytes);
  await talk.pass(RTT);
  return fd;
}

/** The peer has all before `ack`, and the segments of 1000 bytes with these numbers. */
async function sack(talk: Talk, ack: number, ...blocks: readonly (readonly [number, number])[]) {
  const say: Say = { ack };
  if (blocks.length > 0) say.sack = blocks.map(([from, to]) => [from * 1000 + 1, to * 1000 + 1]);
  await talk.peer('.', say);
}

/** What a sender's segments look like, and what it makes of the answers. */
export const SENDING: readonly Exchange[] = [
  {
    name: 'sending: what is SACKed late was overtaken',
    async run(talk) {
      const fd = await written(talk, 8900, 10_000);
      await sack(talk, 1, [6, 7]);
      await talk.info(fd, LOSS);
      await sack(talk, 1, [6, 7], [8, 9]);
      await sack(talk, 1, [2, 3], [6, 7], [8, 9]);
      await talk.info(fd, LOSS);
      await sack(talk, 1, [2, 4], [6, 7], [8, 9]);
      await talk.info(fd, LOSS);
      await sack(talk, 10_001);
      await talk.info(fd, LOSS);
    },
  },
  {
    name: 'sending: what is lost of a burst leaves as one, its end with PSH',
    async run(talk) {
      const fd = await written(talk, 8901, 10_000);
      await sack(talk, 1001, [3, 4], [7, 10]);
      await talk.info(fd, LOSS);
      await talk.pass(RTT);
      await sack(talk, 10_001);
    },
  },
  {
    name: 'sending: of a burst only so much is sent again as the window allows',
    async run(talk) {
      await written(talk, 8902, 10_000);
      await sack(talk, 1, [4, 5]);
      await sack(talk, 1, [4, 6]);
      for (let to = 7; to <= 10; to++) await sack(talk, 1, [4, to]);
      await talk.pass(RTT);
      await sack(talk, 10_001);
    },
  },
  {
    name: 'sending: after a timeout bursts are sent again one segment first',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      await written(talk, 8903, 8000);
      await talk.pass(400);
      await sack(talk, 1001);
      await sack(talk, 3001);
      await sack(talk, 8001);
    },
  },
  {
    name: 'sending: CUBIC leaves slow start where round trips have grown',
    sysctls: { 'net.ipv4.tcp_early_retrans': '0' },
    async run(talk) {
      const listener = await talk.listener(8904);
      await talk.setOption(listener, 6, TCP_CONGESTION, Buffer.from('cubic'));
      await talk.peer('S', SYN);
      await talk.pass(40);
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.write(fd, 40_000);
      await talk.pass(40);
      await sack(talk, 10_001);
      await talk.pass(80);
      for (let una = 12_001; una <= 26_001; una += 2000) await sack(talk, una);
      await talk.info(fd, ['snd_cwnd', 'snd_ssthresh']);
      await sack(talk, 28_001);
      await sack(talk, 30_001);
      await talk.info(fd, ['snd_cwnd', 'snd_ssthresh']);
    },
  },
  {
    name: 'sending: SO_MAX_PACING_RATE in four bytes and in eight',
    async run(talk) {
      const fd = await talk.socket();
      for (const length of [4, 8]) await talk.getOption(fd, 1, MAX_PACING_RATE, length);
      const wide = Buffer.alloc(8);
      wide.writeBigUInt64LE(0x1_0000_0000n);
      for (const value of [50_000, -1, wide, Buffer.alloc(8, 255)]) {
        await talk.setOption(fd, 1, MAX_PACING_RATE, value);
        for (const length of [4, 8]) await talk.getOption(fd, 1, MAX_PACING_RATE, length);
      }
    },
  },
  {
    name: 'sending: PSH after half of the window',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1' },
    async run(talk) {
      talk.window = 20_000;
      const [fd] = await talk.served(8906, { mss: 1000, sackOK: true, win: 20_000 }, RTT);
      await talk.setOption(fd, 1, SO_SNDBUF, 200_000);
      await talk.write(fd, 60_000);
      for (let una = 5001; una < 60_000; una += 5000) {
        await talk.pass(RTT);
        await sack(talk, una);
      }
    },
  },
  {
    name: 'sending: PSH to a small window',
    async run(talk) {
      talk.window = 3000;
      const [fd] = await talk.served(8908, { mss: 1000, sackOK: true, win: 3000 }, RTT);
      await talk.write(fd, 8000);
      await talk.pass(RTT);
      await sack(talk, 3001);
      await talk.write(fd, 700);
      await talk.pass(RTT);
      await sack(talk, 6001);
    },
  },
  {
    name: 'sending: PSH where the buffer was full',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1' },
    async run(talk) {
      const [fd] = await talk.served(8907, { mss: 1000, sackOK: true, wscale: 7 }, RTT);
      await talk.setOption(fd, 1, SO_SNDBUF, 8000);
      await talk.write(fd, 200_000);
      await talk.write(fd, 1000);
      for (let una = 10_001; una < 70_000; una += 10_000) {
        await talk.pass(RTT);
        await sack(talk, una);
      }
    },
  },
  {
    name: 'sending: PSH where nothing is added to the packet of the write before',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1' },
    async run(talk) {
      talk.window = 20_000;
      const [fd] = await talk.served(8909, { mss: 1000, sackOK: true, win: 20_000 }, RTT);
      await talk.setOption(fd, 1, SO_SNDBUF, 200_000);
      await talk.write(fd, 20_000);
      await talk.write(fd, 5000);
      await talk.write(fd, 3000);
      for (let una = 5001; una < 28_000; una += 5000) {
        await talk.pass(RTT);
        await sack(talk, una);
      }
    },
  },
  {
    name: 'sending: PSH, and MSG_MORE for more than half of the window',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1' },
    async run(talk) {
      const MSG_MORE = 0x8000;
      talk.window = 20_000;
      const [fd] = await talk.served(8910, { mss: 1000, sackOK: true, win: 20_000 }, RTT);
      await talk.setOption(fd, 1, SO_SNDBUF, 200_000);
      await talk.send(fd, 4000, MSG_MORE);
      await talk.send(fd, 7000, MSG_MORE);
      await talk.send(fd, 5000, MSG_MORE);
      for (let una = 5001; una < 16_000; una += 5000) {
        await talk.pass(RTT);
        await sack(talk, una);
      }
    },
  },
  {
    name: 'sending: tcp_tso_rtt_log',
    sysctls: { 'net.ipv4.tcp_min_tso_segs': '1', 'net.ipv4.tcp_tso_rtt_log': '16' },
    async run(talk) {
      const [fd] = await talk.served(8911, SYN, RTT);
      await talk.times(fd, ['min_rtt']);
      await talk.write(fd, 12_000);
      await talk.pass(RTT);
      await sack(talk, 2001);
      await sack(talk, 12_001);
    },
  },
];
