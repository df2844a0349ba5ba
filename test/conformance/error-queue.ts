import type { QueuedError } from '../../lib/core/socket/error-queue';
import { formatAddressAs, type IpAddress } from '../../lib/core/ip/address';
import type { AnySocketFile } from './files';
import { AF_INET, AF_INET6, Level, Msg } from './linux';
import { check, type Reply } from './request';

const IP_RECVERR = 11;
const IPV6_RECVERR = 25;
const SO_EE_ORIGIN_ICMP = 2;
const SO_EE_ORIGIN_ICMP6 = 3;
/** Lengths of struct cmsghdr, sock_extended_err, and that with a sockaddr_in or sockaddr_in6. */
const CMSG_HEADER = 16;
const EXTENDED = 16;
const WITH_INET = 32;
const WITH_INET6 = 44;

/** recv(2) and the like with MSG_ERRQUEUE; `recvmsg` has room for so much control data. */
export function receiveError({ socket }: AnySocketFile, length: number, room: number): Reply {
  const first = socket.takeKeptError();
  if (typeof first === 'number') return { ret: check(first) };
  const { domain } = socket;
  const told = Math.min(length, first.quoted.length);
  const control = extendedError(first, domain);
  const fits = Math.min(Math.max(room - CMSG_HEADER, 0), control.length);
  const data = control.subarray(0, fits).toString('base64');
  const head = domain === 4 ? [Level.IP, IP_RECVERR] : [Level.IPV6, IPV6_RECVERR];
  const isCut = told < first.quoted.length;
  const isCutShort = fits < control.length;
  return {
    ret: told,
    data: Buffer.from(first.quoted.subarray(0, told)).toString('base64'),
    addr: formatAddressAs(first.remote, domain),
    port: first.remotePort,
    msg_flags: Msg.ERRQUEUE | (isCut ? Msg.TRUNC : 0) | (isCutShort ? Msg.CTRUNC : 0),
    cmsgs: room < CMSG_HEADER ? [] : [[...head, data]],
  };
}

/** A sock_extended_err, and the address of who sent the message. */
function extendedError(error: QueuedError, domain: 4 | 6): Buffer {
  const { errno, family, type, code, info, offender } = error;
  const raw = Buffer.alloc(domain === 4 ? WITH_INET : WITH_INET6);
  raw.writeUInt32LE(errno, 0);
  raw[4] = family === 4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6;
  raw[5] = type;
  raw[6] = code;
  raw.writeUInt32LE(info, 8);
  raw.writeUInt16LE(domain === 4 ? AF_INET : AF_INET6, EXTENDED);
  if (domain === 4) raw.writeInt32BE(offender.w3, EXTENDED + 4);
  else writeAddress(offender, raw, EXTENDED + 8);
  return raw;
}

function writeAddress({ w0, w1, w2, w3 }: IpAddress, raw: Buffer, at: number): void {
  [w0, w1, w2, w3].forEach((word, i) => raw.writeInt32BE(word, at + 4 * i));
}
