// A download, and somebody pulls the cable: node examples/pulled-cable.js
const http = require('node:http');
const { Network } = require('netland/testing');

async function download() {
  const network = new Network({ seed: 7 });
  const client = network.host('client');
  const server = network.host('server');
  const cable = network.link(client, server, { delay: 20, rate: 10e6, loss: 0.01 });
  const seen = [];
  const note = (text) => seen.push(`${(network.now / 1000).toFixed(3)} s: ${text}`);

  await network.run(() => {
    const web = http.createServer((request, response) => response.end(Buffer.alloc(50e6)));
    web.on('clientError', (error) => note(`the server has ${error.message}`));
    server.net.createServer((socket) => web.emit('connection', socket)).listen(80);

    const { address: host } = server;
    http.get({ host, createConnection: client.net.connect }, (response) => {
      setTimeout(() => cable.cut(), 5000);
      response.on('data', () => {});
      response.on('error', (error) => note(`the client has ${error.message}`));
    });
  });
  note(`settled, ${client.connections().length} connection left at the client`);
  await network.close();
  return seen.join('\n');
}

(async () => {
  const start = process.hrtime.bigint();
  const [first, second] = [await download(), await download()];
  console.log(first);
  const ms = (process.hrtime.bigint() - start) / 1_000_000n;
  console.log(`${first === second ? 'twice the same' : 'DIFFERENT'}, both in ${ms} ms`);
})();
