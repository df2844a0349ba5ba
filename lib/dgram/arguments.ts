import { Buffer } from 'node:buffer';
import { invalidArgType } from '../errors';
import { readAnyPort, readPort, rejectMissing } from '../net/arguments';
import { outOfBounds } from './errors';
import type { BindOptions } from './types';

export type Callback = (...args: never[]) => void;

const BYTES = 'of type string or an instance of Buffer, TypedArray, or DataView';

/** The bytes of text or of a view; null for anything else. */
function bytesOf(value: unknown): Uint8Array | null {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  if (!ArrayBuffer.isView(value)) return null;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
function readMessage(value: unknown): Uint8Array[] {
  if (!Array.isArray(value)) {
    const bytes = bytesOf(value);
    if (bytes === null) throw invalidArgType('buffer', BYTES, value);
    return [bytes];
  }
  return value.map((part) => {
    const bytes = bytesOf(part);
    if (bytes === null) throw invalidArgType('buffer list arguments', BYTES, value);
    return bytes;
  });
}

/** The part of a message that `offset` and `length` say. @throws as `send` does */
function readSlice(value: unknown, offset: unknown, length: unknown): Uint8Array {
  const bytes = bytesOf(value);
  if (bytes === null) throw invalidArgType('buffer', BYTES, value);
  const start = Number(offset) >>> 0;
  const size = Number(length) >>> 0;
  if (start > bytes.length) throw outOfBounds('offset');
  if (start + size > bytes.length) throw outOfBounds('length');
  return bytes.subarray(start, start + size);
}

/** What `send` is given. */
export interface SendArguments {
  readonly parts: readonly Uint8Array[];
  /** 0: to the peer. */
  readonly port: number;
  /** undefined: this host. */
  readonly address: string | undefined;
  readonly callback: Callback | undefined;
}

type Given = [port: unknown, address: unknown, callback: unknown];

/**
 * Sorts `(message, offset?, length?, port?, address?, callback?)`.
 * @param toPeer whether the socket is connected
 * @returns the message, and what comes after it; null for what says that there is another peer
 */
function sort(args: readonly unknown[], toPeer: boolean): [unknown, Given | null] {
  const [message, first, second, third, fourth, last] = args;
  if (toPeer) {
    if (typeof second !== 'number') {
      return [message, third || fourth ? null : [undefined, undefined, first]];
    }
    const slice = readSlice(message, first, second);
    if (typeof third === 'function') return [slice, fourth ? null : [undefined, undefined, third]];
    return [slice, third || fourth ? null : [undefined, undefined, last]];
  }
  if (fourth || (third && typeof third !== 'function')) {
    return [readSlice(message, first, second), [third, fourth, last]];
  }
  return [message, [first, second, third]];
}

/**
 * Reads the arguments of `send`, in all the orders that node:dgram takes.
 * @returns null: an address is given, and the socket has a peer
 * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_BUFFER_OUT_OF_BOUNDS, ERR_SOCKET_BAD_PORT
 */
export function readSend(args: readonly unknown[], toPeer: boolean): SendArguments | null {
  const [message, given] = sort(args, toPeer);
  if (given === null) return null;
  const [toPort, to, then] = given;
  const parts = readMessage(message);
  const port = toPeer ? 0 : readPort(toPort, 'Port', { protocol: 'udp', least: 1 });
  const isLast = typeof to === 'function';
  const callback = isLast ? to : then;
  if (to !== undefined && to !== null && !isLast) expectString('address', to);
  return {
    parts,
    port,
    address: typeof to === 'string' && to !== '' ? to : undefined,
    callback: typeof callback === 'function' ? (callback as Callback) : undefined,
  };
}

/** What `bind` is given. */
export interface BindArguments {
  readonly port: number;
  readonly anyPort: boolean;
  readonly address: string;
  readonly callback: Callback | undefined;
}

/**
 * Reads `(port?, address?, callback?)` or `(options, callback?)`. Deviation: node:dgram takes the
 * port modulo 65536, and text as 0; here it must be one that there is.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_SOCKET_BAD_PORT
 */
export function readBind(args: readonly unknown[], everywhere: string): BindArguments {
  const [first, second] = args;
  const last = args[args.length - 1];
  const callback = typeof last === 'function' ? (last as Callback) : undefined;
  const isObject = typeof first === 'object' && first !== null;
  if (isObject) rejectMissing(first, ['fd', 'handle']);
  const options = isObject ? first : ({ port: first, address: second } as BindOptions);
  const { port, address }: BindOptions = options;
  const where = typeof address === 'function' ? undefined : address;
  if (where) expectString('hostname', where);
  const isAbsent = !port || typeof port === 'function';
  return {
    port: isAbsent ? 0 : readPort(port, 'Port', { protocol: 'udp' }),
    anyPort: readAnyPort(options),
    address: where || everywhere,
    callback,
  };
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function expectString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function expectNumber(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
}
