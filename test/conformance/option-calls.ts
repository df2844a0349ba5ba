import { isIpv4 } from '../../lib/core/ip/address';
import { BindNoPort, SocketOption } from '../../lib/core/socket/options';
import { Has } from '../../lib/core/tcp/connection';
import { MAX_WINDOW, windowClamp as clampOf } from '../../lib/core/tcp/receive-window';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { Settings } from '../../lib/core/tcp/settings';
import { State } from '../../lib/core/tcp/state';
import { timestamp } from '../../lib/core/tcp/timestamps';
import { mssCache, type TcpInfo } from '../../lib/core/tcp/tcp-info';
import type { SocketFile } from './files';
import { Level } from './linux';
import type { Operation } from './operations';
import {
  inRange,
  INT,
  int,
  intOrByte,
  optionBytes,
  optionReply,
  readTimeout,
  writeTimeout,
} from './option-values';
import { CallError, check, type Reply, type Request } from './request';
import type { Session } from './session';
import { infoMembers } from './tcp-info';

/** An option of a socket; what has no `set` can only be read. */
interface SocketOptionCall {
  get(file: SocketFile, session: Session, optlen: number): number | Buffer | TcpInfo;
  set?(file: SocketFile, value: Buffer, session: Session): void;
}

const LINGER = 8;
/** net.core.rmem_max and wmem_max of Linux 6.18. */
const BUFFER_MAX = 4_194_304;
const LEAST_SEND_BUFFER = 4608;
const LEAST_RECEIVE_BUFFER = 2304;
const LEAST_MSS = 88;
const DEFAULT_MSS = 536;

/** An option that is on or off. */
function onOff(option: SocketOption): SocketOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option),
    set: ({ socket }, value) => check(socket.setOption(option, int(value) === 0 ? 0 : 1)),
  };
}

/** A number that the stack counts `unit` times as finely. */
function number(option: SocketOption, min: number, max: number, unit = 1): SocketOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option) / unit,
    set: ({ socket }, value) => {
      check(socket.setOption(option, inRange(int(value), min, max) * unit));
    },
  };
}

/** SO_SNDBUF and SO_RCVBUF: Linux doubles what it is told. @param share of it that is payload */
function buffer(option: SocketOption, least: number, share: number): SocketOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option) / share,
    set: ({ socket }, value) => {
      const wanted = Math.min(int(value) >>> 0, BUFFER_MAX);
      check(socket.setOption(option, Math.max(2 * wanted, least) * share));
    },
  };
}

/** SO_RCVTIMEO and SO_SNDTIMEO. */
function timeout(member: 'receiveTimeout' | 'sendTimeout'): SocketOptionCall {
  return {
    get: (file) => writeTimeout(file[member]),
    set: (file, value) => {
      file[member] = readTimeout(value);
    },
  };
}

const linger: SocketOptionCall = {
  get: ({ socket }) => {
    const ms = socket.getOption(SocketOption.Linger);
    const raw = Buffer.alloc(LINGER);
    raw.writeInt32LE(ms < 0 ? 0 : 1, 0);
    raw.writeInt32LE(Math.max(ms, 0) / 1000, 4);
    return raw;
  },
  set: ({ socket }, value) => {
    if (value.length < LINGER) throw new CallError('EINVAL');
    const ms = Math.min(value.readUInt32LE(4), 2 ** 21) * 1000;
    check(socket.setOption(SocketOption.Linger, value.readInt32LE(0) === 0 ? -1 : ms));
  },
};

/** TCP_LINGER2; 0 asks for what the stack has. */
const linger2: SocketOptionCall = {
  get: ({ socket }, session) => {
    const ms = socket.getOption(SocketOption.Linger2);
    return ms < 0 ? -1 : (ms || session.host.core.tcp.settings.finTimeout) / 1000;
  },
  set: ({ socket }, value) => {
    const seconds = int(value);
    check(socket.setOption(SocketOption.Linger2, seconds < 0 ? -1 : Math.min(seconds, 120) * 1000));
  },
};

const maxSegment: SocketOptionCall = {
  get: ({ socket }) => {
    const asked = socket.getOption(SocketOption.MaxSegment);
    const idle = socket.state === State.CLOSED || socket.state === State.LISTEN;
    if (idle && asked !== 0) return asked;
    return socket.status === null ? DEFAULT_MSS : mssCache(socket.status);
  },
  set: ({ socket }, value) => {
    const wanted = int(value);
    if (wanted !== 0) inRange(wanted, LEAST_MSS, 32_767);
    check(socket.setOption(SocketOption.MaxSegment, wanted));
  },
};

