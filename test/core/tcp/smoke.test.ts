import { State } from '../../../lib/core/tcp/state';
import { Lab, pattern, readAll, transfer } from '../../support/lab';

describe('two stacks on a wire', () => {
  test('open, talk, close', () => {
    const lab = new Lab();
    const { client, server } = lab.pair();
    expect(client.state).toBe(State.ESTABLISHED);
    const data = pattern(100_000);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, server, client, data), data)).toBe(0);
    client.shutdown(1);
    lab.run(() => server.poll() !== 4, 10_000_000);
    expect(server.take(10)).toBe(0);
    expect(server.state).toBe(State.CLOSE_WAIT);
    server.close();
    lab.run(() => client.state === State.TIME_WAIT, 10_000_000);
    expect(client.state).toBe(State.TIME_WAIT);
    expect(readAll(client).length).toBe(0);
    client.close();
    lab.run();
    expect(lab.a.core.tcp.tuples.count).toBe(0);
    expect(lab.b.core.tcp.tuples.count).toBe(0);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('5 %% loss both ways, seed %d', (seed) => {
    const lab = new Lab({ seed });
    const dice = pattern(1_000_000, seed);
    lab.filter = (_packet, _from, count) => (dice[count % dice.length] < 13 ? false : undefined);
    const { client, server } = lab.pair();
    const data = pattern(1_000_000, seed);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, server, client, data), data)).toBe(0);
  });
});
