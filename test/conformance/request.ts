import { errnoName } from '../../lib/core/errno';
import { isIpv4, parseAddress, type IpAddress } from '../../lib/core/ip/address';

/** What a reply has beside `id` and `t`. */
export interface Reply {
  ret: number;
  [member: string]: unknown;
}

/** A call has failed: the reply says -1 and the errno's name. */
export class CallError extends Error {
  constructor(readonly errno: string) {
    super(errno);
  }
}

/** Passes a result of the socket layer on; a negative one fails the call. */
export function check(result: number): number {
  if (result < 0) throw new CallError(errnoName(result));
  return result;
}

/** A call that can't be answered yet. */
export class Blocked {
  /**
   * @param attempt tries again; null: still blocked
   * @param deadline when it is given up, µs of the stack's clock; Infinity: never
   * @param timedOut its answer then
   */
  constructor(
    readonly attempt: () => Reply | null,
    readonly deadline: number,
    readonly timedOut: () => Reply,
  ) {}
}

export type Outcome = Reply | Blocked;

/** An endpoint as a request names it. */
export interface Endpoint {
  /** 4, 6, or 0 for AF_UNSPEC. */
  family: number;
  address: IpAddress | null;
  port: number;
}

const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;

/** The members of a request. A missing or wrong one is EINVAL. */
export class Request {
  constructor(private readonly members: Readonly<Record<string, unknown>>) {}

  get op(): string {
    return this.text('op');
  }

  has(name: string): boolean {
    return this.members[name] !== undefined && this.members[name] !== null;
  }

  /** A whole number of 32 bits, signed or not; true and false count as 1 and 0. */
  int(name: string, fallback?: number): number {
    if (!this.has(name) && fallback !== undefined) return fallback;
    return asInt(this.members[name]);
  }

  flag(name: string): boolean {
    return this.int(name, 0) !== 0;
  }

  text(name: string, fallback?: string): string {
    const value = this.members[name];
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value !== 'string') throw new CallError('EINVAL');
    return value;
  }

  list(name: string): readonly unknown[] {
    const value = this.members[name];
    if (!Array.isArray(value)) throw new CallError('EINVAL');
    return value;
  }

  raw(name: string): unknown {
    return this.members[name];
  }

  bytes(name: string): Buffer {
    return asBytes(this.members[name]);
  }

  /** Absolute virtual time, µs; null where there is none. */
  time(name: string): number | null {
    if (!this.has(name)) return null;
    const value = this.members[name];
    if (typeof value !== 'number' || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) {
      throw new CallError('EINVAL');
    }
    return Math.floor(value);
  }

  /** The endpoint of connect, bind or sendto; null where none is named. */
  endpoint(): Endpoint | null {
    const family = this.int('family', -1);
    if (family === 0) return { family, address: null, port: 0 };
    if (!this.has('addr')) return null;
    const address = parseAddress(this.text('addr'));
    if (address === null) throw new CallError('EINVAL');
    const port = this.int('port');
    if (port < 0 || port > 0xffff) throw new CallError('EINVAL');
    const own = this.text('addr').includes(':') || !isIpv4(address) ? 6 : 4;
    return { family: family < 0 ? own : normalFamily(family), address, port };
  }
}

/** 4 and 6 as the protocol has them; also Linux's AF_INET and AF_INET6. */
function normalFamily(family: number): number {
  if (family === 2) return 4;
  return family === 10 ? 6 : family;
}

export function asInt(value: unknown): number {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new CallError('EINVAL');
  if (value < -INT32_MAX - 1 || value > UINT32_MAX) throw new CallError('EINVAL');
  return value;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function asBytes(value: unknown): Buffer {
  if (typeof value !== 'string' || !BASE64.test(value)) throw new CallError('EINVAL');
  return Buffer.from(value, 'base64');
}
