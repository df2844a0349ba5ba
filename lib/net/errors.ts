import type { NodeError } from '../errors';
import { codeError, received } from '../errors';

export function socketClosed(): NodeError {
  return codeError(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed');
}

export function stackClosed(): NodeError {
  return codeError(Error, 'ERR_SOCKET_CLOSED', 'The stack is closed');
}

export function closedBeforeConnection(): NodeError {
  const message = 'Socket closed before the connection was established';
  return codeError(Error, 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', message);
}

export function connectionTimeout(): NodeError {
  return codeError(Error, 'ERR_SOCKET_CONNECTION_TIMEOUT', 'Socket connection timeout');
}

export function destroyedWrite(): NodeError {
  const message = 'Cannot call write after a stream was destroyed';
  return codeError(Error, 'ERR_STREAM_DESTROYED', message);
}

/** Of a write after both the peer and we have ended. */
export function endedByPeer(): NodeError {
  return codeError(Error, 'EPIPE', 'This socket has been ended by the other party');
}

export function alreadyListening(): NodeError {
  const message = 'Listen method has been called more than once without closing.';
  return codeError(Error, 'ERR_SERVER_ALREADY_LISTEN', message);
}

export function notListening(): NodeError {
  return codeError(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.');
}

export function missingPort(): NodeError {
  const message = 'The "options" or "port" or "path" argument must be specified';
  return codeError(TypeError, 'ERR_MISSING_ARGS', message);
}

export function invalidIpAddress(value: unknown): NodeError {
  return codeError(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${String(value)}`);
}

export function invalidAddressFamily(family: unknown, host: string, port: number): NodeError {
  const message = `Invalid address family: ${String(family)} ${host}:${port}`;
  return codeError(RangeError, 'ERR_INVALID_ADDRESS_FAMILY', message);
}

/**
 * @param name as the message is to begin: `Port`, `options.port`
 * @param least the least that would do
 */
export function badPort(name: string, value: unknown, least: 0 | 1 = 0): NodeError {
  const above = least === 0 ? '>=' : '>';
  const message = `${name} should be ${above} 0 and < 65536. ${received(value)}.`;
  return codeError(RangeError, 'ERR_SOCKET_BAD_PORT', message);
}

/**
 * What a connection to a name that has several addresses ends with when none of them answers: the
 * code is the first one's, and `errors` has them all.
 */
export function everyAttemptFailed(errors: Error[]): Error {
  const code = (errors[0] as Partial<NodeError> | undefined)?.code;
  return Object.assign(new AggregateError(errors), { code });
}
