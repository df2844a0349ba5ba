import { Level } from './linux';
import { CallError, type Reply, type Request } from './request';

/** Bytes of an int. */
export const INT = 4;
const TIMEVAL = 16;
const SECOND_US = 1_000_000;

export function int(value: Buffer): number {
  if (value.length < INT) throw new CallError('EINVAL');
  return value.readInt32LE(0);
}

/** TOS and the like may be given as one byte; as none they are 0. */
export function intOrByte(value: Buffer): number {
  if (value.length >= INT) return value.readInt32LE(0);
  return value.length === 0 ? 0 : value[0];
}

export function inRange(value: number, min: number, max: number): number {
  if (value < min || value > max) throw new CallError('EINVAL');
  return value;
}

/** A struct timeval of µs; 0 is for ever. */
export function writeTimeout(timeout: number): Buffer {
  const us = timeout === Infinity ? 0 : timeout;
  const raw = Buffer.alloc(TIMEVAL);
  raw.writeBigInt64LE(BigInt(Math.floor(us / SECOND_US)), 0);
  raw.writeBigInt64LE(BigInt(us % SECOND_US), 8);
  return raw;
}

/** The µs of a struct timeval; Infinity: for ever. */
export function readTimeout(value: Buffer): number {
  if (value.length < TIMEVAL) throw new CallError('EINVAL');
  const seconds = Number(value.readBigInt64LE(0));
  const us = Number(value.readBigInt64LE(8));
  if (us < 0 || us >= SECOND_US) throw new CallError('EDOM');
  const all = seconds * SECOND_US + us;
  // A negative time is no time at all.
  return seconds < 0 ? 0 : all === 0 || seconds > 2 ** 31 ? Infinity : all;
}

/** The option's value as the program's memory: `raw`, or an int in `val`. */
export function optionBytes(request: Request): Buffer {
  const optlen = request.int('optlen', INT);
  if (request.has('raw')) {
    const bytes = request.bytes('raw');
    return bytes.subarray(0, Math.max(request.int('optlen', bytes.length), 0));
  }
  const raw = Buffer.alloc(INT);
  raw.writeInt32LE(request.int('val') | 0);
  return raw.subarray(0, Math.max(optlen, 0));
}

/** What getsockopt(2) tells, as much as there is room for. */
export function optionReply(value: number | Buffer, level: number, optlen: number): Reply {
  if (typeof value !== 'number') {
    return { ret: 0, raw: value.subarray(0, optlen).toString('base64') };
  }
  const raw = Buffer.alloc(INT);
  raw.writeInt32LE(value | 0);
  // Of IP's options a small value takes one byte, where four have no room.
  const isByte = level === Level.IP && optlen < INT && value >= 0 && value <= 255;
  const length = isByte ? Math.min(optlen, 1) : optlen;
  return { ret: 0, val: value, raw: raw.subarray(0, length).toString('base64') };
}