const synCount: SocketOptionCall = {
  get: ({ socket }, session) =>
    socket.getOption(SocketOption.SynCount) || session.host.core.tcp.settings.synRetries,
  set: ({ socket }, value) => {
    check(socket.setOption(SocketOption.SynCount, inRange(int(value), 1, 127)));
  },
};

/** TCP_DEFER_ACCEPT: Linux counts the timeouts of a SYN+ACK that fit into so many seconds. */
const deferAccept: SocketOptionCall = {
  get: ({ socket }, session) =>
    timeoutSeconds(socket.getOption(SocketOption.DeferAccept), session.host.core.tcp.settings),
  set: ({ socket }, value, session) => {
    const seconds = int(value);
    const { settings } = session.host.core.tcp;
    let timeouts = 0;
    while (timeouts < 255 && timeoutSeconds(timeouts, settings) < seconds) timeouts++;
    check(socket.setOption(SocketOption.DeferAccept, timeouts));
  },
};

/** What so many timeouts take, each twice as long as the one before. */
function timeoutSeconds(timeouts: number, { rtoInitial, rtoMax }: Settings): number {
  let ms = 0;
  for (let i = 0; i < timeouts; i++) ms += Math.min(rtoInitial * 2 ** i, rtoMax);
  return ms / 1000;
}

/** The congestion control by name, of at most 15 characters. */
const congestion: SocketOptionCall = {
  get: ({ socket }) => {
    const raw = Buffer.alloc(16);
    raw.write(socket.congestion);
    return raw;
  },
  set: ({ socket }, value) => {
    if (value.length < 1) throw new CallError('EINVAL');
    const end = value.indexOf(0);
    const name = value.toString('latin1', 0, Math.min(end < 0 ? value.length : end, 15));
    check(socket.setCongestion(name));
  },
};

const UNLIMITED = 0xffff_ffff;

/** SO_MAX_PACING_RATE, in eight bytes, or in four, the most of which is no limit. */
const maxPacingRate: SocketOptionCall = {
  get: ({ socket }, _session, optlen) => {
    const rate = socket.getOption(SocketOption.MaxPacingRate);
    if (optlen < 8) return (rate === 0 ? UNLIMITED : Math.min(rate, UNLIMITED)) | 0;
    const raw = Buffer.alloc(8);
    raw.writeBigUInt64LE(rate === 0 ? 2n ** 64n - 1n : BigInt(rate));
    return raw;
  },
  set: ({ socket }, value) => {
    if (value.length < 4) throw new CallError('EINVAL');
    const isWide = value.length >= 8;
    const rate = isWide ? Number(value.readBigUInt64LE()) : value.readUInt32LE();
    const none = rate > Number.MAX_SAFE_INTEGER || (!isWide && rate === UNLIMITED);
    check(socket.setOption(SocketOption.MaxPacingRate, none ? 0 : Math.max(rate, 1)));
  },
};

/** IP_TTL and IPV6_UNICAST_HOPS; -1 is the stack's default. */
const ttl: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.Ttl),
  set: ({ socket }, value, session) => {
    if (value.length === 0) throw new CallError('EINVAL');
    const given = intOrByte(value);
    const wanted = given === -1 ? session.host.core.tcp.settings.ttl : inRange(given, 1, 255);
    check(socket.setOption(SocketOption.Ttl, wanted));
  },
};

/** IP_TOS and IPV6_TCLASS: the two bits of ECN are TCP's own. */
const trafficClass: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.TrafficClass),
  set: ({ socket }, value) => {
    const given = intOrByte(value);
    // To IPv6 it is what the stack has.
    const wanted = given === -1 && socket.domain === 6 ? 0 : given & 0xfc;
    check(socket.setOption(SocketOption.TrafficClass, inRange(wanted, 0, 255)));
  },
};

/** IP_BIND_ADDRESS_NO_PORT. */
const bindNoPort: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.BindNoPort) & BindNoPort.Asked,
  set: ({ socket }, value) => {
    const bound = socket.getOption(SocketOption.BindNoPort) & BindNoPort.Bound;
    const asked = intOrByte(value) === 0 ? 0 : BindNoPort.Asked;
    check(socket.setOption(SocketOption.BindNoPort, asked | bound));
  },
};

