import { Errno } from '../../lib/core/errno';
import { formatAddressAs } from '../../lib/core/ip/address';
import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import { Shutdown, type StreamSocket } from '../../lib/core/socket/stream-socket';
import { State } from '../../lib/core/tcp/state';
import { EpollSet } from './epoll';
import { DatagramFile, isSocket, SocketFile } from './files';
import { AF_INET, AF_INET6, O_NONBLOCK, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from './linux';
import type { Operation } from './operations';
import { Blocked, CallError, check, Request, type Endpoint, type Reply } from './request';
import type { Session } from './session';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const OK: Reply = { ret: 0 };

/** socket(2). */
function socket(session: Session, request: Request): Reply {
  const domain = domainOf(request.int('domain'));
  const bits = request.int('type');
  const type = bits & ~(O_NONBLOCK | SOCK_CLOEXEC);
  const protocol = request.int('protocol', 0);
  if (type !== SOCK_STREAM && type !== SOCK_DGRAM) {
    throw new CallError(type > 10 ? 'EINVAL' : 'ESOCKTNOSUPPORT');
  }
  const own = type === SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  if (protocol !== 0 && protocol !== own) throw new CallError('EPROTONOSUPPORT');
  const nonblock = request.flag('nonblock') || (bits & O_NONBLOCK) !== 0;
  const { core } = session.host;
  const file =
    type === SOCK_STREAM
      ? new SocketFile(core.socket(domain), nonblock)
      : new DatagramFile(core.datagramSocket(domain), nonblock);
  return { ret: session.files.add(file) };
}

function domainOf(domain: number): 4 | 6 {
  if (domain === 4 || domain === AF_INET) return 4;
  if (domain === 6 || domain === AF_INET6) return 6;
  throw new CallError('EAFNOSUPPORT');
}

/** An endpoint that a socket of its domain may be given (Linux: the length, then the family). */
export function endpointFor(socket: StreamSocket | DatagramSocket, request: Request): Endpoint {
  const endpoint = request.endpoint();
  if (endpoint === null) throw new CallError('EINVAL');
  if (socket.domain === 6 && endpoint.family === 4) throw new CallError('EINVAL');
  if (endpoint.family !== socket.domain && endpoint.family !== 0) {
    throw new CallError('EAFNOSUPPORT');
  }
  return endpoint;
}

function bind(session: Session, request: Request): Reply {
  const { socket } = session.files.socket(request.int('fd'));
  const { address, port } = endpointFor(socket, request);
  if (address === null) throw new CallError('EAFNOSUPPORT');
  return { ret: check(socket.bind(address, port)) };
}

function listen(session: Session, request: Request): Reply {
  const { socket } = session.files.socket(request.int('fd'));
  return { ret: check(socket.listen(request.int('backlog') | 0)) };
}

/** connect(2). A blocking call that its timeout ends has begun the connection: EINPROGRESS. */
function connect(session: Session, request: Request): Reply | Blocked {
  const file = session.files.socket(request.int('fd'));
  const { socket } = file;
  const { family, address, port } = endpointFor(socket, request);
  if (family === 0 || address === null) return { ret: check(socket.disconnect()) };
  const result = socket.connect(address, port);
  const begun = result === -Errno.EINPROGRESS || result === -Errno.EALREADY;
  if (!begun || file.nonblock || file.sendTimeout === 0) return { ret: check(result) };
  return new Blocked(
    () => (isConnecting(socket) ? null : { ret: check(socket.connect(address, port)) }),
    session.now + file.sendTimeout,
    () => ({ ret: check(result) }),
  );
}

function isConnecting({ state }: StreamSocket): boolean {
  return state === State.SYN_SENT || state === State.SYN_RECEIVED;
}

function accept(session: Session, request: Request): Reply | Blocked {
  const file = session.files.socket(request.int('fd'));
  const listener = file.socket;
  const attempt = (): Reply | null => {
    if (listener.state === State.LISTEN && listener.waiting === 0) return null;
    const accepted = listener.accept();
    if (typeof accepted === 'number') return { ret: check(accepted) };
    const flags = request.int('flags', 0);
    const nonblock = request.flag('nonblock') || (flags & O_NONBLOCK) !== 0;
    return { ret: session.files.add(inherit(file, accepted, nonblock)), ...peerOf(accepted) };
  };
  const first = attempt();
  if (first !== null) return first;
  if (file.nonblock) throw new CallError('EAGAIN');
  return new Blocked(attempt, session.now + file.receiveTimeout, () => {
    throw new CallError('EAGAIN');
  });
}

/** An accepted socket has the options of its listener, but not its O_NONBLOCK. */
function inherit(listener: SocketFile, socket: StreamSocket, nonblock: boolean): SocketFile {
  const file = new SocketFile(socket, nonblock);
  file.receiveTimeout = listener.receiveTimeout;
  file.sendTimeout = listener.sendTimeout;
  file.tellsQueue = listener.tellsQueue;
  return file;
}

/** The other end, as accept tells it. */
function peerOf(socket: StreamSocket): { addr: string; port: number } {
  return {
    addr: formatAddressAs(socket.remoteAddress, socket.domain),
    port: socket.remotePort,
  };
}

function shutdown(session: Session, request: Request): Reply {
  const { socket } = session.files.socket(request.int('fd'));
  const how = request.int('how');
  if (how < Shutdown.RD || how > Shutdown.RDWR) throw new CallError('EINVAL');
  return { ret: check(socket.shutdown(how)) };
}

function close(session: Session, request: Request): Reply | Blocked {
  const file = session.files.remove(request.int('fd'));
  if (file instanceof EpollSet) return OK;
  for (const other of session.files.all()) if (other instanceof EpollSet) other.forget(file);
  return session.closeFile(file);
}

const F_GETFL = ['F_GETFL', 3] as const;
const F_SETFL = ['F_SETFL', 4] as const;

function fcntl(session: Session, request: Request): Reply {
  const file = session.files.get(request.int('fd'));
  const cmd = request.raw('cmd');
  if (F_GETFL.some((name) => name === cmd)) return { ret: file.flags };
  if (!F_SETFL.some((name) => name === cmd)) throw new CallError('EINVAL');
  const nonblock = request.has('arg')
    ? (request.int('arg') & O_NONBLOCK) !== 0
    : request.flag('nonblock');
  if (isSocket(file)) file.nonblock = nonblock;
  return OK;
}

export const SOCKET_CALLS: Readonly<Record<string, Operation>> = {
  socket,
  bind,
  listen,
  connect,
  accept,
  shutdown,
  close,
  fcntl,
};
