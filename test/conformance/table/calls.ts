import type { Message } from '../support/backend';

/** Whom a call is for. */
export interface Place {
  fd: number;
  /** The stack's and the peer's address, and the port that both have in this conversation. */
  local: string;
  remote: string;
  port: number;
}

/** One call of a program. */
export interface Call {
  op: string;
  members(place: Place): Message;
}

const TEN = Buffer.from('0123456789');
const NO_DATA = Buffer.alloc(0);
const FLAGS = {
  OOB: 1,
  PEEK: 2,
  DONTROUTE: 4,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  ZEROCOPY: 0x400_0000,
};

const simple = (op: string, members: Message = {}): Call => ({
  op,
  members: ({ fd }) => ({ fd, ...members }),
});

const reading = (len: number, flags = 0, op = 'recv'): Call =>
  simple(op, { len, flags, ctrllen: 64 });

const sending = (bytes: Buffer, flags = 0, op = 'send'): Call =>
  simple(op, { len: bytes.length, flags, data: bytes.toString('base64') });

function binding(address: (place: Place) => string, shift: number): Call {
  return {
    op: 'bind',
    members: (place) => ({
      ...{ fd: place.fd, family: 4, addr: address(place) },
      port: shift < 0 ? 0 : place.port + shift,
    }),
  };
}

function connecting(address: (place: Place) => string, shift: number): Call {
  return {
    op: 'connect',
    members: (place) => ({
      ...{ fd: place.fd, family: 4, addr: address(place), port: place.port + shift },
    }),
  };
}

const sendingTo: Call = {
  op: 'sendto',
  members: ({ fd, remote, port }) => ({
    ...{ fd, family: 4, addr: remote, port, flags: 0, len: 10, data: TEN.toString('base64') },
  }),
};

const local = (place: Place): string => place.local;
const remote = (place: Place): string => place.remote;

const int = (value: number): Buffer => {
  const raw = Buffer.alloc(4);
  raw.writeInt32LE(value);
  return raw;
};
const twoInts = (first: number, second: number): Buffer => Buffer.concat([int(first), int(second)]);
const timeval = (seconds: number): Buffer => {
  const raw = Buffer.alloc(16);
  raw.writeBigInt64LE(BigInt(seconds));
  return raw;
};

/** Options with their level, number and a value for setsockopt; null: it can only be read. */
const OPTIONS: readonly (readonly [string, number, number, Buffer | null, number?])[] = [
  ['SO_REUSEADDR', 1, 2, int(1)],
  ['SO_TYPE', 1, 3, null],
  ['SO_ERROR', 1, 4, null],
  ['SO_SNDBUF', 1, 7, int(20_000)],
  ['SO_RCVBUF', 1, 8, int(20_000)],
  ['SO_KEEPALIVE', 1, 9, int(1)],
  ['SO_OOBINLINE', 1, 10, int(1)],
  ['SO_LINGER', 1, 13, twoInts(1, 0)],
  ['SO_REUSEPORT', 1, 15, int(1)],
  ['SO_RCVLOWAT', 1, 18, int(5)],
  ['SO_RCVTIMEO', 1, 20, timeval(1)],
  ['SO_SNDTIMEO', 1, 21, timeval(1)],
  ['SO_ACCEPTCONN', 1, 30, null],
  ['SO_PROTOCOL', 1, 38, null],
  ['SO_DOMAIN', 1, 39, null],
  ['TCP_NODELAY', 6, 1, int(1)],
  ['TCP_MAXSEG', 6, 2, int(1000)],
  ['TCP_CORK', 6, 3, int(1)],
  ['TCP_KEEPIDLE', 6, 4, int(10)],
  ['TCP_KEEPINTVL', 6, 5, int(10)],
  ['TCP_KEEPCNT', 6, 6, int(3)],
  ['TCP_SYNCNT', 6, 7, int(3)],
  ['TCP_LINGER2', 6, 8, int(10)],
  ['TCP_DEFER_ACCEPT', 6, 9, int(3)],
  ['TCP_WINDOW_CLAMP', 6, 10, int(5000)],
  ['TCP_QUICKACK', 6, 12, int(0)],
  ['TCP_CONGESTION', 6, 13, Buffer.from('cubic'), 16],
  ['TCP_USER_TIMEOUT', 6, 18, int(60_000)],
  ['TCP_NOTSENT_LOWAT', 6, 25, int(1)],
  ['TCP_INQ', 6, 36, int(1)],
  ['IP_TOS', 0, 1, int(0x10)],
  ['IP_TTL', 0, 2, int(33)],
  ['IP_MTU_DISCOVER', 0, 10, int(0)],
  ['IP_RECVERR', 0, 11, int(1)],
  ['IP_MTU', 0, 14, null],
  ['no such option', 6, 999, int(1)],
];

