import type { Exchange, Talk } from '../support/exchange';

const IN = 0x1;
const OUT = 0x4;
const RDHUP = 0x2000;
const ET = 1 << 31;
const ONESHOT = 1 << 30;

/** Poll results in each state, and epoll's two triggers. */
export const POLLS: readonly Exchange[] = [
  {
    name: 'poll results from SYN-SENT to TIME-WAIT',
    async run(talk) {
      const fd = await talk.socket();
      await talk.poll(fd);
      await talk.connect(fd);
      await talk.poll(fd);
      await talk.peer('S.', { mss: 1000 });
      await talk.poll(fd);
      await talk.poll(fd, IN);
      await talk.peer('P.', { data: 1 });
      await talk.poll(fd);
      await talk.read(fd);
      await talk.shutdown(fd, 1);
      await talk.poll(fd);
      await talk.peer('.');
      await talk.poll(fd);
      await talk.peer('F.');
      await talk.pass(50);
      await talk.poll(fd);
      await talk.poll(fd, 0);
    },
  },
  {
    name: 'poll that waits',
    async run(talk) {
      const [fd] = await talk.served(8090);
      const reading = await talk.begin('poll', { timeout: 2000, fds: [[fd, IN | RDHUP]] });
      await talk.pass(80);
      await talk.peer('P.', { data: 3 });
      await reading.end();
      await talk.read(fd);
      const ending = await talk.begin('poll', { timeout: -1, fds: [[fd, RDHUP]] });
      await talk.peer('P.', { data: 3 });
      await talk.pass(50);
      await talk.peer('F.');
      await talk.pass(50);
      await ending.end();
      await talk.call(
        'poll',
        {
          timeout: 0,
          fds: [
            [fd, IN],
            [999, IN],
          ],
        },
        'poll of two',
      );
    },
  },
  {
    name: 'epoll, level-triggered',
    async run(talk) {
      const [fd, listener] = await talk.served(8091);
      const set = await epoll(talk);
      await control(talk, set, 1, fd, IN);
      await control(talk, set, 1, fd, IN);
      await control(talk, set, 3, listener, IN);
      await control(talk, set, 2, listener, 0);
      await wait(talk, set);
      await talk.peer('P.', { data: 10 });
      await wait(talk, set);
      await wait(talk, set);
      await talk.read(fd);
      await wait(talk, set);
      await control(talk, set, 3, fd, IN | OUT | RDHUP);
      await wait(talk, set);
      await talk.peer('F.');
      await talk.pass(50);
      await wait(talk, set);
      await control(talk, set, 2, fd, 0);
      await wait(talk, set);
    },
  },
  {
    name: 'epoll, edge-triggered and one-shot',
    async run(talk) {
      const [fd, listener] = await talk.served(8092);
      const set = await epoll(talk);
      await control(talk, set, 1, fd, IN | OUT | RDHUP | ET);
      await wait(talk, set);
      await wait(talk, set);
      await talk.peer('P.', { data: 10 });
      await wait(talk, set);
      await wait(talk, set);
      await talk.read(fd, 4);
      await wait(talk, set);
      await talk.peer('P.', { data: 10 });
      await wait(talk, set);
      await talk.read(fd);
      await control(talk, set, 3, fd, IN | ONESHOT);
      await wait(talk, set);
      await talk.peer('P.', { data: 10 });
      await wait(talk, set);
      await wait(talk, set);
      await control(talk, set, 3, fd, IN | ONESHOT);
      await wait(talk, set);
      await control(talk, set, 1, listener, IN | ET);
      talk.next();
      await talk.peer('S', { mss: 1000 });
      await talk.peer('.');
      await wait(talk, set);
      await wait(talk, set);
    },
  },
  {
    name: 'epoll that waits, an error',
    async run(talk) {
      const fd = await talk.socket();
      const set = await epoll(talk);
      await control(talk, set, 1, fd, IN | OUT);
      await wait(talk, set);
      await talk.connect(fd);
      const waiting = await talk.begin('epoll_wait', { epfd: set, max: 4, timeout: 1000 });
      await talk.pass(60);
      await talk.peer('R.', { seq: 0, ack: 1 });
      await waiting.end();
      await talk.error(fd);
      await wait(talk, set);
      const vain = await talk.begin('epoll_wait', {
        epfd: await epoll(talk),
        max: 1,
        timeout: 100,
      });
      await talk.pass(250);
      await vain.end();
    },
  },
];

async function epoll(talk: Talk): Promise<number> {
  return talk.handle('E', 'epoll_create', { size: 1 });
}

async function control(talk: Talk, epfd: number, ctl: number, fd: number, events: number) {
  await talk.call('epoll_ctl', { epfd, ctl, fd, events: events >>> 0, data: ctl + 70 });
}

async function wait(talk: Talk, epfd: number): Promise<void> {
  await talk.call('epoll_wait', { epfd, max: 8, timeout: 0 });
}
