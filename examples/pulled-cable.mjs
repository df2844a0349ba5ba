import http from 'node:http';
import { Network } from 'netland/testing';
const network = new Network({ seed: 7 }); // a network in this process, in virtual time
const [client, server] = [network.host('client'), network.host('server')];
const cable = network.link(client, server, { delay: 20, rate: 10e6, loss: 0.01 }); // ms, bit/s
const web = http.createServer((request, response) => response.end(Buffer.alloc(50e6)));
web.on('clientError', (error) => console.log(`${network.now} ms: ${error.message}`));
server.net.createServer((socket) => web.emit('connection', socket)).listen(80);
await network.run(() => {
  setTimeout(() => cable.cut(), 5000); // somebody pulls it out in the middle of the download
  const options = { host: server.address, createConnection: client.net.connect };
  http.get(options, (response) => response.resume());
});
console.log(`that took ${Math.round(performance.now())} ms`);
