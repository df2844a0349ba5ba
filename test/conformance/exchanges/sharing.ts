import type { Exchange, Talk } from '../support/exchange';

const SOCKET = 1;
const IPV6 = 41;
const V6ONLY = 26;
const REUSEADDR = 2;
const REUSEPORT = 15;

/** None, SO_REUSEADDR, SO_REUSEPORT, both. */
const OPTIONS = [[], [REUSEADDR], [REUSEPORT], [REUSEADDR, REUSEPORT]] as const;

interface Place {
  domain: 4 | 6;
  addr: string;
  only?: boolean;
}

const ANY4: Place = { domain: 4, addr: '0.0.0.0' };
const ONE4: Place = { domain: 4, addr: '192.168.0.1' };
const ANY6: Place = { domain: 6, addr: '::' };
const ONLY6: Place = { domain: 6, addr: '::', only: true };

async function place(talk: Talk, name: string, options: readonly number[], at: Place) {
  const { domain, addr, only } = at;
  const fd = await talk.handle(name, 'socket', { domain, type: 1, nonblock: 1, protocol: 0 });
  for (const option of options) await talk.setOption(fd, SOCKET, option, 1);
  if (only === true) await talk.setOption(fd, IPV6, V6ONLY, 1);
  return { fd, family: domain, addr };
}

/** Whether a second socket may be bound, and listen, where a first one is, or listens. */
function sharing(first: Place, second: Place, port: number): Exchange {
  const title = ({ addr, only }: Place): string => (only === true ? `${addr} alone` : addr);
  return {
    name: `who may share a port: ${title(first)} and ${title(second)}`,
    async run(talk) {
      let at = port;
      for (const [i, mine] of OPTIONS.entries()) {
        for (const [j, yours] of OPTIONS.entries()) {
          for (const listens of [false, true]) {
            at++;
            const a = await place(talk, `A${i}${j}`, mine, first);
            await talk.call('bind', { ...a, port: at });
            if (listens) await talk.call('listen', { fd: a.fd, backlog: 5 });
            const b = await place(talk, `B${i}${j}`, yours, second);
            await talk.call('bind', { ...b, port: at });
            await talk.call('listen', { fd: b.fd, backlog: 5 });
            if (!listens) await talk.call('listen', { fd: a.fd, backlog: 5 });
            await talk.close(a.fd);
            await talk.close(b.fd);
          }
        }
      }
    },
  };
}

/** bind(2) and listen(2) with SO_REUSEADDR and SO_REUSEPORT in every combination. */
export const SHARING: readonly Exchange[] = [
  sharing(ONE4, ONE4, 8600),
  sharing(ANY4, ONE4, 8700),
  sharing(ONE4, ANY4, 8800),
  sharing(ANY6, ANY4, 8900),
  sharing(ANY4, ANY6, 9100),
  sharing(ONLY6, ANY4, 9200),
];
