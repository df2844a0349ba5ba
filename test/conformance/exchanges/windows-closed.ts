import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, wscale: 7 };
const SNDBUF = 7;
const CLAMP = 10;
const QUICKACK = 12;
const NOTSENT_LOWAT = 25;
const USER_TIMEOUT = 18;

/** A connection whose listener has an option of its own. */
async function served(
  talk: Talk,
  port: number,
  [level, option, value]: readonly [number, number, number],
  syn: object = SYN,
): Promise<number> {
  const listener = await talk.socket('L');
  await talk.setOption(listener, level, option, value);
  await talk.setOption(listener, 1, 2, 1);
  await talk.bind(listener, port);
  await talk.call('listen', { fd: listener, backlog: 2 });
  talk.port = port;
  await talk.peer('S', syn);
  await talk.pass(50);
  await talk.peer('.');
  return talk.accept(listener);
}

/** The peer has closed its window, and more waits; nothing is in flight. */
async function closed(talk: Talk, port: number, setup?: (fd: number) => Promise<void>) {
  talk.window = 1000;
  const [fd] = await talk.served(port, { mss: 1000 }, 30);
  await setup?.(fd);
  await talk.peer('.');
  await talk.write(fd, 2500);
  await talk.offer(0);
  return fd;
}

/** What the program, and what the peer's buffer, allow. */
export const LIMITS: readonly Exchange[] = [
  {
    name: 'a send buffer that is full, while what it holds leaves bit by bit',
    async run(talk) {
      const fd = await served(talk, 8400, [1, SNDBUF, 4608], { mss: 1000 });
      for (let i = 0; i < 3; i++) await talk.write(fd, 100_000);
      for (let ack = 2001; ack <= 10_001; ack += 2000) {
        await talk.peer('.', { ack });
        await talk.poll(fd);
        await talk.write(fd, 100_000);
        await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
        await talk.call('ioctl', { fd, name: 'SIOCOUTQNSD', req: 0x894b });
      }
    },
  },
  {
    name: 'TCP_NOTSENT_LOWAT: what waits, and when there is room',
    async run(talk) {
      const [fd] = await talk.served(8401, { mss: 1000 }, 50);
      await talk.setOption(fd, 6, NOTSENT_LOWAT, 4000);
      await talk.write(fd, 12_000);
      await talk.poll(fd);
      await talk.write(fd, 1000);
      await talk.poll(fd);
      await talk.peer('.', { ack: 2001 });
      await talk.poll(fd);
      await talk.write(fd, 20_000);
      await talk.poll(fd);
      await talk.write(fd, 20_000);
      await talk.call('ioctl', { fd, name: 'SIOCOUTQNSD', req: 0x894b });
      await talk.setOption(fd, 6, NOTSENT_LOWAT, 0);
      await talk.getOption(fd, 6, NOTSENT_LOWAT);
      await talk.poll(fd);
      await talk.write(fd, 1000);
    },
  },
  {
    name: 'tcp_notsent_lowat',
    sysctls: { 'net.ipv4.tcp_notsent_lowat': '3000' },
    async run(talk) {
      const [fd] = await talk.served(8402, { mss: 1000 }, 50);
      await talk.getOption(fd, 6, NOTSENT_LOWAT);
      for (let i = 0; i < 8; i++) await talk.write(fd, 2000);
      await talk.poll(fd);
      await talk.setOption(fd, 6, NOTSENT_LOWAT, 9000);
      await talk.poll(fd);
      await talk.write(fd, 2000);
      await talk.poll(fd);
    },
  },
  {
    name: 'TCP_WINDOW_CLAMP before the handshake',
    async run(talk) {
      const fd = await served(talk, 8403, [6, CLAMP, 6000]);
      await talk.getOption(fd, 6, CLAMP);
      await talk.info(fd, ['rcv_ssthresh', 'rcv_wscale', 'rcv_wnd']);
      await talk.write(fd, 10);
    },
  },
  {
    name: 'TCP_WINDOW_CLAMP: smaller, then larger',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8404, SYN, 50);
      const say = async (): Promise<void> => {
        for (let i = 0; i < 3; i++) {
          await talk.peer('P.', { data: 1000 });
          await talk.read(fd);
        }
      };
      await say();
      await talk.setOption(fd, 6, CLAMP, 8000);
      await talk.info(fd, ['rcv_ssthresh']);
      await say();
      await talk.setOption(fd, 6, CLAMP, 30_000);
      await say();
      await talk.getOption(fd, 6, CLAMP);
    },
  },
];

