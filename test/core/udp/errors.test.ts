import { Errno } from '../../../lib/core/errno';
import type { IcmpError } from '../../../lib/core/icmp/icmp-error';
import { Word } from '../../../lib/core/segment/layout';
import { DatagramOption } from '../../../lib/core/socket/datagram-options';
import { MtuDiscover } from '../../../lib/core/socket/options';
import { DatagramHost, ip, say } from '../../support/datagrams';

/** An error about what 10.0.0.1:5000 (fd00::1) has sent to 10.0.0.9:53 (fd00::9). */
function error(family: 4 | 6, type: number, code: number, changes: object = {}): IcmpError {
  const [local, remote] = family === 4 ? ['10.0.0.1', '10.0.0.9'] : ['fd00::1', 'fd00::9'];
  const ends = { local: ip(local), localPort: 5000, remote: ip(remote), remotePort: 53 };
  const fixed = { kind: 'icmp', family, type, code, mtu: 0, intact: true, sequence: 0 } as const;
  const header = family === 4 ? [0x45, ...new Array<number>(19).fill(0)] : new Array(40).fill(0);
  const quoted = Uint8Array.of(...(header as number[]), ...new Array<number>(8).fill(0), 1, 2);
  return { ...fixed, quoted, ...ends, ...changes } as IcmpError;
}

function connected(family: 4 | 6) {
  const host = new DatagramHost();
  const socket = host.socket(family, family === 4 ? '10.0.0.1' : 'fd00::1', 5000);
  socket.connect(ip(family === 4 ? '10.0.0.9' : 'fd00::9'), 53);
  return { host, socket };
}

describe('an ICMP error', () => {
  it.each([
    [4, 3, 0, 0, Errno.ENETUNREACH],
    [4, 3, 1, 0, Errno.EHOSTUNREACH],
    [4, 3, 2, Errno.ENOPROTOOPT, Errno.ENOPROTOOPT],
    [4, 3, 3, Errno.ECONNREFUSED, Errno.ECONNREFUSED],
    [4, 3, 5, 0, Errno.EOPNOTSUPP],
    [4, 3, 6, Errno.ENETUNREACH, Errno.ENETUNREACH],
    [4, 3, 13, Errno.EHOSTUNREACH, Errno.EHOSTUNREACH],
    [4, 3, 35, 0, 0],
    [4, 4, 0, 0, 0],
    [4, 11, 0, 0, Errno.EHOSTUNREACH],
    [4, 12, 0, Errno.EPROTO, Errno.EPROTO],
    [6, 1, 0, 0, Errno.ENETUNREACH],
    [6, 1, 1, Errno.EACCES, Errno.EACCES],
    [6, 1, 3, 0, Errno.EHOSTUNREACH],
    [6, 1, 4, Errno.ECONNREFUSED, Errno.ECONNREFUSED],
    [6, 3, 0, 0, Errno.EHOSTUNREACH],
    [6, 4, 1, Errno.EPROTO, Errno.EPROTO],
  ] as const)('IPv%i type %i code %i: %i, with IP_RECVERR %i', (family, type, code, own, all) => {
    const { host, socket } = connected(family);
    host.core.udp.onError(error(family, type, code));
    expect(socket.takeError()).toBe(own);
    socket.setOption(DatagramOption.ReceiveErrors, 1);
    host.core.udp.onError(error(family, type, code));
    expect(socket.takeError()).toBe(all);
    const kept = socket.takeKeptError();
    if (all === 0) expect(kept).toBe(-Errno.EAGAIN);
    else expect(kept).toMatchObject({ errno: all, type, code, quoted: Uint8Array.of(1, 2) });
  });

  it('tells a socket without a peer nothing, unless it asks for it', () => {
    const host = new DatagramHost();
    const socket = host.socket(4, '10.0.0.1', 5000);
    host.core.udp.onError(error(4, 3, 3));
    expect(socket.takeError()).toBe(0);
    socket.setOption(DatagramOption.ReceiveErrors, 1);
    host.core.udp.onError(error(4, 3, 3));
    expect(host.core.pollEvent()).toBe(socket);
    expect(socket.takeError()).toBe(Errno.ECONNREFUSED);
  });

  it('about nothing of ours, or broken, is counted', () => {
    const { host, socket } = connected(4);
    host.core.udp.onError(error(4, 3, 3, { localPort: 5001 }));
    host.core.udp.onError(error(6, 1, 4));
    host.core.udp.onError(error(4, 3, 3, { intact: false }));
    expect(socket.takeError()).toBe(0);
    expect(host.core.counters).toMatchObject({
      IcmpInMsgs: 2,
      IcmpInErrors: 2,
      IcmpInCsumErrors: 1,
      Icmp6InErrors: 1,
    });
  });
});

describe('packet too big', () => {
  it.each([4, 6] as const)('IPv%i: what follows is in smaller fragments', (family) => {
    const { host, socket } = connected(family);
    const type = family === 4 ? 3 : 2;
    host.core.udp.onError(error(family, type, family === 4 ? 4 : 0, { mtu: 1300 }));
    expect(socket.takeError()).toBe(Errno.EMSGSIZE);
    expect(socket.send(new Uint8Array(1400), 0, 1400)).toBe(1400);
    expect(host.flush()[0].words[Word.Fragment]).toBe(1300);
    socket.setOption(DatagramOption.MtuDiscover, MtuDiscover.Do);
    expect(socket.send(new Uint8Array(1400), 0, 1400)).toBe(-Errno.EMSGSIZE);
  });

  it.each([
    [4, MtuDiscover.Dont, 0, 1300],
    [4, MtuDiscover.Interface, Errno.EMSGSIZE, 0],
    [6, MtuDiscover.Dont, 0, 1300],
    [6, MtuDiscover.Interface, 0, 0],
  ] as const)('IPv%i with MTU discovery %i: %i', (family, mode, errno, fragment) => {
    const { host, socket } = connected(family);
    socket.setOption(DatagramOption.MtuDiscover, mode);
    const type = family === 4 ? 3 : 2;
    host.core.udp.onError(error(family, type, family === 4 ? 4 : 0, { mtu: 1300 }));
    expect(socket.takeError()).toBe(errno);
    socket.setOption(DatagramOption.MtuDiscover, MtuDiscover.Want);
    socket.send(new Uint8Array(1400), 0, 1400);
    expect(host.flush()[0].words[Word.Fragment]).toBe(fragment);
  });

  it('less than any link has room for is not believed', () => {
    const four = connected(4);
    four.host.core.udp.onError(error(4, 3, 4, { mtu: 68 }));
    four.socket.takeError();
    say(four.socket, 'x');
    // DF is no longer set instead, and 552 bytes are believed (Linux: min_pmtu).
    expect(four.host.flush()[0].words[Word.Fragment]).toBe(552);
    const six = connected(6);
    six.host.core.udp.onError(error(6, 2, 0, { mtu: 1279 }));
    six.socket.takeError();
    six.socket.send(new Uint8Array(1400), 0, 1400);
    expect(six.host.flush()[0].words[Word.Fragment]).toBe(0);
  });
});
