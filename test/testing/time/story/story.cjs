'use strict';

const { readFile } = require('node:fs/promises');
const http = require('node:http');
const { promisify } = require('node:util');
const zlib = require('node:zlib');

const EPOCH = Date.UTC(2030, 0, 1);

/** A server that does all sorts of work before it answers, over a cable that loses packets. */
function serve(host, sleep, note) {
  const server = http.createServer(async (request, response) => {
    note(`asked ${request.url}`);
    const file = await readFile(__filename);
    await promisify(zlib.gzip)(Buffer.alloc(200_000, file));
    await sleep(5);
    note(`answers ${request.url}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
    response.end(Buffer.alloc(50_000));
  });
  host.net.createServer((socket) => server.emit('connection', socket)).listen(80);
}

function download(client, address, path) {
  return new Promise((resolve, reject) => {
    const options = { host: address, port: 80, path, createConnection: client.net.connect };
    const request = http.get({ ...options, headers: { connection: 'close' } }, (response) => {
      let bytes = 0;
      response.on('data', (chunk) => (bytes += chunk.length));
      response.on('end', () => resolve(bytes));
    });
    request.on('error', reject);
  });
}

/**
 * Three downloads: what happened, with what `Date` and `performance` showed, and at last whether
 * the globals are what they were.
 * @param Network of netland/testing, as it is loaded there
 * @param sleep setTimeout of node:timers/promises, in the same way
 */
module.exports = async function story(Network, sleep) {
  const globals = () => [setTimeout, clearTimeout, setInterval, Date, performance.now];
  const before = globals();
  const log = [];
  const note = (text) => log.push(`${Date.now() - EPOCH} ${performance.now()} ${text}`);
  const network = new Network({ seed: 7 });
  const client = network.host('client');
  const server = network.host('server');
  network.link(client, server, { delay: 20, loss: 0.05 });
  await network.run(async () => {
    let ticks = 0;
    const interval = setInterval(() => ticks++, 10);
    serve(server, sleep, note);
    for (const path of ['/a', '/b', '/c']) {
      note(`${await download(client, server.address, path)} bytes of ${path}`);
    }
    clearInterval(interval);
    note(`${ticks} ticks`);
  });
  await network.close();
  const same = globals().every((value, index) => value === before[index]);
  return [...log, same ? 'as before' : 'globals are changed'];
};
