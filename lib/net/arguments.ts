import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { portByName, type PortProtocol } from '../core/stack/port-names';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { badPort, invalidIpAddress, missingPort } from './errors';
import type { ConnectOptions, SocketOptions } from './types';

type Callback = (...args: unknown[]) => void;

/** What `connect` and `listen` take in whatever order, as an object and a callback. */
export type Arguments<Options> = [options: Options, callback: Callback | null];

/** Options of node:net that a stack has nothing for, and why. */
const MISSING: Readonly<Record<string, string>> = {
  path: 'is not supported: a stack has no Unix domain sockets',
  fd: 'is not supported: a stack has no file descriptors',
  handle: 'is not supported: a stack has no handles of libuv',
  onread: 'is not supported',
  blockList: 'is not supported',
};

/** @throws TypeError ERR_INVALID_ARG_VALUE when an option is given that would do nothing */
export function rejectMissing(options: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || value === null || value === false) continue;
    throw invalidArgValue(`options.${name}`, value, MISSING[name]);
  }
}

/** The number that `value` is or spells, or false. */
function toNumber(value: unknown): number | false {
  const number = typeof value === 'symbol' ? NaN : Number(value);
  return number >= 0 ? number : false;
}

/** Text that is neither a number nor the name of a service. */
function isPath(value: unknown): boolean {
  if (typeof value !== 'string' || toNumber(value) !== false) return false;
  return portByName(value, 'tcp') === undefined;
}

/** Sorts the arguments `(options | port | path, host?, …, callback?)`. */
export function normalizeArguments<Options extends object>(
  args: readonly unknown[],
): Arguments<Options> {
  const [first, second] = args;
  const last = args[args.length - 1];
  const callback = typeof last === 'function' ? (last as Callback) : null;
  let options: object = {};
  if (typeof first === 'object' && first !== null) options = first;
  else if (isPath(first)) options = { path: first };
  else if (args.length > 0 && typeof first !== 'function') {
    options = typeof second === 'string' ? { port: first, host: second } : { port: first };
  }
  return [options as Options, callback];
}

export interface PortKind {
  /** Whose services' names are known; default 'tcp'. */
  protocol?: PortProtocol;
  /** Default 0. */
  least?: 0 | 1;
}

/**
 * Reads a port as node:net and node:dgram do, or the name of a service: 'http', 'domain'.
 * @param name as the message is to begin
 * @throws RangeError ERR_SOCKET_BAD_PORT
 */
export function readPort(value: unknown, name: string, kind: PortKind = {}): number {
  const { protocol = 'tcp', least = 0 } = kind;
  const isText = typeof value === 'string' && value.trim() !== '';
  if (typeof value !== 'number' && !isText) throw badPort(name, value, least);
  const port = (isText ? portByName(value, protocol) : undefined) ?? Number(value);
  if (!Number.isInteger(port) || port < least || port > 65_535) throw badPort(name, value, least);
  return port;
}

/** A destination and all that the program said of how to reach it, checked. */
export interface Destination {
  host: string;
  port: number;
  localAddress: string | undefined;
  localPort: number;
  family: 0 | 4 | 6;
  hints: number;
  lookup: LookupFunction | undefined;
  autoSelectFamily: boolean;
  /** ms */
  attemptTimeout: number;
}

/** What of `Destination` a stack has defaults for. */
export type FamilyDefaults = Pick<Destination, 'autoSelectFamily' | 'attemptTimeout'>;

function expectType(value: unknown, type: 'number' | 'boolean' | 'function', name: string): void {
  if (value !== undefined && typeof value !== type) {
    throw invalidArgType(name, `of type ${type}`, value);
  }
}

/** The least that node:net gives an attempt, ms. */
const SHORTEST_ATTEMPT = 10;

function readAttemptTimeout(value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  const name = 'options.autoSelectFamilyAttemptTimeout';
  expectType(value, 'number', name);
  const timeout = value as number;
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > 0x7fffffff) {
    throw outOfRange(name, '>= 1 && <= 2147483647', value);
  }
  return Math.max(timeout, SHORTEST_ATTEMPT);
}

function readDestinationPort(port: unknown): number {
  if (port === undefined) throw missingPort();
  if (typeof port !== 'number' && typeof port !== 'string') {
    throw invalidArgType('options.port', 'one of type number or string', port);
  }
  return readPort(port, 'Port');
}

