import { SocketOption } from '../../lib/core/socket/options';
import { Poll } from '../../lib/core/socket/socket-status';
import { Errno } from '../../lib/core/errno';
import { Has, type Connection } from '../../lib/core/tcp/connection';
import { State } from '../../lib/core/tcp/state';
import type { TcpInfo } from '../../lib/core/tcp/tcp-info';
import { receiveError } from './error-queue';
import type { SocketFile } from './files';
import { IOCTL, Level, Msg } from './linux';
import type { Operation } from './operations';
import { isDisconnected } from './option-calls';
import { asBytes, asInt, Blocked, CallError, check, type Reply, type Request } from './request';
import type { Session } from './session';

/** Longest read; Linux caps at 2 GiB less a page. */
const MAX_READ = 64 * 1024 * 1024;
const TCP_CM_INQ = 36;
/** Of a control message with an int, without the padding behind it. */
const CMSG_LENGTH = 20;

/** What a reading call has got so far. */
interface Reading {
  readonly file: SocketFile;
  readonly length: number;
  readonly flags: number;
  readonly fault: boolean;
  readonly pieces: Buffer[];
  got: number;
}

/** Takes what is there; the call's result, or null where it would block. */
function readOn(reading: Reading, mayBlock: boolean): Reply | null {
  const { file, length, flags, pieces } = reading;
  const wanted =
    (flags & Msg.WAITALL) !== 0
      ? length
      : Math.min(file.socket.getOption(SocketOption.ReceiveLowWater), length);
  const isPeek = (flags & Msg.PEEK) !== 0;
  // Data that is already there may be less than what the program waits for.
  const target = Math.max(wanted, 1);
  const { socket } = file;
  const ready = socket.available;
  if (isPeek && mayBlock && ready > 0 && ready < target && isOpen(file)) return null;
  const room = Math.min(length - reading.got, Math.max(ready, 1));
  if (reading.fault && ready > 0) throw new CallError('EFAULT');
  const buffer = Buffer.alloc(room);
  const result = isPeek ? socket.peek(buffer, 0, room) : socket.receive(buffer, 0, room);
  if (result === -Errno.EAGAIN) {
    if (mayBlock) return null;
    return reading.got > 0 ? finishRead(reading) : { ret: check(result) };
  }
  if (result < 0) return reading.got > 0 ? finishRead(reading) : { ret: check(result) };
  pieces.push(buffer.subarray(0, result));
  reading.got += result;
  // An error that waits is told by the next call.
  const isOver = result === 0 || isPeek || socket.pendingError !== 0;
  const enough = isOver || reading.got >= Math.min(target, length);
  return enough ? finishRead(reading) : readOn(reading, mayBlock);
}

/** Whether more may come. */
function isOpen(file: SocketFile): boolean {
  const RDHUP_OR_ERR = 0x2008;
  return (file.socket.poll() & RDHUP_OR_ERR) === 0;
}

function finishRead({ pieces, got, flags }: Reading): Reply {
  // MSG_TRUNC: the bytes are dropped instead of copied.
  const data = (flags & Msg.TRUNC) !== 0 ? Buffer.alloc(0) : Buffer.concat(pieces);
  return { ret: got, data: data.toString('base64') };
}

function receive(session: Session, request: Request, flags: number): Reply | Blocked {
  const file = session.files.socket(request.int('fd'));
  const length = request.int('len');
  if (length < 0) throw new CallError('EINVAL');
  const reading: Reading = {
    file,
    length: Math.min(length, MAX_READ),
    flags,
    fault: request.flag('fault'),
    pieces: [],
    got: 0,
  };
  if ((flags & Msg.ERRQUEUE) !== 0) {
    return receiveError(file, reading.length, request.int('ctrllen', 0));
  }
  if (file.socket.state === State.LISTEN) throw new CallError('ENOTCONN');
  if ((flags & Msg.OOB) !== 0) return receiveUrgent(file, length, flags);
  const isBlocking = !file.nonblock && (flags & Msg.DONTWAIT) === 0;
  const first = readOn(reading, isBlocking);
  if (first !== null) return first;
  return new Blocked(
    () => readOn(reading, true),
    session.now + file.receiveTimeout,
    () => readOn(reading, false) ?? { ret: 0 },
  );
}

