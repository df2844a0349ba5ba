import type { Backend } from '../support/backend';

/** An option is read into so much room (`value` null), or set to a value of so many bytes. */
export interface Try {
  level: number;
  option: number;
  value: string | null;
  length: number;
}

const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;
const LENGTHS = [0, 1, 2, 3, 4, 5, 8, 16, -1, MIN, MAX];
/** What options.py has room for. */
const ROOM = 64;

const hexOf = (value: number): string => {
  const raw = Buffer.alloc(4);
  raw.writeInt32LE(value);
  return raw.toString('hex');
};
const two = (first: number, second: number): string => hexOf(first) + hexOf(second);
const timeval = (seconds: number, us: number): string => {
  const raw = Buffer.alloc(16);
  raw.writeBigInt64LE(BigInt(seconds));
  raw.writeBigInt64LE(BigInt(us), 8);
  return raw.toString('hex');
};
const text = (name: string): string => Buffer.from(name).toString('hex');
const ints = (...values: number[]): string[] =>
  [...new Set([0, 1, -1, MIN, MAX, ...values])].map(hexOf);

const SWITCH = ints(2);
const TIMES = [
  ...[timeval(0, 0), timeval(1, 0), timeval(0, 999_999), timeval(0, 1_000_000)],
  ...[timeval(-1, 0), timeval(0, -1), timeval(2 ** 40, 5)],
];
const LINGERS = [two(0, 0), two(1, 0), two(0, 5), two(1, 5), two(2, 1), two(1, -1), two(1, MAX)];
const NAMES = ['', 'reno', 'cubic', 'nosuch', 'reno\0xx', 'RENO', 'a name of 16 byt', ' reno'];

/** Level, number, and values to be set. */
const OPTIONS: Readonly<Record<string, readonly [number, number, readonly string[]]>> = {
  SO_REUSEADDR: [1, 2, SWITCH],
  SO_TYPE: [1, 3, [hexOf(1)]],
  SO_ERROR: [1, 4, [hexOf(1)]],
  SO_SNDBUF: [1, 7, ints(2303, 2304, 2305, 65_536, 4_194_304, 4_194_305)],
  SO_RCVBUF: [1, 8, ints(1151, 1152, 1153, 65_536, 4_194_304, 4_194_305)],
  SO_KEEPALIVE: [1, 9, SWITCH],
  SO_OOBINLINE: [1, 10, SWITCH],
  SO_LINGER: [1, 13, LINGERS],
  SO_REUSEPORT: [1, 15, SWITCH],
  SO_RCVLOWAT: [1, 18, ints(2)],
  SO_RCVTIMEO: [1, 20, TIMES],
  SO_SNDTIMEO: [1, 21, TIMES],
  SO_ACCEPTCONN: [1, 30, [hexOf(1)]],
  SO_PROTOCOL: [1, 38, [hexOf(6)]],
  SO_DOMAIN: [1, 39, [hexOf(2)]],
  TCP_NODELAY: [6, 1, SWITCH],
  TCP_MAXSEG: [6, 2, ints(87, 88, 89, 32_767, 32_768)],
  TCP_CORK: [6, 3, SWITCH],
  TCP_KEEPIDLE: [6, 4, ints(32_767, 32_768)],
  TCP_KEEPINTVL: [6, 5, ints(32_767, 32_768)],
  TCP_KEEPCNT: [6, 6, ints(127, 128)],
  TCP_SYNCNT: [6, 7, ints(127, 128)],
  TCP_LINGER2: [6, 8, ints(60, 120, 121)],
  TCP_DEFER_ACCEPT: [6, 9, ints(2, 3, 4, 64, 255)],
  TCP_WINDOW_CLAMP: [6, 10, ints(1151, 1152, 1153, 65_536)],
  TCP_QUICKACK: [6, 12, SWITCH],
  TCP_CONGESTION: [6, 13, NAMES.map(text)],
  TCP_USER_TIMEOUT: [6, 18, ints(2)],
  TCP_NOTSENT_LOWAT: [6, 25, ints(2)],
  TCP_INQ: [6, 36, ints(2)],
  IP_TOS: [0, 1, ints(2, 3, 255, 256)],
  IP_TTL: [0, 2, ints(-2, 255, 256)],
  IP_MTU_DISCOVER: [0, 10, ints(2, 3, 4, 5, 6)],
  IP_RECVERR: [0, 11, SWITCH],
  IP_MTU: [0, 14, [hexOf(1500)]],
  'no such option of TCP': [6, 999, [hexOf(1)]],
  'no such option of IP': [0, 999, [hexOf(1)]],
  'no such option': [1, 999, [hexOf(1)]],
  'no such level': [77, 1, [hexOf(1)]],
};

/** What is tried with each option, by its name and how it is tried. */
export const TRIES = new Map<string, Map<string, Try>>();
for (const [name, [level, option, values]] of Object.entries(OPTIONS)) {
  const row = new Map<string, Try>();
  for (const length of LENGTHS) {
    row.set(`get ${length} bytes`, { level, option, value: null, length });
    const one = values.at(1) ?? values[0];
    row.set(`set ${length} bytes of ${one}`, { level, option, value: one, length });
  }
  for (const value of values) {
    const length = value.length / 2;
    row.set(`set ${length} bytes of ${value}`, { level, option, value, length });
  }
  TRIES.set(name, row);
}

export function tryOf([name, how]: readonly [string, string]): Try {
  const one = TRIES.get(name)?.get(how);
  if (one === undefined) throw new Error(`${name} isn't tried so: ${how}`);
  return one;
}

/** As options.py does it. */
export async function tryOption(backend: Backend, one: Try): Promise<string> {
  const { level, option: opt, value, length } = one;
  const { ret: fd } = await backend.request('socket', { domain: 4, type: 1, nonblock: 1 });
  const get = async (optlen: number): Promise<string> => {
    const { ret, errno, raw } = await backend.request('getsockopt', { fd, level, opt, optlen });
    if (ret !== 0) return String(errno);
    return Buffer.from(String(raw), 'base64').toString('hex') || 'nothing';
  };
  let answer: string;
  if (value === null) answer = await get(length);
  else {
    const bytes = Buffer.alloc(
      ROOM,
      Buffer.concat([Buffer.from(value, 'hex'), Buffer.alloc(ROOM)]),
    );
    const raw = bytes.subarray(0, Math.max(Math.min(length, ROOM), 0)).toString('base64');
    const members = { fd, level, opt, optlen: length, raw };
    const { ret, errno } = await backend.request('setsockopt', members);
    answer = ret === 0 ? `set, ${await get(ROOM)}` : String(errno);
  }
  await backend.request('close', { fd });
  return answer;
}
