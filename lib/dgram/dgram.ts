import type { Driver } from '../driver/driver';
import { callable } from '../net/callable';
import { Socket, type SocketArguments } from './socket';
import type { RemoteInfo, SocketOptions, SocketType } from './types';

type MessageListener = (message: Buffer, sender: RemoteInfo) => void;

/** A class that makes an object without `new` as well. */
export interface DatagramSocketConstructor {
  new (type: SocketType | SocketOptions, listener?: MessageListener): Socket;
  (type: SocketType | SocketOptions, listener?: MessageListener): Socket;
  readonly prototype: Socket;
}

/** The names of node:dgram, for one stack. The functions are bound: they may be passed on alone. */
export interface Dgram {
  /**
   * Makes a socket for datagrams.
   * @param listener for 'message'
   * @throws TypeError ERR_SOCKET_BAD_TYPE, ERR_INVALID_ARG_TYPE; RangeError ERR_OUT_OF_RANGE
   */
  readonly createSocket: (type: SocketType | SocketOptions, listener?: MessageListener) => Socket;
  readonly Socket: DatagramSocketConstructor;
}

/**
 * Makes the API of node:dgram on a stack.
 * @param stack whose driver may be replaced: sockets of the old one hear nothing any more
 */
export function makeDgram(stack: { readonly driver: Driver }): Dgram {
  // The class of this stack goes by the name that node:dgram's has.
  const classes = {
    Socket: class extends Socket {
      constructor(...args: SocketArguments) {
        super(stack, ...args);
      }
    },
  };
  return {
    createSocket: (...args) => new classes.Socket(...args),
    Socket: callable(classes.Socket) as unknown as DatagramSocketConstructor,
  };
}
