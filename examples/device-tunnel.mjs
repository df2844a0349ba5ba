// The far end of a device's tunnel: a connection on which, behind a line that says who has which
// address, there is nothing but IPv6 packets. Netland is the host that they are for.
import { once } from 'node:events';
import net from 'node:net';
import { Stack, streamLink } from 'netland';

/** Reads that line; what came behind it goes back into the stream. */
async function readSettings(socket) {
  let bytes = Buffer.alloc(0);
  while (!bytes.includes('\n')) {
    const chunk = socket.read();
    if (chunk === null) await once(socket, 'readable');
    else bytes = Buffer.concat([bytes, chunk]);
  }
  const end = bytes.indexOf('\n');
  socket.unshift(bytes.subarray(end + 1));
  return JSON.parse(bytes.subarray(0, end).toString());
}

// In the place of a device: it greets whoever connects to its port 62078, through the tunnel.
const device = net.createServer(async (socket) => {
  socket.write('{"device":"fd78::1","host":"fd78::2","mtu":16000}\n');
  const link = streamLink(socket, { mtu: 16000 });
  const stack = await Stack.open({ link, addresses: ['fd78::1/64'] });
  const server = stack.net.createServer((peer) => peer.end(`hello, ${peer.remoteAddress}`));
  server.on('error', ({ cause }) => console.log('the device says:', cause.message)).listen(62078);
});
await once(device.listen(0, '127.0.0.1'), 'listening');

const tunnel = net.connect(device.address().port, '127.0.0.1');
const settings = await readSettings(tunnel);
const link = streamLink(tunnel, { mtu: settings.mtu });
const stack = await Stack.open({ link, addresses: [`${settings.host}/64`] });
const socket = stack.net.connect(62078, settings.device);
for await (const chunk of socket) console.log(String(chunk), 'at', socket.localAddress);
await stack.close(); // FIN, and then the end of the tunnel
device.close();
