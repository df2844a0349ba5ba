/** Linux's numbers on x86-64, as programs pass them. */

export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/** Address families and socket types. */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;

/** Flags of recv(2) and send(2). */
export const enum Msg {
  OOB = 0x1,
  PEEK = 0x2,
  DONTROUTE = 0x4,
  CTRUNC = 0x8,
  TRUNC = 0x20,
  DONTWAIT = 0x40,
  EOR = 0x80,
  WAITALL = 0x100,
  ERRQUEUE = 0x2000,
  NOSIGNAL = 0x4000,
  MORE = 0x8000,
  ZEROCOPY = 0x4000000,
  FASTOPEN = 0x20000000,
}

/** Events of poll(2) and epoll(7). */
export const enum Event {
  IN = 0x001,
  PRI = 0x002,
  OUT = 0x004,
  ERR = 0x008,
  HUP = 0x010,
  NVAL = 0x020,
  RDNORM = 0x040,
  WRNORM = 0x100,
  WRBAND = 0x200,
  RDHUP = 0x2000,
}

/** Flags beside the events of epoll_ctl(2). */
export const enum Epoll {
  EXCLUSIVE = 1 << 28,
  ONESHOT = 1 << 30,
  ET = 1 << 31,
}

export const enum EpollCtl {
  ADD = 1,
  DEL = 2,
  MOD = 3,
}

/** Levels of socket options. */
export const enum Level {
  IP = 0,
  SOCKET = 1,
  TCP = 6,
  UDP = 17,
  IPV6 = 41,
}

/** Requests of ioctl(2). */
export const IOCTL: Readonly<Record<string, number>> = {
  SIOCINQ: 0x541b,
  SIOCOUTQ: 0x5411,
  SIOCOUTQNSD: 0x894b,
  SIOCATMARK: 0x8905,
};
