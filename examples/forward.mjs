// Everything that comes out of a TUN device goes on through the kernel's own sockets, as tun2socks
// does it: TCP and UDP, IPv4 and IPv6, and why a connection was refused. So that all goes there that
// comes in by eth1: ip rule add iif eth1 lookup 100; ip route add default dev nl0 table 100; and the
// same with ip -6.
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { pipeline } from 'node:stream';
import { Stack, tunLink } from 'netland';

const IDLE = 60_000; // ms without a datagram after which a flow is forgotten
const MAX_FLOWS = 4096;

const link = tunLink({ name: process.argv[2] ?? 'nl0' });
const stack = await Stack.open({ link, anyAddress: true });

/** Bytes go both ways, and so does the end of them; a failure goes on as a reset. */
function join(a, b) {
  const ways = [
    [a, b],
    [b, a],
  ];
  for (const [from, to] of ways) {
    from.on('error', () => to.resetAndDestroy());
    pipeline(from, to, () => {});
  }
}

const server = stack.net.createServer({ allowHalfOpen: true });
server.on('syn', (syn) => {
  const { localAddress: host, localPort: port, signal } = syn;
  const upstream = net.connect({ host, port, signal, allowHalfOpen: true });
  upstream.on('error', (error) => syn.reject(error));
  upstream.on('connect', () => syn.accept((socket) => join(socket, upstream)));
});
server.listen({ anyPort: true }, () => console.log('forwarding', stack.linkName));

for (const type of ['udp4', 'udp6']) {
  const flows = new Map();
  const any = stack.dgram.createSocket({ type, ipv6Only: type === 'udp6' });
  any.on('message', (message, sender) => {
    const key = [sender.address, sender.port, sender.localAddress, sender.localPort].join(' ');
    if (!flows.has(key) && flows.size < MAX_FLOWS) {
      const upstream = dgram.createSocket(type, (answer) => {
        idle.refresh();
        any.reply(answer, sender);
      });
      const idle = setTimeout(() => upstream.close(), IDLE);
      upstream.on('error', () => upstream.close());
      upstream.on('close', () => flows.delete(key) && clearTimeout(idle));
      upstream.connect(sender.localPort, sender.localAddress);
      flows.set(key, { upstream, idle, connected: once(upstream, 'connect') });
    }
    const flow = flows.get(key);
    flow?.idle.refresh();
    flow?.connected.then(() => flow.upstream.send(message)).catch(() => {}); // it is lost
  });
  any.bind({ anyPort: true });
}