function readFamily(family: unknown): 0 | 4 | 6 {
  switch (family) {
    case undefined:
    case null:
    case 0:
      return 0;
    case 4:
    case 'IPv4':
      return 4;
    case 6:
    case 'IPv6':
      return 6;
    default:
      throw invalidArgValue('options.family', family, 'must be one of: 0, 4, 6');
  }
}

/**
 * Checks the options of `connect` that say where to and from.
 * @throws TypeError and RangeError with node:net's codes
 */
export function readDestination(options: ConnectOptions, defaults: FamilyDefaults): Destination {
  rejectMissing(options, ['path', 'fd', 'handle', 'onread', 'blockList']);
  const { localAddress, localPort, lookup, hints, autoSelectFamily } = options;
  const attemptTimeout = options.autoSelectFamilyAttemptTimeout;
  if (localAddress && !isIP(localAddress)) throw invalidIpAddress(localAddress);
  if (localPort !== undefined) {
    expectType(localPort, 'number', 'options.localPort');
    readPort(localPort, 'options.localPort');
  }
  const port = readDestinationPort(options.port);
  const host = options.host || 'localhost';
  if (typeof host !== 'string') throw invalidArgType('options.host', 'of type string', host);
  expectType(autoSelectFamily, 'boolean', 'options.autoSelectFamily');
  expectType(hints, 'number', 'options.hints');
  if (lookup !== null) expectType(lookup, 'function', 'options.lookup');
  return {
    host,
    port,
    localAddress: localAddress || undefined,
    localPort: localPort ?? 0,
    family: readFamily(options.family),
    hints: hints ?? 0,
    lookup: lookup ?? undefined,
    autoSelectFamily: autoSelectFamily ?? defaults.autoSelectFamily,
    attemptTimeout: readAttemptTimeout(attemptTimeout, defaults.attemptTimeout),
  };
}

/** Where a server is to listen, checked. */
export interface ListenAddress {
  port: number;
  host: string | undefined;
  backlog: number;
  ipv6Only: boolean;
  reusePort: boolean;
  anyPort: boolean;
}

/** As node:net's. */
const BACKLOG = 511;

/**
 * Checks the arguments of `listen`.
 * @throws TypeError and RangeError with node:net's codes
 */
export function readListenAddress(
  args: readonly unknown[],
  options: {
    port?: unknown;
    host?: unknown;
    backlog?: unknown;
    ipv6Only?: unknown;
    reusePort?: unknown;
    anyPort?: unknown;
  },
): ListenAddress {
  rejectMissing(options, ['path', 'fd', 'handle']);
  const { host } = options;
  const callbackOnly = args.length === 0 || typeof args[0] === 'function';
  const absent = options.port === null || (options.port === undefined && 'port' in options);
  const anyPort = readAnyPort(options);
  const given = callbackOnly || absent || anyPort ? 0 : options.port;
  if (typeof given !== 'number' && typeof given !== 'string') {
    if ('port' in options) throw invalidArgValue('options', options);
    throw invalidArgValue('options', options, 'must have the property "port" or "path"');
  }
  if (host !== undefined && host !== null && typeof host !== 'string') {
    throw invalidArgType('options.host', 'of type string', host);
  }
  const fromArguments = toNumber(args[1]) || toNumber(args[2]);
  const backlog = toNumber(options.backlog) || fromArguments || BACKLOG;
  return {
    port: readPort(given, 'options.port'),
    host: host || undefined,
    backlog,
    ipv6Only: options.ipv6Only === true,
    reusePort: options.reusePort === true,
    anyPort,
  };
}

/** Whether every port is meant instead of one. @throws TypeError ERR_INVALID_ARG_TYPE, …_VALUE */
export function readAnyPort({ anyPort, port }: { anyPort?: unknown; port?: unknown }): boolean {
  expectType(anyPort, 'boolean', 'options.anyPort');
  if (anyPort !== true) return false;
  if (port === undefined || port === null) return true;
  throw invalidArgValue('options.port', port, 'must not be given together with anyPort');
}

/** What of a socket's options is for the Duplex. */
export function pickStreamOptions(options: SocketOptions): SocketOptions {
  const { highWaterMark, readableHighWaterMark, writableHighWaterMark } = options;
  return { highWaterMark, readableHighWaterMark, writableHighWaterMark };
}

/** A time in ms, as node:net takes it for timeouts. */
export function readTimeout(msecs: unknown): number {
  if (typeof msecs !== 'number') throw invalidArgType('msecs', 'of type number', msecs);
  if (!(msecs >= 0 && msecs < Infinity)) {
    throw outOfRange('msecs', 'a non-negative finite number', msecs);
  }
  return Math.min(msecs, 0x7fffffff);
}
