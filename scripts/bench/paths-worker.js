'use strict';

/*
 * One end of a transfer of paths.js, in a process of its own. Takes over IPC
 *   { implementation: 'netland' | 'kernel' }               once, answered by { ready: true }
 *   { serve: { host, port, from, to } }                    answered by { listening: true }
 *   { send: { host, port, seconds } }                      answered by { sent: true, counters }
 *   { result: true }                                       answered by { bytes, seconds, cpu }
 * The server counts what it reads of its one connection from `from` to `to` seconds after it was
 * accepted.
 */

const net = require('node:net');

const CHUNK = Buffer.alloc(65536, 'netland ');

let api = net;
let stack = null;
let result = null;

function cpu() {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
}

function pour(socket) {
  const more = () => {
    while (!socket.destroyed && socket.write(CHUNK));
  };
  socket.on('drain', more);
  more();
}

function serve({ host, port, from, to }) {
  const server = api.createServer((socket) => {
    let received = 0;
    const started = performance.now();
    const mark = () => ({ at: performance.now(), received, cpu: cpu() });
    socket.on('data', (data) => (received += data.length));
    socket.on('error', () => undefined);
    result = new Promise((resolve) => {
      let first = null;
      setTimeout(() => (first = mark()), from * 1000);
      setTimeout(() => {
        const last = mark();
        const seconds = (last.at - first.at) / 1000;
        const bytes = last.received - first.received;
        resolve({
          bytes,
          seconds,
          total: last.received,
          began: started,
          cpu: last.cpu - first.cpu,
        });
      }, to * 1000);
    });
  });
  return new Promise((resolve) => server.listen(port, host, resolve));
}

function send({ host, port, seconds }) {
  return new Promise((resolve, reject) => {
    const socket = api.connect({ host, port }, () => {
      pour(socket);
      setTimeout(() => {
        const counters = stack === null ? {} : { ...stack.counters };
        resolve({ sent: true, counters, cpu: cpu() });
      }, seconds * 1000);
    });
    socket.on('error', reject);
  });
}

async function handle(message) {
  if (message.implementation !== undefined) {
    if (message.implementation === 'netland') {
      const { Stack, rawLink } = require('../../dist/index.js');
      stack = await Stack.open({ link: rawLink(), tcp: message.tcp });
      api = stack.net;
    }
    return { ready: true };
  }
  if (message.serve !== undefined) {
    await serve(message.serve);
    return { listening: true };
  }
  if (message.send !== undefined) return send(message.send);
  return result ?? Promise.reject(new Error('nobody has connected'));
}

process.on('message', (message) => {
  handle(message).then(
    (reply) => process.send(reply),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit());
