import { Errno } from '../../lib/core/errno';
import {
  ANY4,
  formatAddressAs,
  isIpv4,
  readAddress,
  type IpAddress,
} from '../../lib/core/ip/address';
import { Message } from '../../lib/core/socket/datagram-socket';
import { Poll } from '../../lib/core/socket/socket-status';
import { Shutdown } from '../../lib/core/socket/stream-socket';
import { DatagramInfo } from '../../lib/core/udp/datagram-info';
import { receiveError } from './error-queue';
import { Told, type DatagramFile } from './files';
import { IOCTL, Level, Msg } from './linux';
import type { DatagramOperation } from './operations';
import { asBytes, asInt, Blocked, CallError, check, type Reply, type Request } from './request';
import type { Session } from './session';
import { endpointFor } from './socket-calls';

/** Longer than any datagram. */
const MAX_READ = 65_536;
/** Control messages: their length as they stand in memory, of an int. */
const CMSG_LENGTH = 20;
const IP_TOS = 1;
const IP_TTL = 2;
const IPV6_HOPLIMIT = 52;
const IPV6_TCLASS = 67;

const info = new DatagramInfo();

function bind(_session: Session, { socket }: DatagramFile, request: Request): Reply {
  const { address, port } = endpointFor(socket, request);
  // Linux: AF_UNSPEC is taken for AF_INET where the address is no host's.
  if (address === null && socket.domain === 6) throw new CallError('EAFNOSUPPORT');
  return { ret: check(socket.bind(address ?? ANY4, port)) };
}

/** Where a datagram is to go: an IPv6 socket takes both families. Null: nowhere in particular. */
function destination(
  { socket }: DatagramFile,
  request: Request,
): { address: IpAddress; port: number } | null {
  const endpoint = request.endpoint();
  if (endpoint === null) return null;
  const { family, address, port } = endpoint;
  if (address === null) return socket.domain === 6 ? null : { address: ANY4, port };
  if (socket.domain === 4 && family !== 4) throw new CallError('EAFNOSUPPORT');
  return { address, port };
}

function connect(_session: Session, file: DatagramFile, request: Request): Reply {
  const { socket } = file;
  const endpoint = request.endpoint();
  if (endpoint === null) throw new CallError('EINVAL');
  if (endpoint.family === 0) return { ret: check(socket.disconnect()) };
  const to = destination(file, request);
  if (to === null) throw new CallError('EINVAL');
  return { ret: check(socket.connect(to.address, to.port)) };
}

function unsupported(): Reply {
  throw new CallError('EOPNOTSUPP');
}

function shutdown(_session: Session, { socket }: DatagramFile, request: Request): Reply {
  const how = request.int('how');
  if (how < Shutdown.RD || how > Shutdown.RDWR) throw new CallError('EINVAL');
  return { ret: check(socket.shutdown(how)) };
}

/** Takes the oldest datagram; null where there is none. */
function take(file: DatagramFile, length: number, flags: number, fault: boolean): Reply | null {
  const { socket } = file;
  const { domain, inQueue } = socket;
  const buffer = Buffer.alloc(Math.min(length, inQueue));
  const wanted = (flags & Msg.PEEK ? Message.Peek : 0) | Message.Truncate;
  const whole = socket.receive(buffer, 0, buffer.length, wanted, info);
  if (whole === -Errno.EAGAIN) return null;
  check(whole);
  if (fault) throw new CallError('EFAULT');
  return {
    ret: (flags & Msg.TRUNC) !== 0 ? whole : buffer.length,
    data: buffer.toString('base64'),
    addr: formatAddressAs(readAddress(info.source, 0), domain),
    port: info.sourcePort,
    msg_flags: info.truncated ? Msg.TRUNC : 0,
    cmsgs: controlMessages(file),
  };
}

/** What the program has asked to be told of the datagram in `info`. */
function controlMessages({ told4, told6 }: DatagramFile): [number, number, string][] {
  const is4 = isIpv4(readAddress(info.source, 0));
  const told = is4 ? told4 : told6;
  const level = is4 ? Level.IP : Level.IPV6;
  const messages: [number, number, string][] = [];
  const add = (type: number, value: Buffer): number =>
    messages.push([level, type, value.toString('base64')]);
  if ((told & Told.HopLimit) !== 0) add(is4 ? IP_TTL : IPV6_HOPLIMIT, intBytes(info.hopLimit));
  if ((told & Told.TrafficClass) !== 0) {
    // A byte in IPv4, as IP_TOS is one.
    const value = intBytes(info.trafficClass);
    add(is4 ? IP_TOS : IPV6_TCLASS, is4 ? value.subarray(0, 1) : value);
  }
  return messages;
}

function intBytes(value: number): Buffer {
  const raw = Buffer.alloc(4);
  raw.writeInt32LE(value);
  return raw;
}

