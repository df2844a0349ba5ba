import { getSystemErrorMap, inspect } from 'node:util';
import { errnoName } from './core/errno';

/** An error with Node's `code`; of the system's there are also the fields of `SystemError`. */
export interface NodeError extends Error {
  code: string;
}

/** Node's error for a system call that has failed. */
export interface SystemError extends NodeError {
  /** libuv's number on this platform: negative. */
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

type ErrorClass = new (message: string) => Error;

/**
 * An error of class `Base` with a `code`, as Node makes its own: its text has the code, too.
 * @param name where it is not that of the class
 */
export function codeError(
  Base: ErrorClass,
  code: string,
  message: string,
  name = Base.name,
): NodeError {
  const error = Object.assign(new Base(message), { code });
  const hidden = { configurable: true, writable: true };
  // The stack begins with the name that the error has when it is first read.
  Object.defineProperty(error, 'name', { ...hidden, value: `${name} [${code}]` });
  Error.captureStackTrace(error, codeError);
  void error.stack;
  if (name === Base.name) Reflect.deleteProperty(error, 'name');
  else error.name = name;
  const toString = () => `${name} [${code}]: ${error.message}`;
  return Object.defineProperty(error, 'toString', { ...hidden, value: toString });
}

/** What Node says of a value that it did not want. */
export function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  if (typeof value === 'object') {
    const name = (value.constructor as { name?: string } | undefined)?.name;
    return name ? `Received an instance of ${name}` : `Received ${inspect(value, { depth: -1 })}`;
  }
  const isLong = typeof value === 'string' && value.length > 28;
  const text = inspect(isLong ? `${value.slice(0, 25)}...` : value);
  return `Received type ${typeof value} (${text})`;
}

function property(name: string): string {
  return name.includes('.') ? 'property' : 'argument';
}

/**
 * @param name of the argument; `options.x` for a property
 * @param expected what it must be, as in `of type string` or `an instance of AbortSignal`
 */
export function invalidArgType(name: string, expected: string, value: unknown): NodeError {
  const message = `The "${name}" ${property(name)} must be ${expected}. ${received(value)}`;
  return codeError(TypeError, 'ERR_INVALID_ARG_TYPE', message);
}

export function invalidArgValue(name: string, value: unknown, reason = 'is invalid'): NodeError {
  const text = inspect(value);
  const short = text.length > 128 ? `${text.slice(0, 128)}...` : text;
  const message = `The ${property(name)} '${name}' ${reason}. Received ${short}`;
  return codeError(TypeError, 'ERR_INVALID_ARG_VALUE', message);
}

export function outOfRange(name: string, range: string, value: unknown): NodeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. `;
  return codeError(RangeError, 'ERR_OUT_OF_RANGE', `${message}Received ${String(value)}`);
}

/** libuv's number and text of each error that the platform knows, by name. */
const platform = new Map<string, { errno: number; text: string }>();
for (const [errno, [name, text]] of getSystemErrorMap()) platform.set(name, { errno, text });

function explain(errno: number): string {
  return platform.get(errnoName(errno))?.text ?? 'unknown error';
}

function makeSystemError(
  errno: number,
  syscall: string,
  message: string,
  details: { address?: string; port?: number } | null,
): SystemError {
  const name = errnoName(errno);
  const error = new Error(message) as SystemError;
  error.errno = platform.get(name)?.errno ?? -errno;
  error.code = name;
  error.syscall = syscall;
  if (details?.address !== undefined) error.address = details.address;
  if (details?.port !== undefined && details.port > 0) error.port = details.port;
  return error;
}

function endpointText(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return '';
  return port !== undefined && port > 0 ? ` ${address}:${port}` : ` ${address}`;
}

/**
 * Node's error of a call on a socket: `read ECONNRESET`, `connect ECONNREFUSED 10.0.0.2:81`.
 *
 * @param errno Linux's number, positive
 * @param local our own end, for the message alone
 */
export function systemError(
  errno: number,
  syscall: string,
  address?: string,
  port?: number,
  local?: string,
): SystemError {
  const end = local === undefined ? '' : ` - Local (${local})`;
  const message = `${syscall} ${errnoName(errno)}${endpointText(address, port)}${end}`;
  return makeSystemError(errno, syscall, message, { address, port });
}

/**
 * The same for a call that is not about an endpoint: `socket EPERM: operation not permitted, why`.
 *
 * @param errno Linux's number, of either sign
 * @param detail what the call was about, for the message alone
 */
export function failedCall(errno: number, syscall: string, detail = ''): SystemError {
  const number = Math.abs(errno);
  const text = `${syscall} ${errnoName(number)}: ${explain(number)}`;
  return makeSystemError(number, syscall, detail === '' ? text : `${text}, ${detail}`, null);
}

/** The same with libuv's text: `listen EADDRINUSE: address already in use 127.0.0.1:80`. */
export function explainedSystemError(
  errno: number,
  syscall: string,
  address?: string,
  port?: number,
): SystemError {
  const text = `${syscall} ${errnoName(errno)}: ${explain(errno)}`;
  const message = `${text}${endpointText(address, port)}`;
  return makeSystemError(errno, syscall, message, { address, port });
}
