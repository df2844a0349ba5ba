import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { Lab, expectOk, leftovers, NOTHING } from '../../support/lab';

const PORT = 80;

function member(lab: Lab, reusePort = 1): StreamSocket {
  const socket = lab.b.core.socket(4);
  socket.setOption(SocketOption.ReusePort, reusePort);
  expectOk(socket.bind(lab.b.address, PORT));
  expectOk(socket.listen(1000));
  return socket;
}

/** Where each client came to, by its port. */
function arrivals(listeners: readonly StreamSocket[]): Map<number, number> {
  const found = new Map<number, number>();
  listeners.forEach((listener, index) => {
    for (;;) {
      const socket = listener.accept();
      if (typeof socket === 'number') break;
      found.set(socket.remotePort, index);
      socket.abort();
    }
  });
  return found;
}

describe('SO_REUSEPORT: several listeners on one port', () => {
  test('each connection goes to one of them, each of them has its share', () => {
    const lab = new Lab({ log: false });
    const listeners = [member(lab), member(lab), member(lab), member(lab)];
    // One reservation of the port, as one guard of a raw link, serves all.
    expect([...lab.b.ports.held]).toEqual(['10.0.0.2 80']);
    for (let i = 0; i < 400; i++) lab.connect(lab.a, lab.b, PORT);
    lab.pass(1_000_000);
    const first = arrivals(listeners);
    expect(first.size).toBe(400);
    for (let index = 0; index < 4; index++) {
      const share = [...first.values()].filter((other) => other === index).length;
      // Of a fair choice: 100, with a deviation of 8.7.
      expect(share).toBeGreaterThan(60);
      expect(share).toBeLessThan(140);
    }
    listeners.forEach((listener) => listener.close());
    lab.pass(200_000_000);
    expect(leftovers(lab.b)).toEqual(NOTHING);
  });

  test('a handshake stays with its listener, whoever joins meanwhile', () => {
    const lab = new Lab({ log: false });
    const listeners = [member(lab), member(lab)];
    // Third segments are lost, until another has joined.
    lab.filter = (packet, from) => (from === lab.a && (packet[33] & 2) === 0 ? false : undefined);
    for (let i = 0; i < 50; i++) lab.connect(lab.a, lab.b, PORT);
    lab.pass(500_000);
    const before = listeners.map(({ listening }) => listening?.handshakes);
    listeners.push(member(lab));
    lab.filter = null;
    lab.pass(10_000_000);
    expect(listeners.map(({ waiting }) => waiting)).toEqual([...before, 0]);
  });

  test('one that closes leaves its accepted connections, and the port to the others', () => {
    const lab = new Lab({ log: false });
    const [first, second] = [member(lab), member(lab)];
    for (let i = 0; i < 20; i++) lab.connect(lab.a, lab.b, PORT);
    lab.pass(100_000);
    const accepted = first.accept() as StreamSocket;
    first.close();
    const others = Array.from({ length: 20 }, () => lab.connect(lab.a, lab.b, PORT));
    lab.pass(100_000);
    expect(others.every((other) => other.status?.row !== -1)).toBe(true);
    expect(second.waiting).toBeGreaterThanOrEqual(20);
    expect(accepted.send(new Uint8Array(3), 0, 3)).toBe(3);
    expect(lab.b.ports.held.size).toBe(1);
  });

  test('who doesn’t have the option can’t join, nor be joined', () => {
    const lab = new Lab();
    member(lab);
    expect(() => member(lab, 0)).toThrow(String(Errno.EADDRINUSE));
    const other = new Lab();
    member(other, 0);
    expect(() => member(other)).toThrow(String(Errno.EADDRINUSE));
  });

  test('what is left of connections keeps the port for those who have the option', () => {
    const lab = new Lab({ log: false });
    const listener = member(lab);
    lab.connect(lab.a, lab.b, PORT);
    lab.pass(100_000);
    const accepted = listener.accept() as StreamSocket;
    listener.close();
    accepted.shutdown(1);
    lab.pass(100_000);
    for (const [option, result] of [
      [SocketOption.ReuseAddress, -Errno.EADDRINUSE],
      [SocketOption.ReusePort, 0],
    ]) {
      const socket = lab.b.core.socket(4);
      socket.setOption(option, 1);
      expect(socket.bind(lab.b.address, PORT)).toBe(result);
    }
  });
});
