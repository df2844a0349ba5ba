import { ipv4, readAddress, type IpAddress } from '../../lib/core/ip/address';
import { DatagramOption } from '../../lib/core/socket/datagram-options';
import { Told, type DatagramFile } from './files';
import { Level } from './linux';
import type { DatagramOperation } from './operations';
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

/** An option of a UDP socket; what has no `set` can only be read, and the other way round. */
interface DatagramOptionCall {
  get?(file: DatagramFile, session: Session): number | Buffer;
  set?(file: DatagramFile, value: Buffer, session: Session): void;
}

type OptionTable = Readonly<Record<number, DatagramOptionCall>>;

/** What to do with a value before the stack is told. */
type Reader = (value: Buffer, session: Session) => number;

function option(option: DatagramOption, read: Reader): DatagramOptionCall {
  return {
    get: ({ socket }) => socket.getOption(option),
    set: ({ socket }, value, session) => {
      check(socket.setOption(option, read(value, session)));
    },
  };
}

const onOff: Reader = (value) => Number(int(value) !== 0);
const onOffByte: Reader = (value) => Number(intOrByte(value) !== 0);
/** SO_SNDBUF and SO_RCVBUF are unsigned. */
const size: Reader = (value) => Math.min(int(value) >>> 0, 2 ** 31 - 1);
/** -1 is the stack's default. */
const hops: Reader = (value, session) => {
  if (value.length === 0) throw new CallError('EINVAL');
  const given = intOrByte(value);
  return given === -1 ? session.host.core.tcp.settings.ttl : inRange(given, 1, 255);
};
const groupHops: Reader = (value) => {
  if (value.length === 0) throw new CallError('EINVAL');
  const given = intOrByte(value);
  return given === -1 ? 1 : inRange(given, 0, 255);
};

function timeout(member: 'receiveTimeout' | 'sendTimeout'): DatagramOptionCall {
  return {
    get: (file) => writeTimeout(file[member]),
    set: (file, value) => {
      file[member] = readTimeout(value);
    },
  };
}

const SOCKET_LEVEL: OptionTable = {
  2: option(DatagramOption.ReuseAddress, onOff),
  3: { get: () => 2 },
  4: { get: ({ socket }) => socket.takeError() },
  6: option(DatagramOption.Broadcast, onOff),
  7: option(DatagramOption.SendBuffer, size),
  8: option(DatagramOption.ReceiveBuffer, size),
  11: option(DatagramOption.NoCheck, onOff),
  15: option(DatagramOption.ReusePort, onOff),
  20: timeout('receiveTimeout'),
  21: timeout('sendTimeout'),
  30: { get: () => 0 },
  38: { get: () => 17 },
  39: { get: ({ socket }) => (socket.domain === 4 ? 2 : 10) },
  66: timeout('receiveTimeout'),
  67: timeout('sendTimeout'),
};

const mtu: DatagramOptionCall = { get: ({ socket }) => check(socket.pathMtu) };

/** Whether recvmsg(2) tells of something. */
function told(member: 'told4' | 'told6', bit: Told): DatagramOptionCall {
  return {
    get: (file) => Number((file[member] & bit) !== 0),
    set: (file, value) => {
      file[member] = intOrByte(value) === 0 ? file[member] & ~bit : file[member] | bit;
    },
  };
}

/** A struct in_addr, or a longer one in which it stands at `at`. */
function address4(value: Buffer, at = 0): IpAddress {
  if (value.length < at + INT) throw new CallError('EINVAL');
  return ipv4(value.readInt32BE(at));
}

/** A struct ipv6_mreq. */
function address6(value: Buffer): IpAddress {
  if (value.length < 20) throw new CallError('EINVAL');
  return readAddress(
    Int32Array.from({ length: 4 }, (_, i) => value.readInt32BE(4 * i)),
    0,
  );
}

/** IP_ADD_MEMBERSHIP and the like: a struct ip_mreq, the group and an address of ours. */
function membership(join: boolean, read: (value: Buffer) => IpAddress): DatagramOptionCall {
  return {
    set: ({ socket: { groups } }, value) => {
      const group = read(value);
      check(join ? groups.join(group) : groups.leave(group));
    },
  };
}