/** IP_LOCAL_PORT_RANGE: the first port in the low half, the last in the high; 0: no bound. */
const localPortRange: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.LocalPortRange) | 0,
  set: ({ socket }, value) => {
    if (value.length !== INT) throw new CallError('EINVAL');
    const first = value.readUInt16LE(0);
    const last = value.readUInt16LE(2);
    if (first !== 0 && last !== 0 && first > last) throw new CallError('EINVAL');
    check(socket.setOption(SocketOption.LocalPortRange, value.readUInt32LE(0)));
  },
};

/** IP_MTU and IPV6_MTU: of the path that the connection has. */
const mtu: SocketOptionCall = { get: ({ socket }) => check(socket.pathMtu) };

/** IP_MTU_DISCOVER and IPV6_MTU_DISCOVER. */
function mtuDiscover(option: SocketOption): SocketOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option),
    set: ({ socket }, value) => {
      check(socket.setOption(option, inRange(intOrByte(value), 0, 5)));
    },
  };
}

const ipv6Only: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.Ipv6Only),
  set: ({ socket }, value) => {
    if (socket.domain === 4) throw new CallError('ENOPROTOOPT');
    if (socket.localPort !== 0) throw new CallError('EINVAL');
    check(socket.setOption(SocketOption.Ipv6Only, int(value) === 0 ? 0 : 1));
  },
};

const receiveLowAt: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.ReceiveLowWater),
  set: ({ socket }, value, session) => {
    const wanted = int(value);
    const most = session.host.core.tcp.settings.receiveBufferMax / 2;
    const least = wanted < 0 ? most : Math.min(Math.max(wanted, 1), most);
    check(socket.setOption(SocketOption.ReceiveLowWater, least));
  },
};

/** TCP_NOTSENT_LOWAT: an unsigned number. */
const notSentLowWater: SocketOptionCall = {
  get: ({ socket }) => socket.getOption(SocketOption.NotSentLowWater) | 0,
  set: ({ socket }, value) => {
    check(socket.setOption(SocketOption.NotSentLowWater, int(value) >>> 0));
  },
};

/** TCP_QUICKACK: whether acknowledgments wait for data to ride on. */
const quickAck: SocketOptionCall = {
  get: ({ socket }) => Number(socket.status?.has(Has.PingPong) !== true),
  set: ({ socket }, value) => check(socket.setQuickAck(int(value))),
};

/** Whether the socket has left the connection that it had. */
export function isDisconnected({ status, pathMtu }: StreamSocket): boolean {
  return status !== null && status.row < 0 && pathMtu < 0;
}

/** TCP_WINDOW_CLAMP: 0 only before there is a connection. */
const windowClamp: SocketOptionCall = {
  get: ({ socket }) => {
    const asked = socket.getOption(SocketOption.WindowClamp);
    const c = socket.status;
    if (asked !== 0 || c === null || isDisconnected(socket)) return asked;
    // Until the handshake is over, all that can be announced.
    return c.cwnd === 0 ? MAX_WINDOW << c.rcvScale : clampOf(c);
  },
  set: ({ socket }, value) => {
    const wanted = int(value);
    if (wanted === 0 && socket.state !== State.CLOSED) throw new CallError('EINVAL');
    const clamp = wanted === 0 ? 0 : Math.max(wanted, LEAST_RECEIVE_BUFFER / 2);
    check(socket.setOption(SocketOption.WindowClamp, clamp));
  },
};

/** TCP_INQ. */
const inQueue: SocketOptionCall = {
  get: (file) => file.tellsQueue,
  set: (file, value) => {
    file.tellsQueue = inRange(int(value), 0, 1);
  },
};

/** TCP_TIMESTAMP: what the next segment would say; to be set only in repair mode. */
const timestampNow: SocketOptionCall = {
  get: ({ socket }, { now }) => timestamp(now, socket.status?.tsOffset ?? 0),
  set: () => {
    throw new CallError('EPERM');
  },
};

type OptionTable = Readonly<Record<number, SocketOptionCall>>;