function optionCalls(): [string, Call][] {
  const calls: [string, Call][] = [];
  for (const [name, level, opt, value, length] of OPTIONS) {
    const optlen = length ?? value?.length ?? 4;
    calls.push([`getsockopt ${name}`, simple('getsockopt', { level, opt, optlen })]);
    if (value === null) continue;
    const raw = value.toString('base64');
    const set = simple('setsockopt', { level, opt, optlen: value.length, raw });
    calls.push([`setsockopt ${name}`, set]);
  }
  return calls;
}

const IOCTLS = { SIOCINQ: 0x541b, SIOCOUTQ: 0x5411, SIOCOUTQNSD: 0x894b, SIOCATMARK: 0x8905 };

/** Every call of a program on one socket, by name. */
export const CALLS: Readonly<Record<string, Call>> = {
  'bind to an address of ours': binding(local, 1),
  'bind to the wildcard, any port': binding(() => '0.0.0.0', -1),
  'bind to an address of others': binding(remote, 0),
  connect: connecting(remote, 0),
  'connect elsewhere': connecting(remote, 1),
  'connect to nowhere': connecting(() => '203.0.113.1', 0),
  'connect to a multicast address': connecting(() => '224.0.0.1', 0),
  'connect to AF_UNSPEC': simple('connect', { family: 0, addr: '0.0.0.0', port: 0 }),
  listen: simple('listen', { backlog: 4 }),
  'listen, backlog -1': simple('listen', { backlog: -1 }),
  accept: simple('accept'),
  'recv 4': reading(4),
  'recv 100': reading(100),
  'recvmsg 0': reading(0, 0, 'recvmsg'),
  'recvmsg 0 MSG_PEEK': reading(0, FLAGS.PEEK, 'recvmsg'),
  'recv MSG_PEEK': reading(100, FLAGS.PEEK),
  'recv MSG_OOB': reading(1, FLAGS.OOB),
  'recvmsg 0 MSG_OOB': reading(0, FLAGS.OOB, 'recvmsg'),
  'recv MSG_OOB|MSG_PEEK': reading(1, FLAGS.OOB | FLAGS.PEEK),
  'recv MSG_DONTWAIT': reading(100, FLAGS.DONTWAIT),
  'recv MSG_WAITALL': reading(100, FLAGS.WAITALL),
  'recv MSG_WAITALL|MSG_PEEK': reading(100, FLAGS.WAITALL | FLAGS.PEEK),
  'recv MSG_TRUNC': reading(4, FLAGS.TRUNC | FLAGS.DONTWAIT),
  'recv MSG_ERRQUEUE': reading(4, FLAGS.ERRQUEUE),
  recvmsg: reading(4, 0, 'recvmsg'),
  'recvmsg MSG_OOB': reading(4, FLAGS.OOB, 'recvmsg'),
  'send 10': sending(TEN),
  'send 0': sending(NO_DATA),
  'send MSG_OOB': sending(TEN, FLAGS.OOB),
  'send MSG_OOB 0': sending(NO_DATA, FLAGS.OOB),
  'send MSG_MORE': sending(TEN, FLAGS.MORE),
  'send MSG_NOSIGNAL': sending(TEN, FLAGS.NOSIGNAL),
  'send MSG_DONTWAIT': sending(TEN, FLAGS.DONTWAIT),
  'send MSG_DONTROUTE': sending(TEN, FLAGS.DONTROUTE),
  'send MSG_EOR': sending(TEN, FLAGS.EOR),
  'send MSG_ZEROCOPY': sending(TEN, FLAGS.ZEROCOPY),
  'sendto with an address': sendingTo,
  sendmsg: sending(TEN, 0, 'sendmsg'),
  'shutdown RD': simple('shutdown', { how: 0 }),
  'shutdown WR': simple('shutdown', { how: 1 }),
  'shutdown RDWR': simple('shutdown', { how: 2 }),
  'shutdown 3': simple('shutdown', { how: 3 }),
  'shutdown -1': simple('shutdown', { how: -1 }),
  ...Object.fromEntries(
    Object.entries(IOCTLS).map(([name, req]) => [`ioctl ${name}`, simple('ioctl', { name, req })]),
  ),
  'ioctl unknown': simple('ioctl', { name: 'unknown', req: 0x7777 }),
  poll: { op: 'poll', members: ({ fd }) => ({ timeout: 0, fds: [[fd, 0x21df]] }) },
  'poll for POLLIN': { op: 'poll', members: ({ fd }) => ({ timeout: 0, fds: [[fd, 1]] }) },
  'fcntl F_GETFL': simple('fcntl', { cmd: 'F_GETFL' }),
  'getsockopt TCP_INFO': simple('getsockopt', { level: 6, opt: 11, optlen: 280 }),
  ...Object.fromEntries(optionCalls()),
  close: simple('close'),
};