/** The urgent byte; no such call waits. */
function receiveUrgent({ socket }: SocketFile, length: number, flags: number): Reply {
  const byte = socket.receiveUrgent((flags & Msg.PEEK) !== 0);
  if (byte === null) return { ret: 0, data: '' };
  if (byte < 0) return { ret: check(byte), data: '' };
  const isTold = length > 0 && (flags & Msg.TRUNC) === 0;
  const data = isTold ? Buffer.of(byte) : Buffer.alloc(0);
  const msg_flags = Msg.OOB | (length === 0 ? Msg.TRUNC : 0);
  return { ret: Math.min(length, 1), data: data.toString('base64'), msg_flags };
}

/** Adds members to a call's reply, when it comes. */
function withMembers(outcome: Reply | Blocked, add: (reply: Reply) => Reply): Reply | Blocked {
  if (!(outcome instanceof Blocked)) return add(outcome);
  return new Blocked(
    () => {
      const reply = outcome.attempt();
      return reply === null ? null : add(reply);
    },
    outcome.deadline,
    () => add(outcome.timedOut()),
  );
}

/** read(2) of nothing is nothing, whatever the socket's state. */
function read(session: Session, request: Request): Reply | Blocked {
  session.files.socket(request.int('fd'));
  if (request.int('len') === 0) return { ret: 0, data: '' };
  return receive(session, request, 0);
}

function recv(session: Session, request: Request): Reply | Blocked {
  const outcome = receive(session, request, request.int('flags', 0));
  return withMembers(outcome, ({ ret, data }) => ({ ret, data }));
}

/** A stream's bytes have no sender; what an ICMP error quotes was for somebody. */
function recvfrom(session: Session, request: Request): Reply | Blocked {
  const outcome = receive(session, request, request.int('flags', 0));
  return withMembers(outcome, ({ ret, data, addr, port }) => ({ ret, data, addr, port }));
}

function recvmsg(session: Session, request: Request): Reply | Blocked {
  const flags = request.int('flags', 0);
  const file = session.files.socket(request.int('fd'));
  const room = request.int('ctrllen', 0);
  if ((flags & Msg.ERRQUEUE) !== 0) return receive(session, request, flags);
  const outcome = receive(session, request, flags);
  return withMembers(outcome, (reply) => {
    const { msg_flags, cmsgs } = controlMessages(file, room);
    return { ...reply, msg_flags: Number(msg_flags) | Number(reply.msg_flags ?? 0), cmsgs };
  });
}

/** TCP_CM_INQ, where the program has asked for it (TCP_INQ). */
function controlMessages(file: SocketFile, room: number): Omit<Reply, 'ret'> {
  if (file.tellsQueue === 0) return { msg_flags: 0, cmsgs: [] };
  if (room < CMSG_LENGTH) return { msg_flags: Msg.CTRUNC, cmsgs: [] };
  // The end of the stream is something to be read, too.
  const atEnd = file.socket.status?.has(Has.EndOfStream) === true;
  const left = Buffer.alloc(4);
  left.writeInt32LE(file.socket.inQueue + Number(atEnd));
  return { msg_flags: 0, cmsgs: [[Level.TCP, TCP_CM_INQ, left.toString('base64')]] };
}

/** Queues what fits; the call's result, or null where it would block. */
function sendOn(
  file: SocketFile,
  data: Buffer,
  sent: { bytes: number },
  fault: boolean,
  flags: number,
): Reply | null {
  const { socket } = file;
  if (fault && socket.sendSpace > 0) throw new CallError('EFAULT');
  for (;;) {
    const result = socket.send(data, sent.bytes, data.length - sent.bytes, flags);
    if (result === -Errno.EAGAIN) return null;
    if (result < 0) return { ret: sent.bytes > 0 ? sent.bytes : check(result) };
    sent.bytes += result;
    if (sent.bytes === data.length) return { ret: sent.bytes };
  }
}