/** recvmsg(2), and what the others show of it. */
function receive(
  session: Session,
  file: DatagramFile,
  request: Request,
  show: (reply: Reply) => Reply,
): Reply | Blocked {
  const flags = request.op.startsWith('read') ? 0 : request.int('flags', 0);
  const asked = request.int('len');
  if (asked < 0) throw new CallError('EINVAL');
  const length = Math.min(asked, MAX_READ);
  if ((flags & Msg.ERRQUEUE) !== 0) {
    return show(receiveError(file, length, request.int('ctrllen', 0)));
  }
  const fault = request.flag('fault');
  const attempt = (): Reply | null => {
    const reply = take(file, length, flags, fault);
    return reply === null ? null : show(reply);
  };
  const first = attempt();
  if (first !== null) return first;
  const isBlocking = !file.nonblock && (flags & Msg.DONTWAIT) === 0;
  if (!isBlocking) throw new CallError('EAGAIN');
  // Whoever waits hears of the end; who doesn't never learns of it.
  const wait = (): Reply | null => {
    const isShut = (file.socket.poll() & Poll.RDHUP) !== 0;
    return attempt() ?? (isShut ? { ret: 0, data: '' } : null);
  };
  return (
    wait() ??
    new Blocked(wait, session.now + file.receiveTimeout, () => {
      throw new CallError('EAGAIN');
    })
  );
}

function recv(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  return receive(session, file, request, ({ ret, data }) => ({ ret, data }));
}

function recvfrom(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  return receive(session, file, request, ({ ret, data, addr, port }) => ({
    ret,
    data,
    addr,
    port,
  }));
}

function recvmsg(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  const room = request.int('ctrllen', 0);
  return receive(session, file, request, (reply) => {
    if (!Array.isArray(reply.cmsgs) || reply.cmsgs.length * (CMSG_LENGTH + 4) <= room) return reply;
    // What has no room for both has it for none: nobody asks for less than he wants to hear.
    return { ...reply, cmsgs: [], msg_flags: Number(reply.msg_flags) | Msg.CTRUNC };
  });
}

/** Flags of send(2) that change nothing here. */
const HARMLESS = Msg.DONTWAIT | Msg.NOSIGNAL | Msg.DONTROUTE | Msg.EOR | Msg.ZEROCOPY;

function sendTo(
  session: Session,
  file: DatagramFile,
  request: Request,
  flags: number,
): Reply | Blocked {
  // MSG_OOB, and MSG_MORE, which would have to keep a datagram open.
  if ((flags & ~HARMLESS) !== 0) throw new CallError('EOPNOTSUPP');
  const { socket } = file;
  const isFault = request.flag('fault');
  const data = isFault ? Buffer.alloc(0) : request.bytes('data');
  const to =
    request.op.startsWith('write') || request.op === 'send' ? null : destination(file, request);
  if (isFault) throw new CallError('EFAULT');
  const attempt = (): Reply | null => {
    const result = socket.send(data, 0, data.length, to?.address ?? null, to?.port ?? 0);
    return result === -Errno.EAGAIN && !socket.isWritable ? null : { ret: check(result) };
  };
  const first = attempt();
  if (first !== null) return first;
  const full = (): Reply => {
    throw new CallError('EAGAIN');
  };
  if (file.nonblock || (flags & Msg.DONTWAIT) !== 0) return full();
  return new Blocked(attempt, session.now + file.sendTimeout, full);
}

function write(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  return sendTo(session, file, request, 0);
}

function send(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  return sendTo(session, file, request, request.int('flags', 0));
}

function sendmsg(session: Session, file: DatagramFile, request: Request): Reply | Blocked {
  for (const cmsg of request.has('cmsgs') ? request.list('cmsgs') : []) {
    if (!Array.isArray(cmsg) || cmsg.length !== 3) throw new CallError('EINVAL');
    asInt(cmsg[0]);
    asInt(cmsg[1]);
    asBytes(cmsg[2]);
    // IP_TTL and the like for one datagram: the core has them for a socket.
    throw new CallError('EINVAL');
  }
  return send(session, file, request);
}

function ioctl(_session: Session, { socket }: DatagramFile, request: Request): Reply {
  const name = request.has('name') ? request.text('name') : null;
  const number = request.has('req') ? request.int('req') : IOCTL[name ?? ''];
  if (number === IOCTL.SIOCINQ) return { ret: 0, val: socket.inQueue };
  if (number === IOCTL.SIOCOUTQ) return { ret: 0, val: socket.outgoing.held };
  throw new CallError('ENOTTY');
}

/** The calls that a UDP socket answers. */
export const DATAGRAM_CALLS: Readonly<Record<string, DatagramOperation>> = {
  bind,
  connect,
  listen: unsupported,
  accept: unsupported,
  shutdown,
  read: recv,
  readv: recv,
  recv,
  recvfrom,
  recvmsg,
  write,
  writev: write,
  send,
  sendto: send,
  sendmsg,
  ioctl,
};
