'use strict';

/*
 * One end of a bulk transfer, in a process of its own; bulk.js forks two of them. Takes over IPC
 *   { implementation: 'raw' | 'raw-packet' | 'tun' | 'tun-plain' | 'node:net' }
 *                                                          once, answered by { ready: true }
 *   { serve: { host, port } }                              answered by { listening: true }
 *   { transfer: { host, port, direction, bytes } }         answered by { seconds, cpu }
 *   { usage: true }                                        answered by { cpu }
 * The first line of a connection tells the server what is wanted: "send N" or "receive N", as the
 * client sees it. CPU time is that of the whole process so far, in seconds.
 */

const net = require('node:net');

const CHUNK = Buffer.alloc(65536, 'netland ');

function cpu() {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
}

/** Writes `bytes` bytes as fast as the stream takes them, then ends it. */
function pour(socket, bytes) {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
      left -= chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}

function answer(socket) {
  let request = '';
  socket.on('error', (error) => process.send({ error: error.message }));
  socket.on('data', (data) => {
    if (request.endsWith('\n')) return;
    // What follows the line belongs to the payload, and is only thrown away.
    const end = data.indexOf(10);
    request += data.latin1Slice(0, end === -1 ? data.length : end + 1);
    const [, direction, bytes] = /^(\w+) (\d+)\n$/.exec(request) ?? [];
    if (direction === 'receive') pour(socket, Number(bytes));
  });
  socket.on('end', () => socket.end());
}

function transfer(api, { host, port, direction, bytes }) {
  const cpuBefore = cpu();
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    let received = 0;
    const socket = api.connect({ host, port, allowHalfOpen: true }, () => {
      socket.write(`${direction} ${bytes}\n`);
      if (direction === 'send') pour(socket, bytes);
    });
    socket.on('data', (data) => (received += data.length));
    socket.on('error', reject);
    socket.on('end', () => {
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      if (direction === 'receive') socket.end();
      if (direction === 'receive' && received !== bytes) {
        reject(new Error(`${received} of ${bytes} bytes received`));
        return;
      }
      resolve({ seconds, cpu: cpu() - cpuBefore });
    });
  });
}

let api = net;

/** The kernel has 10.8.0.1 on a TUN device, we 10.8.0.2; plain: without offload. */
function stackOptions(implementation) {
  const { rawLink, tunLink } = require('../../dist/index.js');
  if (implementation === 'raw') return { link: rawLink() };
  if (implementation === 'raw-packet') return { link: rawLink({ send: 'packet' }) };
  const hostAddresses = ['10.8.0.1/24'];
  const link = tunLink({ name: 'nlbench', hostAddresses, offload: implementation === 'tun' });
  return { link, addresses: ['10.8.0.2/24'] };
}

async function handle(message) {
  if (message.implementation !== undefined) {
    if (message.implementation === 'node:net') return { ready: true };
    const { Stack } = require('../../dist/index.js');
    const stack = await Stack.open(stackOptions(message.implementation));
    api = stack.net;
    return { ready: true };
  }
  if (message.usage !== undefined) return { cpu: cpu() };
  if (message.transfer !== undefined) return transfer(api, message.transfer);
  const { host, port } = message.serve;
  const server = api.createServer({ allowHalfOpen: true }, answer);
  await new Promise((resolve) => server.listen(port, host, resolve));
  return { listening: true };
}

process.on('message', (message) => {
  handle(message).then(
    (reply) => process.send(reply),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit());