function transmit(session: Session, request: Request, flags: number): Reply | Blocked {
  const file = session.files.socket(request.int('fd'));
  const fault = request.flag('fault');
  const length = request.int('len', 0);
  const data = fault ? Buffer.alloc(Math.max(Math.min(length, 1), 0)) : request.bytes('data');
  if ((flags & Msg.FASTOPEN) !== 0) throw new CallError('EOPNOTSUPP');
  const sent = { bytes: 0 };
  const attempt = (): Reply | null => sendOn(file, data, sent, fault, flags);
  const first = attempt();
  if (first !== null) return first;
  const partial = (): Reply => {
    if (sent.bytes === 0) throw new CallError('EAGAIN');
    return { ret: sent.bytes };
  };
  if (file.nonblock || (flags & Msg.DONTWAIT) !== 0) return partial();
  // Linux wakes a writer when a third of its buffer is free, even if its last packet has room.
  const woken = Poll.OUT | Poll.ERR | Poll.HUP;
  const resume = (): Reply | null => ((file.socket.poll() & woken) === 0 ? null : attempt());
  return new Blocked(resume, session.now + file.sendTimeout, partial);
}

function write(session: Session, request: Request): Reply | Blocked {
  return transmit(session, request, 0);
}

/** An address is ignored: the stream has its peer. */
function send(session: Session, request: Request): Reply | Blocked {
  return transmit(session, request, request.int('flags', 0));
}

function sendmsg(session: Session, request: Request): Reply | Blocked {
  for (const cmsg of request.has('cmsgs') ? request.list('cmsgs') : []) {
    if (!Array.isArray(cmsg) || cmsg.length !== 3) throw new CallError('EINVAL');
    asInt(cmsg[0]);
    asInt(cmsg[1]);
    asBytes(cmsg[2]);
    // Timestamping and the like: none of them is known.
    throw new CallError('EINVAL');
  }
  return send(session, request);
}

/** SIOCATMARK, SIOCINQ, SIOCOUTQ and SIOCOUTQNSD; of a connection under way nothing is queued. */
function ioctl(session: Session, request: Request): Reply {
  const { socket } = session.files.socket(request.int('fd'));
  const name = request.has('name') ? request.text('name') : null;
  const number = request.has('req') ? request.int('req') : IOCTL[name ?? ''];
  if (!Object.values(IOCTL).includes(number)) throw new CallError('ENOTTY');
  if (number === IOCTL.SIOCATMARK) return { ret: 0, val: Number(socket.atMark) };
  if (socket.state === State.LISTEN) throw new CallError('EINVAL');
  if (number === IOCTL.SIOCINQ) return { ret: 0, val: socket.inQueue };
  const c = socket.status;
  if (c === null || socket.state === State.SYN_SENT || socket.state === State.SYN_RECEIVED) {
    return { ret: 0, val: 0 };
  }
  if (c.row < 0) {
    const isAsked = number === IOCTL.SIOCOUTQ && !isDisconnected(socket);
    return { ret: 0, val: isAsked ? unacknowledged(socket.tcpInfo(), c) : 0 };
  }
  // A FIN has a number, too.
  const fin = c.has(Has.Fin);
  if (number === IOCTL.SIOCOUTQ) return { ret: 0, val: socket.outQueue + Number(fin) };
  const unsent = fin && c.sndNxt !== ((c.sndEnd + 1) | 0);
  return { ret: 0, val: socket.outQueueUnsent + Number(unsent) };
}

/** Of a connection that is over: the numbers that its peer has not acknowledged. */
function unacknowledged(info: TcpInfo, c: Readonly<Connection>): number {
  const sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
  const syn = c.cwnd > 0 && c.has(Has.Passive) ? 0 : 1;
  return Math.max(sent + syn + Number(c.has(Has.Fin)) - info.tcpi_bytes_acked, 0);
}

export const TRANSFER_CALLS: Readonly<Record<string, Operation>> = {
  read,
  readv: read,
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
