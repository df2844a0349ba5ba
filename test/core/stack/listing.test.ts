import { Lab, pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;

/** `ss -tan`, in one line for each. */
function listed(core: Lab['a']['core']): string[] {
  return core
    .list()
    .map(({ state, recvQ, sendQ, localAddress, localPort, remoteAddress, remotePort }) =>
      [state, recvQ, sendQ, `${localAddress}:${localPort}`, `${remoteAddress}:${remotePort}`].join(
        ' ',
      ),
    )
    .sort();
}

describe('the listing of connections (mission S7)', () => {
  test('listeners: how many wait, and the backlog', () => {
    const lab = new Lab({ delay: 0 });
    const listener = lab.listen(lab.b, 80, 7);
    const dual = lab.b.core.socket(6);
    expect([dual.bind(dual.localAddress, 81), dual.listen(3)]).toEqual([0, 0]);
    expect(listed(lab.b.core)).toEqual([
      'LISTEN 0 3 :::81 null:null',
      'LISTEN 0 7 10.0.0.2:80 null:null',
    ]);
    lab.connect(lab.a, lab.b, 80);
    lab.run(() => false, SECOND);
    expect(listed(lab.b.core)).toContain('LISTEN 1 7 10.0.0.2:80 null:null');
    expect(listener.close() + dual.close()).toBe(0);
    lab.run(() => false, SECOND);
    expect(listed(lab.b.core)).toEqual([]);
  });

  test('every state from SYN-SENT to TIME-WAIT, with what is queued', () => {
    const lab = new Lab({ ports: [40_000, 40_000] });
    const listener = lab.listen(lab.b, 80);
    const ends = (core: Lab['a']['core']) =>
      core === lab.a.core ? '10.0.0.1:40000 10.0.0.2:80' : '10.0.0.2:80 10.0.0.1:40000';
    const line = (core: Lab['a']['core']) => listed(core).find((text) => text.endsWith(ends(core)));
    const client = lab.connect(lab.a, lab.b, 80);
    expect(line(lab.a.core)).toBe(`SYN-SENT 0 0 ${ends(lab.a.core)}`);
    lab.run(() => lab.b.core.list().length > 1);
    expect(line(lab.b.core)).toBe(`SYN-RECEIVED 0 0 ${ends(lab.b.core)}`);
    lab.run(() => listener.waiting > 0);
    const server = listener.accept();
    if (typeof server === 'number') throw new Error('nothing to accept');
    client.send(pattern(100), 0, 100);
    expect(line(lab.a.core)).toBe(`ESTABLISHED 0 100 ${ends(lab.a.core)}`);
    lab.run(() => server.inQueue > 0);
    expect(line(lab.b.core)).toBe(`ESTABLISHED 100 0 ${ends(lab.b.core)}`);
    client.close();
    lab.flush();
    expect(line(lab.a.core)).toMatch(/^FIN-WAIT-1 0 /);
    lab.run(() => false, SECOND);
    expect(line(lab.a.core)).toBe(`FIN-WAIT-2 0 0 ${ends(lab.a.core)}`);
    expect(line(lab.b.core)).toBe(`CLOSE-WAIT 100 0 ${ends(lab.b.core)}`);
    server.take(100);
    server.close();
    lab.flush();
    expect(line(lab.b.core)).toBe(`LAST-ACK 0 0 ${ends(lab.b.core)}`);
    lab.run(() => false, SECOND);
    expect(line(lab.a.core)).toBe(`TIME-WAIT 0 0 ${ends(lab.a.core)}`);
    expect(line(lab.b.core)).toBeUndefined();
    lab.run(() => false, 60 * SECOND);
    expect(lab.a.core.list()).toEqual([]);
  });

  test('of both families', () => {
    const peer = new Peer({ family: 6 });
    peer.open();
    expect(listed(peer.host.core)).toEqual([
      'ESTABLISHED 0 0 fd00::1:80 fd00::2:5000',
      'LISTEN 0 16 fd00::1:80 null:null',
    ]);
  });
});
