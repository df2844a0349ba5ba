import { Errno } from '../../../lib/core/errno';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { Lab, pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;

describe('StackCore', () => {
  test('says when it has something to send', () => {
    const peer = new Peer();
    const { core } = peer.host;
    expect(core.hasOutput).toBe(false);
    const socket = peer.host.core.socket(4);
    socket.connect({ w0: 0, w1: 0, w2: 0xffff, w3: 0x0a000002 }, 5000);
    expect(core.hasOutput).toBe(true);
    peer.listen();
    expect(core.hasOutput).toBe(false);
    // An answer without a connection counts, too.
    peer.deliver(peer.packet('S', { port: 9 }));
    expect(core.hasOutput).toBe(true);
    peer.listen();
    expect(core.hasOutput).toBe(false);
  });

  test('fills a batch as far as it goes, and the rest into the next', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    socket.send(pattern(5000), 0, 5000);
    const batch = new SegmentBatch(2);
    const counts: number[] = [];
    while (peer.host.core.hasOutput) {
      batch.count = 0;
      peer.host.core.transmit(batch, peer.now);
      counts.push(batch.count);
    }
    expect(counts.slice(0, 3)).toEqual([2, 2, 1]);
  });

  test('tells of each socket once, in the order of what happened', () => {
    const lab = new Lab();
    const first = lab.pair();
    const second = lab.pair(81);
    while (lab.b.core.pollEvent() !== null);
    for (const { client } of [second, first, second]) {
      client.send(pattern(10), 0, 10);
      lab.run(() => false, SECOND);
    }
    expect(lab.b.core.pollEvent()).toBe(second.server);
    expect(lab.b.core.pollEvent()).toBe(first.server);
    expect(lab.b.core.pollEvent()).toBeNull();
    first.client.send(pattern(10), 0, 10);
    lab.run(() => false, SECOND);
    expect(lab.b.core.pollEvent()).toBe(first.server);
  });

  test('counts the connections with something that the peer has not acknowledged', () => {
    const lab = new Lab();
    const unfinished = () => [lab.a.core.unfinished, lab.b.core.unfinished];
    const listener = lab.listen(lab.b, 80);
    const client = lab.connect(lab.a, lab.b, 80);
    expect(unfinished()).toEqual([1, 0]);
    lab.run(() => listener.waiting > 0);
    expect(unfinished()).toEqual([0, 0]);
    const server = listener.accept();
    if (typeof server === 'number') throw new Error('nothing to accept');
    client.send(pattern(10), 0, 10);
    expect(unfinished()).toEqual([1, 0]);
    lab.run(() => false, SECOND);
    expect(unfinished()).toEqual([0, 0]);
    // FIN-WAIT-1, FIN-WAIT-2, LAST-ACK, TIME-WAIT.
    server.take(10);
    client.close();
    expect(unfinished()).toEqual([1, 0]);
    lab.run(() => false, SECOND);
    expect(unfinished()).toEqual([0, 0]);
    server.close();
    expect(unfinished()).toEqual([0, 1]);
    lab.run(() => false, SECOND);
    expect(unfinished()).toEqual([0, 0]);
  });

  test('CLOSING is unfinished until the FIN is acknowledged', () => {
    const peer = new Peer();
    const socket = peer.answer();
    socket.close();
    peer.listen();
    peer.say('F.', { ack: 1 });
    expect(peer.host.core.list()[0].state).toBe('CLOSING');
    expect(peer.host.core.unfinished).toBe(1);
    peer.say('.');
    expect(peer.host.core.list()[0].state).toBe('TIME-WAIT');
    expect(peer.host.core.unfinished).toBe(0);
  });

  test('an idle connection holds no buffers', () => {
    const lab = new Lab();
    const { client, server } = lab.pair();
    const held = () => [client.status?.sendBuffer, server.status?.receiveBuffer].map(Boolean);
    expect(held()).toEqual([false, false]);
    client.send(pattern(10), 0, 10);
    expect(held()).toEqual([true, false]);
    lab.run(() => false, SECOND);
    expect(held()).toEqual([false, true]);
    server.take(10);
    expect(held()).toEqual([false, false]);
  });

  test('abortAll resets every peer, and leaves listeners alone', () => {
    const lab = new Lab();
    const { client, server, listener } = lab.pair();
    lab.b.core.abortAll(Errno.ENETDOWN);
    expect(server.takeError()).toBe(Errno.ENETDOWN);
    lab.run(() => false, SECOND);
    expect(client.takeError()).toBe(Errno.ECONNRESET);
    expect(lab.b.core.list().map(({ state }) => state)).toEqual(['LISTEN']);
    expect(lab.b.core.unfinished).toBe(0);
    listener.close();
  });

  test('time never goes back', () => {
    const { core } = new Lab().a;
    core.advance(500);
    core.advance(400);
    expect(core.now).toBe(500);
    core.onTimer(450);
    expect(core.now).toBe(500);
  });
});
