import { BlockList, SocketAddress, isIP, isIPv4, isIPv6 } from 'node:net';
import type { Driver } from '../driver/driver';
import { invalidArgType, outOfRange } from '../errors';
import { normalizeArguments } from './arguments';
import { callable } from './callable';
import type { ServerHost } from './server';
import { Server } from './server';
import type { Accepted } from './host';
import { Socket } from './socket';
import type {
  ConnectionListener,
  ConnectOptions,
  Listener,
  ServerArguments,
  ServerOptions,
  SocketOptions,
} from './types';

/** A class that makes an object without `new` as well. */
export interface SocketConstructor {
  new (options?: SocketOptions): Socket;
  (options?: SocketOptions): Socket;
  readonly prototype: Socket;
}

export interface ServerConstructor {
  new (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
  (options?: ServerOptions | ConnectionListener, listener?: ConnectionListener): Server;
  readonly prototype: Server;
}

/** Opens a connection; see `Socket.connect`. */
export interface Connect {
  (options: ConnectOptions, listener?: Listener): Socket;
  (port: number | string, host: string, listener?: Listener): Socket;
  (port: number | string, listener?: Listener): Socket;
}

/** The names of node:net, for one stack. The functions are bound: they may be passed on alone. */
export interface Net {
  readonly connect: Connect;
  readonly createConnection: Connect;
  readonly createServer: {
    (options?: ServerOptions | null, listener?: ConnectionListener): Server;
    (listener?: ConnectionListener): Server;
  };
  readonly Socket: SocketConstructor;
  readonly Stream: SocketConstructor;
  readonly Server: ServerConstructor;
  readonly isIP: typeof isIP;
  readonly isIPv4: typeof isIPv4;
  readonly isIPv6: typeof isIPv6;
  readonly BlockList: typeof BlockList;
  readonly SocketAddress: typeof SocketAddress;
  /** Whether `connect` tries all addresses of a name unless told otherwise. */
  getDefaultAutoSelectFamily(): boolean;
  setDefaultAutoSelectFamily(value: boolean): void;
  /** ms */
  getDefaultAutoSelectFamilyAttemptTimeout(): number;
  setDefaultAutoSelectFamilyAttemptTimeout(value: number): void;
}

/**
 * Makes the API of node:net on a stack.
 * @param stack whose driver may be replaced: sockets of the old one hear nothing any more
 */
export function makeNet(stack: { readonly driver: Driver }, listensEverywhere: () => void): Net {
  const defaults = { autoSelectFamily: true, attemptTimeout: 250 };
  const host: ServerHost = {
    get driver() {
      return stack.driver;
    },
    defaults,
    accept: (options, accepted) => new classes.Socket(options, accepted),
    listensEverywhere,
  };
  // The classes of this stack go by the names that node:net's have.
  const classes = {
    Socket: class extends Socket {
      constructor(options?: SocketOptions, accepted?: Accepted) {
        super(host, options, accepted);
      }
    },
    Server: class extends Server {
      constructor(...args: ServerArguments) {
        super(host, ...args);
      }
    },
  };

  const connect = (...args: unknown[]): Socket => {
    const [options] = normalizeArguments<ConnectOptions>(args);
    const socket = new classes.Socket(options);
    if (options.timeout) socket.setTimeout(options.timeout);
    return Reflect.apply(socket.connect, socket, args) as Socket;
  };
  const createServer = (...args: ServerArguments): Server => new classes.Server(...args);

  const SocketClass = callable(classes.Socket) as unknown as SocketConstructor;
  return {
    connect: connect as Connect,
    createConnection: connect as Connect,
    createServer,
    Socket: SocketClass,
    Stream: SocketClass,
    Server: callable(classes.Server) as unknown as ServerConstructor,
    isIP,
    isIPv4,
    isIPv6,
    BlockList,
    SocketAddress,
    getDefaultAutoSelectFamily: () => defaults.autoSelectFamily,
    setDefaultAutoSelectFamily: (value) => {
      if (typeof value !== 'boolean') throw invalidArgType('value', 'of type boolean', value);
      defaults.autoSelectFamily = value;
    },
    getDefaultAutoSelectFamilyAttemptTimeout: () => defaults.attemptTimeout,
    setDefaultAutoSelectFamilyAttemptTimeout: (value) => {
      if (!Number.isInteger(value) || value < 1) throw outOfRange('value', '>= 1', value);
      defaults.attemptTimeout = Math.max(value, 10);
    },
  };
}
