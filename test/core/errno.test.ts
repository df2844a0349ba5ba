import { constants } from 'node:os';
import { Errno, errnoName } from '../../lib/core/errno';

/** What calls of the socket layer and of the system below may return. */
const NAMES = `
  EPERM ENOENT EINTR EIO ENXIO EBADF EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST ENODEV EINVAL
  ENFILE EMFILE ENOSPC EPIPE EDOM ERANGE ENOSYS EPROTO EBADMSG EOVERFLOW EILSEQ ENOTSOCK
  EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP EAFNOSUPPORT
  EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS
  EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS ECANCELED
`;

describe('errno', () => {
  const onLinux = process.platform === 'linux' ? test : test.skip;

  onLinux('has the names and numbers of the system', () => {
    const names = NAMES.trim().split(/\s+/);
    const system = constants.errno as Readonly<Record<string, number>>;
    for (const name of names) expect([name, errnoName(system[name])]).toEqual([name, name]);
    const numbers = names.map((name) => system[name]);
    for (const number of Object.values(system).filter((other) => !numbers.includes(other))) {
      expect(errnoName(number)).toBe(`errno ${number}`);
    }
  });

  test('names either sign and numbers that it does not know', () => {
    expect(errnoName(Errno.ECONNREFUSED)).toBe('ECONNREFUSED');
    expect(errnoName(-Errno.ECONNRESET)).toBe('ECONNRESET');
    expect(errnoName(Errno.ESHUTDOWN)).toBe('ESHUTDOWN');
    expect(errnoName(Errno.EHOSTDOWN)).toBe('EHOSTDOWN');
    expect(errnoName(4000)).toBe('errno 4000');
  });
});
