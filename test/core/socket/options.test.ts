import { Errno } from '../../../lib/core/errno';
import {
  optionValue,
  SocketOption,
  SocketOptions,
  withOption,
} from '../../../lib/core/socket/options';
import { makeSettings } from '../../../lib/core/tcp/settings';
import { reno } from '../../../lib/core/tcp/reno';
import { Lab } from '../../support/lab';

/** Each option, its value on a new socket, and its range. */
const OPTIONS: readonly (readonly [name: string, SocketOption, number, number, number])[] = [
  ['TCP_NODELAY', SocketOption.NoDelay, 0, 0, 1],
  ['TCP_CORK', SocketOption.Cork, 0, 0, 1],
  ['SO_KEEPALIVE', SocketOption.KeepAlive, 0, 0, 1],
  ['TCP_KEEPIDLE', SocketOption.KeepIdle, 11, 1, 32_767_000],
  ['TCP_KEEPINTVL', SocketOption.KeepInterval, 12, 1, 32_767_000],
  ['TCP_KEEPCNT', SocketOption.KeepCount, 13, 1, 127],
  ['SO_SNDBUF', SocketOption.SendBuffer, 14_000, 2048, 2 ** 30],
  ['SO_RCVBUF', SocketOption.ReceiveBuffer, 15_000, 1024, 2 ** 30],
  ['SO_REUSEADDR', SocketOption.ReuseAddress, 0, 0, 1],
  ['IPV6_V6ONLY', SocketOption.Ipv6Only, 0, 0, 1],
  ['TCP_MAXSEG', SocketOption.MaxSegment, 0, 0, 32_767],
  ['TCP_SYNCNT', SocketOption.SynCount, 0, 0, 127],
  ['TCP_USER_TIMEOUT', SocketOption.UserTimeout, 0, 0, 2 ** 31 - 1],
  ['IP_TTL', SocketOption.Ttl, 16, 1, 255],
  ['IP_TOS', SocketOption.TrafficClass, 0, 0, 255],
];

const tcp = {
  keepAliveTime: 11,
  keepAliveInterval: 12,
  keepAliveProbes: 13,
  sendBuffer: 14_000,
  receiveBuffer: 15_000,
  ttl: 16,
};

describe('socket options', () => {
  const initial = new SocketOptions(makeSettings(tcp), reno);

  test.each(OPTIONS)('%s', (_, option, value, min, max) => {
    expect(optionValue(initial, option)).toBe(value);
    for (const set of [min, max]) {
      const changed = withOption(initial, option, set) as SocketOptions;
      expect(changed).toBeInstanceOf(SocketOptions);
      expect(optionValue(changed, option)).toBe(set);
      // Others share the object: what it was it stays, and no other option changes.
      expect(optionValue(initial, option)).toBe(value);
      for (const [, other, before] of OPTIONS) {
        if (other !== option) expect(optionValue(changed, other)).toBe(before);
      }
    }
    for (const wrong of [min - 1, max + 1, min + 0.5, NaN]) {
      expect(withOption(initial, option, wrong)).toBeNull();
    }
  });

  test('of a socket: EINVAL out of range, EBADF after close(2); an accepted one inherits', () => {
    const lab = new Lab({ tcp });
    const listener = lab.listen(lab.b, 80);
    expect(listener.setOption(SocketOption.Ttl, 99)).toBe(0);
    expect(listener.setOption(SocketOption.Ttl, 0)).toBe(-Errno.EINVAL);
    const client = lab.connect(lab.a, lab.b, 80);
    lab.run(() => listener.waiting > 0);
    const accepted = listener.accept();
    if (typeof accepted === 'number') throw new Error('nothing to accept');
    expect(accepted.getOption(SocketOption.Ttl)).toBe(99);
    expect(client.getOption(SocketOption.Ttl)).toBe(16);
    client.close();
    expect(client.setOption(SocketOption.Ttl, 5)).toBe(-Errno.EBADF);
  });
});