const group4 = (value: Buffer): IpAddress => {
  if (value.length < 8) throw new CallError('EINVAL');
  return address4(value);
};

const multicastInterface: DatagramOptionCall = {
  set: ({ socket }, value) => {
    // A struct ip_mreqn or ip_mreq has the group first.
    const own = address4(value, value.length >= 8 ? INT : 0);
    check(socket.setMulticastInterface(own));
  },
};

const IP_LEVEL: OptionTable = {
  1: option(DatagramOption.TrafficClass, (value) => inRange(intOrByte(value) & 0xff, 0, 255)),
  2: option(DatagramOption.Ttl, hops),
  10: option(DatagramOption.MtuDiscover, (value) => inRange(intOrByte(value), 0, 5)),
  11: option(DatagramOption.ReceiveErrors, onOffByte),
  12: told('told4', Told.HopLimit),
  13: told('told4', Told.TrafficClass),
  14: mtu,
  32: multicastInterface,
  33: option(DatagramOption.MulticastTtl, groupHops),
  34: option(DatagramOption.MulticastLoop, onOffByte),
  35: membership(true, group4),
  36: membership(false, group4),
  49: option(DatagramOption.MulticastAll, onOffByte),
};

const ipv6Only = option(DatagramOption.Ipv6Only, onOff);

const IPV6_LEVEL: OptionTable = {
  16: option(DatagramOption.Ttl, hops),
  18: option(DatagramOption.MulticastTtl, groupHops),
  19: option(DatagramOption.MulticastLoop, (value) => inRange(int(value), 0, 1)),
  20: membership(true, address6),
  21: membership(false, address6),
  23: option(DatagramOption.MtuDiscover, (value) => inRange(int(value), 0, 5)),
  24: mtu,
  25: option(DatagramOption.ReceiveErrors, onOff),
  26: ipv6Only,
  29: option(DatagramOption.MulticastAll, onOff),
  51: told('told6', Told.HopLimit),
  66: told('told6', Told.TrafficClass),
  67: option(DatagramOption.TrafficClass, (value) => {
    const given = int(value);
    return given === -1 ? 0 : inRange(given, 0, 255);
  }),
};

const LEVELS: readonly number[] = [Level.SOCKET, Level.UDP, Level.IP, Level.IPV6];

function tableOf({ socket }: DatagramFile, level: number): OptionTable {
  switch (level as Level) {
    case Level.SOCKET:
      return SOCKET_LEVEL;
    case Level.IP:
      return IP_LEVEL;
    case Level.IPV6:
      return socket.domain === 6 ? IPV6_LEVEL : {};
    default:
      return {};
  }
}

function find(file: DatagramFile, level: number, number: number): DatagramOptionCall {
  const table = tableOf(file, level);
  return Object.hasOwn(table, number) ? table[number] : {};
}

function getsockopt(session: Session, file: DatagramFile, request: Request): Reply {
  const optlen = request.int('optlen', 2 ** 31 - 1);
  const level = request.int('level');
  if (!LEVELS.includes(level)) throw new CallError('EOPNOTSUPP');
  if ((optlen | 0) < 0) throw new CallError('EINVAL');
  const { get } = find(file, level, request.int('opt'));
  if (get === undefined) throw new CallError('ENOPROTOOPT');
  return optionReply(get(file, session), level, optlen);
}

function setsockopt(session: Session, file: DatagramFile, request: Request): Reply {
  const level = request.int('level');
  const bytes = optionBytes(request);
  if ((request.int('optlen', INT) | 0) < 0) throw new CallError('EINVAL');
  if (level === Level.SOCKET && bytes.length < INT) throw new CallError('EINVAL');
  const { set } = find(file, level, request.int('opt'));
  if (set === undefined) throw new CallError('ENOPROTOOPT');
  set(file, bytes, session);
  return { ret: 0 };
}

export const DATAGRAM_OPTION_CALLS: Readonly<Record<string, DatagramOperation>> = {
  getsockopt,
  setsockopt,
};