/** TCP_QUICKACK, and what delays an acknowledgment without it. */
export const QUICK: readonly Exchange[] = [
  {
    name: 'TCP_QUICKACK: 0, and 1 while an acknowledgment waits',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8410, SYN, 50);
      await talk.setOption(fd, 6, QUICKACK, 0);
      await talk.peer('P.', { data: 100 });
      await talk.pass(60);
      await talk.peer('P.', { data: 100 });
      await talk.setOption(fd, 6, QUICKACK, 1);
      await talk.getOption(fd, 6, QUICKACK);
      await talk.peer('P.', { data: 100 });
      await talk.setOption(fd, 6, QUICKACK, 2);
      await talk.getOption(fd, 6, QUICKACK);
      await talk.peer('P.', { data: 100 });
      await talk.pass(60);
    },
  },
  {
    name: 'an exchange of words: acknowledgments ride on the answers',
    async run(talk) {
      const [fd] = await talk.served(8411, SYN, 50);
      for (let i = 0; i < 2; i++) {
        await talk.peer('P.', { data: 50 });
        await talk.read(fd);
        await talk.write(fd, 60);
        await talk.peer('.');
      }
      await talk.peer('P.', { data: 50 });
      await talk.getOption(fd, 6, QUICKACK);
      await talk.pass(60);
      await talk.getOption(fd, 6, QUICKACK);
      await talk.peer('P.', { data: 50 });
    },
  },
];

/** Silly windows (RFC 9293 §3.8.6.2), zero windows and their end (RFC 6429). */
export const CLOSED: readonly Exchange[] = [
  {
    name: 'a window of less than a segment is left alone, until time is up',
    async run(talk) {
      talk.window = 4000;
      const [fd] = await talk.served(8420, { mss: 1000 }, 30);
      await talk.write(fd, 9000);
      await talk.offer(400, { ack: 4001 });
      await talk.pass(300);
      await talk.peer('.');
      await talk.offer(999);
      await talk.offer(1000);
    },
  },
  {
    name: 'segments of half a window that was never larger',
    async run(talk) {
      talk.window = 900;
      const [fd] = await talk.served(8421, { mss: 1000 }, 30);
      await talk.write(fd, 2000);
      await talk.peer('.', { ack: 451 });
      await talk.peer('.');
    },
  },
  {
    name: 'a FIN alone is probed for, and leaves at a window of 1',
    async run(talk) {
      talk.window = 1000;
      const [fd] = await talk.served(8422, { mss: 1000 }, 30);
      await talk.write(fd, 1000);
      await talk.shutdown(fd, 1);
      await talk.offer(0);
      await talk.info(fd, ['state', 'unacked', 'notsent_bytes', 'probes', 'backoff']);
      await talk.pass(300);
      await talk.peer('.');
      await talk.info(fd, ['probes', 'backoff', 'bytes_acked']);
      await talk.offer(1);
      await talk.peer('.');
    },
  },
  {
    name: 'a FIN that does not fit keeps its segment back, until time is up',
    async run(talk) {
      talk.window = 0;
      const [fd] = await talk.served(8429, { mss: 1000 }, 30);
      await talk.write(fd, 1500);
      await talk.shutdown(fd, 1);
      await talk.offer(1500);
      await talk.pass(300);
      await talk.offer(500);
      await talk.pass(300);
      await talk.offer(0);
      await talk.offer(1);
      await talk.peer('.');
    },
  },
  {
    name: 'probes that are answered: twice as long each time',
    async run(talk) {
      await closed(talk, 8423);
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(550);
      await talk.peer('.');
      await talk.pass(1050);
    },
  },
  {
    name: 'probes without an answer, and the end (tcp_retries2)',
    sysctls: { 'net.ipv4.tcp_retries2': '2' },
    async run(talk) {
      const fd = await closed(talk, 8424);
      await talk.pass(2800);
      await talk.error(fd);
      await talk.poll(fd);
    },
  },
  {
    name: 'TCP_USER_TIMEOUT ends what is probed, though it is answered',
    async run(talk) {
      const fd = await closed(talk, 8425, (fd) => talk.setOption(fd, 6, USER_TIMEOUT, 600));
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(500);
      await talk.peer('.');
      await talk.pass(500);
      await talk.error(fd);
      await talk.peer('.');
    },
  },
  {
    name: 'an orphan before a closed window goes on while it is answered',
    sysctls: { 'net.ipv4.tcp_orphan_retries': '2' },
    async run(talk) {
      const fd = await closed(talk, 8426);
      await talk.close(fd);
      await talk.pass(300);
      await talk.peer('.');
      await talk.pass(550);
      await talk.peer('.');
      await talk.pass(1050);
      await talk.peer('.');
    },
  },
  {
    name: 'an orphan before a closed window is given up where nobody answers',
    sysctls: { 'net.ipv4.tcp_orphan_retries': '2' },
    async run(talk) {
      const fd = await closed(talk, 8427);
      await talk.close(fd);
      await talk.pass(1900);
      await talk.peer('.');
    },
  },
  {
    name: 'a window that closes with data in flight',
    async run(talk) {
      const [fd] = await talk.served(8428, { mss: 1000 }, 30);
      await talk.write(fd, 3000);
      await talk.peer('.', { ack: 1001, win: 0 });
      await talk.pass(300);
      await talk.peer('.', { ack: 1001, win: 0 });
      await talk.pass(600);
      await talk.peer('.', { ack: 3001, win: 5000 });
      await talk.write(fd, 1000);
    },
  },
];
