import { MtuDiscover, SocketOption, optionRange } from '../core/socket/options';
import type { StreamSocket } from '../core/socket/stream-socket';
import type { CongestionController } from '../core/tcp/congestion-controller';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { readCongestionControl } from './congestion-control';
import type { ConnectionOptions, PathMtuDiscovery } from './types';

export type TunableName = keyof ConnectionOptions;

/** The option's values by their names. */
export const PATH_MTU_DISCOVERY: Readonly<Record<PathMtuDiscovery, number>> = {
  dont: MtuDiscover.Dont,
  want: MtuDiscover.Want,
  do: MtuDiscover.Do,
  probe: MtuDiscover.Probe,
  interface: MtuDiscover.Interface,
  omit: MtuDiscover.Omit,
};

/** `SocketOption.Linger`: close(2) goes on in the background. */
export const NO_LINGER = -1;

/** One option of a socket: how a program's value is read, and what it sets. */
interface Tunable<Value> {
  /**
   * @param name of the argument or property, for the error
   * @returns undefined: what holds already stays
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
   */
  read(value: unknown, name: string): Value | undefined;
  set(stream: StreamSocket, value: Value): void;
}

/** Node takes whatever there is for these two. */
function truth(option: SocketOption): Tunable<number> {
  return {
    read: (value) => Number(Boolean(value)),
    set: (stream, value) => stream.setOption(option, value),
  };
}

function flag(option: SocketOption): Tunable<number> {
  return {
    read: (value, name) => {
      if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
      return Number(value);
    },
    set: (stream, value) => stream.setOption(option, value),
  };
}

function readInteger(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}

/** A whole number; the range is the option's own unless its beginning means something else. */
function integer(option: SocketOption, least?: number): Tunable<number> {
  const [min, max] = optionRange(option);
  return {
    read: (value, name) => readInteger(value, name, least ?? min, max),
    set: (stream, value) => stream.setOption(option, value),
  };
}

/** What Linux counts in whole seconds; of a time in ms Node takes those, and 0 changes nothing. */
function seconds(option: SocketOption): Tunable<number> {
  const [, max] = optionRange(option);
  return {
    read: (value, name) => {
      if (value === null) return undefined;
      if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
      const ms = Math.floor(value / 1000) * 1000;
      return ms > 0 ? Math.min(ms, max) : undefined;
    },
    set: (stream, value) => stream.setOption(option, value),
  };
}

/** How often a probe is sent: 0 changes nothing. */
function times(option: SocketOption): Tunable<number> {
  const [, max] = optionRange(option);
  return {
    read: (value, name) => readInteger(value, name, 0, max) || undefined,
    set: (stream, value) => stream.setOption(option, value),
  };
}

/** false: as without the option. */
const linger: Tunable<number> = {
  read: (value, name) => {
    if (value === false) return NO_LINGER;
    if (typeof value !== 'number') throw invalidArgType(name, 'of type number or false', value);
    return readInteger(value, name, 0, optionRange(SocketOption.Linger)[1]);
  },
  set: (stream, value) => stream.setOption(SocketOption.Linger, value),
};

const pathMtuDiscovery: Tunable<number> = {
  read: (value, name) => {
    if (typeof value === 'string' && Object.hasOwn(PATH_MTU_DISCOVERY, value)) {
      return PATH_MTU_DISCOVERY[value as PathMtuDiscovery];
    }
    const names = Object.keys(PATH_MTU_DISCOVERY).map((each) => `'${each}'`);
    throw invalidArgValue(name, value, `must be one of: ${names.join(', ')}`);
  },
  set: (stream, value) => {
    stream.setOption(SocketOption.MtuDiscover, value);
    stream.setOption(SocketOption.MtuDiscover6, value);
  },
};

const receiveErrors: Tunable<number> = {
  ...flag(SocketOption.ReceiveErrors),
  set: (stream, value) => {
    stream.setOption(SocketOption.ReceiveErrors, value);
    stream.setOption(SocketOption.ReceiveErrors6, value);
  },
};

/** As Linux has it (TCP_MIN_MSS). */
const LEAST_SEGMENT = 88;

/** The one table of what a program may set for a connection: by `connect`, by a server, later. */
const TUNABLES: Readonly<Record<TunableName, Tunable<unknown>>> = {
  noDelay: truth(SocketOption.NoDelay),
  keepAlive: truth(SocketOption.KeepAlive),
  keepAliveInitialDelay: seconds(SocketOption.KeepIdle),
  keepAliveInterval: seconds(SocketOption.KeepInterval),
  keepAliveCount: times(SocketOption.KeepCount),
  cork: flag(SocketOption.Cork),
  sendBufferSize: integer(SocketOption.SendBuffer),
  recvBufferSize: integer(SocketOption.ReceiveBuffer),
  notsentLowat: integer(SocketOption.NotSentLowWater),
  maxSegment: integer(SocketOption.MaxSegment, LEAST_SEGMENT),
  synRetries: integer(SocketOption.SynCount, 1),
  userTimeout: integer(SocketOption.UserTimeout),
  ttl: integer(SocketOption.Ttl),
  typeOfService: integer(SocketOption.TrafficClass),
  maxPacingRate: integer(SocketOption.MaxPacingRate),
  congestionControl: {
    read: readCongestionControl,
    set: (stream, value) => stream.setCongestion(value as string | CongestionController),
  },
  oobInline: flag(SocketOption.OobInline),
  linger,
  pathMtuDiscovery,
  receiveErrors,
};

const NAMES = Object.keys(TUNABLES) as TunableName[];

/** Options of a socket that may be set before there is a connection. */
export class Tuning {
  #values: Map<TunableName, unknown> | null = null;

  /**
   * Takes what of `options` is for a connection.
   * @throws as `Tunable.read`
   */
  take(options: ConnectionOptions): void {
    for (const name of NAMES) {
      const value = options[name];
      if (value !== undefined) this.note(name, value, `options.${name}`);
    }
  }

  /**
   * Takes one value.
   * @param argument its name for the error
   * @returns whether there is something to be set
   * @throws as `Tunable.read`
   */
  note(name: TunableName, value: unknown, argument: string): boolean {
    const read = TUNABLES[name].read(value, argument);
    if (read === undefined) return false;
    this.#values ??= new Map();
    this.#values.set(name, read);
    return true;
  }

  /** What was chosen; undefined: nothing. */
  chosen(name: TunableName): unknown {
    return this.#values?.get(name);
  }

  /** Sets all that was chosen on a stream socket that has the stack's defaults. */
  apply(stream: StreamSocket): void {
    if (this.#values === null) return;
    for (const [name, value] of this.#values) TUNABLES[name].set(stream, value);
  }

  applyOne(stream: StreamSocket, name: TunableName): void {
    TUNABLES[name].set(stream, this.#values?.get(name));
  }
}
