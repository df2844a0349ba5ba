import type { Exchange, Talk } from '../support/exchange';

const IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IP_LOCAL_PORT_RANGE = 51;
const IP_MTU_DISCOVER = 10;

/** The ephemeral ports from `first` to `last`, as the option has them. */
function range(first: number, last: number): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt16LE(first, 0);
  value.writeUInt16LE(last, 2);
  return value;
}

async function socketOn(talk: Talk, name: string, port: number): Promise<number> {
  const fd = await talk.socket(name);
  await talk.setOption(fd, IP, IP_BIND_ADDRESS_NO_PORT, 1);
  await talk.setOption(fd, IP, IP_LOCAL_PORT_RANGE, range(port, port));
  return fd;
}

/** Local ports that are not named. */
export const PORTS_CHOSEN: readonly Exchange[] = [
  {
    name: 'IP_LOCAL_PORT_RANGE and IP_BIND_ADDRESS_NO_PORT: values, and what is refused',
    async run(talk) {
      const fd = await talk.socket();
      for (const value of [range(200, 100), range(100, 200), range(0, 7), range(7, 0)]) {
        await talk.setOption(fd, IP, IP_LOCAL_PORT_RANGE, value);
        await talk.getOption(fd, IP, IP_LOCAL_PORT_RANGE);
      }
      await talk.setOption(fd, IP, IP_LOCAL_PORT_RANGE, Buffer.alloc(2));
      await talk.setOption(fd, IP, IP_BIND_ADDRESS_NO_PORT, 5);
      await talk.getOption(fd, IP, IP_BIND_ADDRESS_NO_PORT);
      await talk.setOption(fd, IP, IP_MTU_DISCOVER, 9);
    },
  },
  {
    name: 'bind without a port: listen and connect take one of the range',
    async run(talk) {
      const first = await socketOn(talk, 'A', 45_100);
      await talk.bind(first, 0);
      await talk.bind(first, 0);
      await talk.call('listen', { fd: first, backlog: 1 });
      await talk.bind(first, 0);
      const second = await socketOn(talk, 'B', 45_100);
      await talk.connect(second);
      const third = await socketOn(talk, 'C', 45_101);
      await talk.bind(third, 0);
      await talk.connect(third);
      await talk.peer('S.', { mss: 1000 });
      const fourth = await socketOn(talk, 'D', 45_101);
      await talk.connect(fourth);
      await talk.setOption(fourth, IP, IP_BIND_ADDRESS_NO_PORT, 0);
      await talk.bind(fourth, 0);
    },
  },
  {
    name: 'TIME-WAIT is taken over by another connection of ours: its SYN echoes a timestamp',
    sysctls: { 'net.ipv4.tcp_tw_reuse': '1', 'net.ipv4.tcp_tw_reuse_delay': '200' },
    async run(talk) {
      const fd = await socketOn(talk, 'A', 45_102);
      await talk.connect(fd);
      await talk.peer('S.', { mss: 1000, ts: 1000 });
      await talk.close(fd);
      await talk.peer('F.');
      const next = await socketOn(talk, 'B', 45_102);
      await talk.connect(next);
      await talk.pass(400);
      await talk.connect(next);
    },
  },
];
