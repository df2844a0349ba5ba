import { EpollSet } from './epoll';
import { isSocket } from './files';
import { Event } from './linux';
import type { Operation } from './operations';
import { events } from './readiness';
import { asInt, Blocked, CallError, type Reply, type Request } from './request';
import type { Session } from './session';

const ALWAYS = Event.ERR | Event.HUP | Event.NVAL;
/** What RLIMIT_NOFILE commonly is at most. */
const MAX_POLLED = 65_536;

/** A deadline from a timeout in ms; negative: for ever. */
function deadline(session: Session, timeout: number): number {
  return timeout < 0 ? Infinity : session.now + timeout * 1000;
}

/** The events of one entry of poll(2); a negative descriptor is passed over. */
function polled(session: Session, fd: number, mask: number): number {
  if (fd < 0) return 0;
  const file = session.files.find(fd);
  if (file === undefined) return Event.NVAL;
  const all = isSocket(file) ? events(file) : file.isReadable ? Event.IN : 0;
  return all & (mask | ALWAYS);
}

function poll(session: Session, request: Request): Reply | Blocked {
  const timeout = request.int('timeout') | 0;
  const fds = request.list('fds').map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2) throw new CallError('EINVAL');
    return { fd: asInt(entry[0]), mask: asInt(entry[1]) & 0xffff };
  });
  if (fds.length > MAX_POLLED) throw new CallError('EINVAL');
  const look = (): Reply => {
    const revents = fds.map(({ fd, mask }) => polled(session, fd, mask));
    return { ret: revents.filter((mask) => mask !== 0).length, revents };
  };
  const attempt = (): Reply | null => {
    const reply = look();
    return reply.ret > 0 ? reply : null;
  };
  if (timeout === 0) return look();
  return attempt() ?? new Blocked(attempt, deadline(session, timeout), look);
}

function epollCreate(session: Session, request: Request): Reply {
  if (request.int('size', 1) <= 0) throw new CallError('EINVAL');
  return { ret: session.files.add(new EpollSet()) };
}

function epollOf(session: Session, request: Request): EpollSet {
  const file = session.files.get(request.int('epfd'));
  if (!(file instanceof EpollSet)) throw new CallError('EINVAL');
  return file;
}

function epollCtl(session: Session, request: Request): Reply {
  const epfd = request.int('epfd');
  const fd = request.int('fd');
  session.files.get(epfd);
  const file = session.files.get(fd);
  const set = epollOf(session, request);
  // A set within a set: nobody asks for it here.
  if (!isSocket(file)) throw new CallError('EINVAL');
  set.control(request.int('ctl'), fd, file, request.int('events', 0), request.raw('data') ?? fd);
  return { ret: 0 };
}

function epollWait(session: Session, request: Request): Reply | Blocked {
  const set = epollOf(session, request);
  const max = request.int('max');
  if (max <= 0) throw new CallError('EINVAL');
  const timeout = request.int('timeout') | 0;
  const look = (): Reply => {
    const found = set.take(max);
    return { ret: found.length, events: found };
  };
  const attempt = (): Reply | null => {
    const reply = look();
    return reply.ret > 0 ? reply : null;
  };
  if (timeout === 0) return look();
  return attempt() ?? new Blocked(attempt, deadline(session, timeout), look);
}

export const POLL_CALLS: Readonly<Record<string, Operation>> = {
  poll,
  epoll_create: epollCreate,
  epoll_ctl: epollCtl,
  epoll_wait: epollWait,
};