const SOCKET_LEVEL: OptionTable = {
  2: onOff(SocketOption.ReuseAddress),
  3: { get: () => 1 },
  4: { get: ({ socket }) => socket.takeSoError() },
  7: buffer(SocketOption.SendBuffer, LEAST_SEND_BUFFER, 1),
  8: buffer(SocketOption.ReceiveBuffer, LEAST_RECEIVE_BUFFER, 1 / 2),
  9: onOff(SocketOption.KeepAlive),
  10: onOff(SocketOption.OobInline),
  13: linger,
  15: onOff(SocketOption.ReusePort),
  18: receiveLowAt,
  20: timeout('receiveTimeout'),
  21: timeout('sendTimeout'),
  30: { get: ({ socket }) => Number(socket.state === State.LISTEN) },
  32: buffer(SocketOption.SendBuffer, LEAST_SEND_BUFFER, 1),
  33: buffer(SocketOption.ReceiveBuffer, LEAST_RECEIVE_BUFFER, 1 / 2),
  38: { get: () => 6 },
  39: { get: ({ socket }) => (socket.domain === 4 ? 2 : 10) },
  47: maxPacingRate,
  66: timeout('receiveTimeout'),
  67: timeout('sendTimeout'),
};

const TCP_LEVEL: OptionTable = {
  1: onOff(SocketOption.NoDelay),
  2: maxSegment,
  3: onOff(SocketOption.Cork),
  4: number(SocketOption.KeepIdle, 1, 32_767, 1000),
  5: number(SocketOption.KeepInterval, 1, 32_767, 1000),
  6: number(SocketOption.KeepCount, 1, 127),
  7: synCount,
  8: linger2,
  9: deferAccept,
  11: { get: ({ socket }) => socket.tcpInfo() },
  13: congestion,
  10: windowClamp,
  12: quickAck,
  18: number(SocketOption.UserTimeout, 0, 2 ** 31 - 1),
  24: timestampNow,
  25: notSentLowWater,
  36: inQueue,
};

/** IP_RECVERR and IPV6_RECVERR. */
function receiveErrors(option: SocketOption): SocketOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option),
    set: ({ socket }, value) => {
      check(socket.setOption(option, intOrByte(value) === 0 ? 0 : 1));
    },
  };
}

const IP_LEVEL: OptionTable = {
  1: trafficClass,
  2: ttl,
  10: mtuDiscover(SocketOption.MtuDiscover),
  11: receiveErrors(SocketOption.ReceiveErrors),
  14: mtu,
  24: bindNoPort,
  51: localPortRange,
};
const IPV6_LEVEL: OptionTable = {
  16: ttl,
  23: mtuDiscover(SocketOption.MtuDiscover6),
  24: mtu,
  25: receiveErrors(SocketOption.ReceiveErrors6),
  26: ipv6Only,
  67: trafficClass,
};

/** @param isShort the value is too short for any that isn't known */
function find(file: SocketFile, level: number, option: number, isShort = false): SocketOptionCall {
  const table = tableOf(file, level);
  if (!Object.hasOwn(table, option)) throw new CallError(isShort ? 'EINVAL' : 'ENOPROTOOPT');
  return table[option];
}

function tableOf({ socket }: SocketFile, level: number): OptionTable {
  switch (level as Level) {
    case Level.SOCKET:
      return SOCKET_LEVEL;
    case Level.TCP:
      return TCP_LEVEL;
    case Level.IP:
      return IP_LEVEL;
    case Level.IPV6:
      return socket.domain === 6 || !isIpv4(socket.localAddress) ? IPV6_LEVEL : {};
    default:
      return {};
  }
}

function getsockopt(session: Session, request: Request): Reply {
  const file = session.files.socket(request.int('fd'));
  const optlen = request.int('optlen', 2 ** 31 - 1);
  const level = request.int('level');
  if (![Level.SOCKET, Level.TCP, Level.IP, Level.IPV6].includes(level)) {
    throw new CallError('EOPNOTSUPP');
  }
  if ((optlen | 0) < 0) throw new CallError('EINVAL');
  const option = find(file, level, request.int('opt'));
  const value = option.get(file, session, optlen);
  if (typeof value === 'number' || Buffer.isBuffer(value)) return optionReply(value, level, optlen);
  return { ret: 0, ...infoMembers(value, optlen) };
}

function setsockopt(session: Session, request: Request): Reply {
  const file = session.files.socket(request.int('fd'));
  const level = request.int('level');
  const bytes = optionBytes(request);
  const isShort = bytes.length < INT && (level === Level.SOCKET || level === Level.TCP);
  if ((request.int('optlen', INT) | 0) < 0) throw new CallError('EINVAL');
  const option = find(file, level, request.int('opt'), isShort);
  if (isShort && option !== congestion) throw new CallError('EINVAL');
  if (option.set === undefined) throw new CallError('ENOPROTOOPT');
  option.set(file, bytes, session);
  return { ret: 0 };
}

export const OPTION_CALLS: Readonly<Record<string, Operation>> = { getsockopt, setsockopt };
