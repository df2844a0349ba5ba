// A whole IPv6 host over one WebSocket: each message is a packet, and node:http is reached at an
// address that nobody but the two ends of the WebSocket knows of. Needs the package ws.
import { once } from 'node:events';
import http from 'node:http';
import { Stack, streamLink } from 'netland';
import { WebSocket, WebSocketServer, createWebSocketStream } from 'ws';

/** A stack whose packets are the messages of this WebSocket. */
function openStack(webSocket, address) {
  const link = streamLink(createWebSocketStream(webSocket, { readableObjectMode: true }));
  return Stack.open({ link, addresses: [`${address}/64`] });
}

const gateway = new WebSocketServer({ host: '127.0.0.1', port: 0 });
gateway.on('connection', async (webSocket) => {
  const stack = await openStack(webSocket, 'fd00::1');
  const web = http.createServer((request, response) => {
    response.end(`${request.socket.remoteAddress} has asked for ${request.url}`);
  });
  const server = stack.net.createServer((socket) => web.emit('connection', socket));
  server
    .on('error', ({ cause }) => console.log('the other end is gone:', cause.message))
    .listen(80);
});
await once(gateway, 'listening');

const webSocket = new WebSocket(`ws://127.0.0.1:${gateway.address().port}`);
const stack = await openStack(webSocket, 'fd00::2');
const options = { host: 'fd00::1', path: '/status', createConnection: stack.net.connect };
const [response] = await once(http.get(options), 'response');
for await (const chunk of response) console.log(String(chunk));
await stack.close(); // the WebSocket is closed, too
gateway.close();
