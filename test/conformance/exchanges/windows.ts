import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, wscale: 7 };

/** A connection whose listener has set SO_RCVBUF. */
async function served(talk: Talk, port: number, receiveBuffer: number): Promise<number> {
  const listener = await talk.socket('L');
  await talk.setOption(listener, 1, 8, receiveBuffer);
  await talk.setOption(listener, 1, 2, 1);
  await talk.bind(listener, port);
  await talk.call('listen', { fd: listener, backlog: 2 });
  talk.port = port;
  await talk.peer('S', SYN);
  await talk.peer('.');
  return talk.accept(listener);
}

/** What buffers hold, and what windows keep out. */
export const WINDOWS: readonly Exchange[] = [
  {
    name: 'segments that reach beyond the window, and a FIN behind it',
    async run(talk) {
      const fd = await served(talk, 8300, 10_000);
      await talk.peer('P.', { data: 4000 });
      await talk.peer('P.', { seq: 4001, data: 50_000 });
      await talk.peer('P.', { seq: 5001, data: 50_000 });
      await talk.peer('P.', { seq: 70_001, data: 10_000 });
      await talk.peer('P.', { seq: 4001, data: 6000 });
      await talk.peer('FP.', { seq: 4001, data: 5000 });
      await talk.read(fd);
      await talk.peer('P.', { seq: 4001, data: 50_000 });
      await talk.peer('P.', { seq: 54_001, data: 100 });
      await talk.peer('.', { seq: 54_001 });
      await talk.peer('F.', { seq: 54_001 });
      await talk.read(fd, 100_000);
      await talk.read(fd, 100_000);
    },
  },
  {
    name: 'what a send buffer takes',
    async run(talk) {
      const listener = await talk.socket('L');
      await talk.setOption(listener, 1, 7, 10_000);
      await talk.setOption(listener, 1, 2, 1);
      await talk.bind(listener, 8301);
      await talk.call('listen', { fd: listener, backlog: 2 });
      talk.port = 8301;
      await talk.peer('S', { mss: 1000 });
      await talk.pass(100);
      await talk.peer('.');
      const fd = await talk.accept(listener);
      await talk.getOption(fd, 1, 7);
      for (let i = 0; i < 12; i++) await talk.write(fd, 5000);
      await talk.poll(fd);
      await talk.call('ioctl', { fd, name: 'SIOCOUTQ', req: 0x5411 });
    },
  },
  {
    name: 'the send buffer of a connection, before and after',
    async run(talk) {
      const fd = await talk.connected(SYN, 50);
      await talk.getOption(fd, 1, 7);
      await talk.getOption(fd, 6, 25);
      await talk.setOption(fd, 1, 7, 30_000);
      await talk.getOption(fd, 1, 7);
    },
  },
  {
    name: 'TCP_NOTSENT_LOWAT',
    async run(talk) {
      const [fd] = await talk.served(8302, { mss: 1000 }, 50);
      await talk.setOption(fd, 6, 25, 5000);
      await talk.getOption(fd, 6, 25);
      await talk.write(fd, 10_000);
      await talk.poll(fd);
      await talk.write(fd, 2000);
      await talk.poll(fd);
      await talk.write(fd, 1000);
      await talk.poll(fd);
    },
  },
  {
    name: 'SO_RCVLOWAT, TCP_QUICKACK, TCP_WINDOW_CLAMP',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8303, { mss: 1000 }, 50);
      await talk.setOption(fd, 1, 18, 500);
      await talk.getOption(fd, 1, 18);
      await talk.peer('P.', { data: 400 });
      await talk.poll(fd);
      await talk.peer('P.', { data: 200 });
      await talk.poll(fd);
      await talk.setOption(fd, 1, 18, 1);
      await talk.read(fd);
      await talk.getOption(fd, 6, 12);
      await talk.setOption(fd, 6, 12, 0);
      await talk.getOption(fd, 6, 12);
      await talk.peer('P.', { data: 100 });
      await talk.read(fd);
      await talk.setOption(fd, 6, 12, 1);
      await talk.getOption(fd, 6, 12);
      await talk.setOption(fd, 6, 10, 3000);
      await talk.getOption(fd, 6, 10);
      await talk.setOption(fd, 6, 10, 100);
      await talk.getOption(fd, 6, 10);
      await talk.setOption(fd, 6, 10, 0);
    },
  },
];
