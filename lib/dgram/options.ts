import { invalidArgType, outOfRange } from '../errors';
import { badType } from './errors';
import type { SocketOptions } from './types';

function checkSize(name: string, value: unknown): void {
  if (!value) return;
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < 0 || value > 0xffffffff) throw outOfRange(name, '>= 0 && <= 4294967295', value);
}

/** Checks what `createSocket` is given. @throws as it does */
export function readOptions(type: unknown): SocketOptions {
  const options = (typeof type === 'object' && type !== null ? type : { type }) as SocketOptions;
  checkSize('options.recvBufferSize', options.recvBufferSize);
  checkSize('options.sendBufferSize', options.sendBufferSize);
  const named: unknown = options.type;
  if (named !== 'udp4' && named !== 'udp6') throw badType();
  const { lookup, signal } = options;
  if (lookup !== undefined && typeof lookup !== 'function') {
    throw invalidArgType('lookup', 'of type function', lookup);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  }
  return { ...options, type: named };
}
