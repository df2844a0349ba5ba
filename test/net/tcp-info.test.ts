import { Bench } from '../support/bench';
import { once } from '../support/net-apis';

describe('tcpInfo()', () => {
  it('is null before, true while it lives, and stays when it is over', async () => {
    const bench = await Bench.open();
    expect(new bench.near.net.Socket().tcpInfo()).toBeNull();
    const { client, peer } = await bench.connect();
    client.write(Buffer.alloc(5000));
    await bench.clock.advance(100);
    expect(client.tcpInfo()).toMatchObject({
      tcpi_state: 1,
      tcpi_bytes_sent: 5000,
      tcpi_bytes_acked: 5001,
      tcpi_unacked: 0,
    });
    expect(peer.tcpInfo()).toMatchObject({ tcpi_state: 1, tcpi_bytes_received: 5000 });
    bench.cable.cut = true;
    client.write(Buffer.alloc(700));
    await bench.clock.advance(10);
    expect(client.tcpInfo()).toMatchObject({ tcpi_bytes_sent: 5700, tcpi_unacked: 1 });
    const closed = once(client, 'close');
    client.destroy();
    await closed;
    expect(client.tcpInfo()).toMatchObject({ tcpi_bytes_sent: 5700, tcpi_bytes_acked: 5001 });
    await bench.close();
  });

  it('after an error tells how it ended; a new connection begins anew', async () => {
    const bench = await Bench.open();
    const { client, peer, server } = await bench.connect();
    client.on('error', () => undefined);
    client.write('12345');
    await bench.clock.advance(100);
    peer.resetAndDestroy();
    await bench.clock.advance(100);
    expect(client.destroyed).toBe(true);
    expect(client.tcpInfo()).toMatchObject({ tcpi_state: 7, tcpi_bytes_acked: 6 });
    server.once('connection', (again) => again.resume());
    client.connect({ port: 7, host: '10.0.0.2' });
    expect(client.tcpInfo()).toBeNull();
    await bench.clock.advance(100);
    expect(client.tcpInfo()).toMatchObject({ tcpi_state: 1, tcpi_bytes_acked: 1 });
    await bench.close();
  });
});
