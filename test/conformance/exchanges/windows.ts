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
];
