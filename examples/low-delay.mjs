// A congestion controller of one's own. It keeps the queue of the bottleneck short, as TCP Vegas
// does: of the smallest round trip it knows what the path itself takes; what the window holds beyond
// that waits in a queue, and should be between ALPHA and BETA segments.
import { once } from 'node:events';
import { Network } from 'netland/testing';

const ALPHA = 3;
const BETA = 6;

export const lowDelay = {
  name: 'low-delay',
  init(connection) {
    connection.state = { base: Infinity, rtt: Infinity, left: connection.cwnd };
  },
  ssthresh(connection) {
    return Math.max(connection.cwnd / 2, 2); // after a loss
  },
  acked({ state }, _acked, rtt) {
    if (rtt > 0) state.rtt = Math.min(state.rtt, rtt);
  },
  congAvoid(connection, acked) {
    const { state, cwnd } = connection;
    const slowStart = cwnd < connection.ssthresh;
    if (slowStart) connection.slowStart(acked);
    state.left -= acked;
    if (state.left > 0 || state.rtt === Infinity) return; // once in a round trip
    state.base = Math.min(state.base, state.rtt);
    const queued = cwnd * (1 - state.base / state.rtt);
    if (queued > (slowStart ? ALPHA : BETA)) {
      connection.cwnd = connection.ssthresh = cwnd - (queued - ALPHA) / 2;
    } else if (!slowStart && queued < ALPHA) connection.cwnd = cwnd + 1;
    state.left = connection.cwnd;
    state.rtt = Infinity;
  },
};

/** The median of the round trips, in ms, that one byte needs beside an upload, and its Mbit/s. */
export async function measure(congestionControl) {
  const network = new Network({ seed: 1 });
  const client = network.host('client', { congestionControl });
  const server = network.host('server');
  network.link(client, server, { rate: 10e6, delay: 20, queue: 2e6 }); // bit/s, ms, bytes
  let received = 0;
  const sink = (socket) => socket.on('data', (data) => (received += data.length));
  server.net.createServer(sink).listen(9);
  server.net.createServer((socket) => socket.pipe(socket)).listen(7);
  const measured = await network.run(async () => {
    const upload = client.net.connect(9, server.address);
    upload.on('drain', () => upload.write(Buffer.alloc(1e6))).write(Buffer.alloc(2e6));
    const echo = client.net.connect({ port: 7, host: server.address, noDelay: true });
    await once(echo, 'connect');
    const times = [];
    while (network.now < 20_000) {
      const start = network.now;
      echo.write('?');
      await once(echo, 'data');
      times.push(network.now - start);
    }
    echo.destroy();
    upload.destroy();
    const roundTrip = times.sort((a, b) => a - b)[times.length >> 1];
    return { roundTrip, goodput: (received * 8) / network.now / 1000 };
  });
  network.close();
  return measured;
}

for (const control of ['cubic', lowDelay]) {
  const { roundTrip, goodput } = await measure(control);
  const name = control.name ?? control;
  console.log(`${name}: ${goodput.toFixed(1)} Mbit/s, round trips of ${Math.round(roundTrip)} ms`);
}
