import type { NodeError } from '../errors';
import { codeError, failedCall, systemError } from '../errors';

export function badType(): NodeError {
  const message = 'Bad socket type specified. Valid types are: udp4, udp6';
  return codeError(TypeError, 'ERR_SOCKET_BAD_TYPE', message);
}

export function alreadyBound(): NodeError {
  return codeError(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound');
}

export function notRunning(): NodeError {
  return codeError(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running');
}

export function isConnected(): NodeError {
  return codeError(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
}

export function notConnected(): NodeError {
  return codeError(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
}

export function missingArgument(name: string): NodeError {
  return codeError(TypeError, 'ERR_MISSING_ARGS', `The "${name}" argument must be specified`);
}

export function outOfBounds(name: string): NodeError {
  const message = `"${name}" is outside of buffer bounds`;
  return codeError(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', message);
}

export function badBufferSize(): NodeError {
  const message = 'Buffer size must be a positive integer';
  return codeError(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', message);
}

/** Node's error for a buffer's size that can't be had or set; by libuv's names. */
export function bufferSizeFailed(errno: number, which: 'recv' | 'send'): NodeError {
  const syscall = `uv_${which}_buffer_size`;
  const { code, errno: number } = systemError(errno, syscall);
  const text = failedCall(errno, syscall).message.split(': ')[1];
  const message = `Could not get or set buffer size: ${syscall} returned ${code} (${text})`;
  const error = codeError(Error, 'ERR_SOCKET_BUFFER_SIZE', message, 'SystemError');
  const info = { errno: number, code, message: text, syscall };
  return Object.assign(error, { info, errno: number, syscall });
}
