import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1460, sackOK: true, ts: 1000, wscale: 7 };
const SPACE = ['rcv_space', 'rcv_mss', 'rcv_wscale', 'advmss'];
const WINDOW = ['rcv_ssthresh', 'rcv_wnd'];
const LIMITS = ['busy_time', 'rwnd_limited', 'sndbuf_limited'];
const TIMES = ['last_data_sent', 'last_data_recv', 'last_ack_recv', 'last_ack_sent'];
const SENDING = ['snd_wnd', 'notsent_bytes', 'unacked', 'bytes_sent', 'bytes_acked', 'delivered'];
/** Data comes in full segments, and is read at once. */
async function stream(talk: Talk, fd: number, segments: number): Promise<void> {
  for (let i = 0; i < segments; i++) {
    await talk.peer('.', { data: 1448, ts: 1010 + i });
    await talk.read(fd);
  }
}

/** TCP_INFO of windows, buffers and times. */
export const WINDOW_INFOS: readonly Exchange[] = [
  {
    name: 'TCP_INFO: what a receiver expects, who was called',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8350, SYN, 30);
      await talk.info(fd, [...SPACE, ...WINDOW]);
      await stream(talk, fd, 3);
      await talk.info(fd, SPACE);
    },
  },
  {
    name: 'TCP_INFO: what a receiver expects, who has called',
    deviceMemory: true,
    async run(talk) {
      const fd = await talk.connected(SYN, 30);
      await talk.info(fd, [...SPACE, ...WINDOW]);
      await stream(talk, fd, 3);
      await talk.info(fd, SPACE);
    },
  },
  {
    name: 'TCP_INFO: what a receiver expects, without timestamps, with a buffer of its own',
    async run(talk) {
      const listener = await talk.socket('L');
      await talk.setOption(listener, 1, 8, 20_000);
      await talk.setOption(listener, 1, 2, 1);
      await talk.bind(listener, 8351);
      await talk.call('listen', { fd: listener, backlog: 2 });
      talk.port = 8351;
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.info(fd, [...SPACE, ...WINDOW]);
    },
  },
  {
    name: 'TCP_INFO: what waits behind a window, and a FIN behind it',
    async run(talk) {
      const [fd] = await talk.served(8352, { mss: 1000, win: 2000 }, 30);
      await talk.offer(2000);
      await talk.info(fd, SENDING);
      await talk.write(fd, 5000);
      await talk.info(fd, SENDING);
      await talk.shutdown(fd, 1);
      await talk.info(fd, SENDING);
      await talk.peer('.', { ack: 2001 });
      await talk.info(fd, SENDING);
      await talk.peer('.', { ack: 4001 });
      await talk.info(fd, ['state', ...SENDING]);
      await talk.peer('.', { ack: 5002, win: 0 });
      await talk.info(fd, ['state', ...SENDING]);
    },
  },
  {
    name: "TCP_INFO: times, with the peer's window as the limit",
    async run(talk) {
      const [fd] = await talk.served(8353, { mss: 1000, win: 2000 }, 30);
      await talk.offer(2000);
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
      await talk.write(fd, 500);
      await talk.peer('.');
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
      await talk.peer('P.', { data: 10 });
      await talk.write(fd, 5000);
      await talk.peer('.');
      await talk.offer(0);
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
      await talk.offer(20_000);
      await talk.peer('.');
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
    },
  },
  {
    name: 'TCP_INFO: times, with the send buffer as the limit',
    async run(talk) {
      const [fd] = await talk.served(8354, { mss: 1000 }, 250);
      await talk.setOption(fd, 1, 7, 4608);
      await talk.write(fd, 10_000);
      await talk.write(fd, 10_000);
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
      await talk.peer('.');
      await talk.pass(200);
      await talk.times(fd, [...LIMITS, ...TIMES]);
    },
  },
  {
    name: 'TCP_INFO: a retransmission is data that was sent',
    async run(talk) {
      const [fd] = await talk.served(8355, { mss: 1000 }, 30);
      await talk.write(fd, 100);
      await talk.pass(350);
      await talk.info(fd, ['retransmits', 'total_retrans', 'bytes_retrans', 'bytes_sent']);
      await talk.times(fd, TIMES);
    },
  },
];
