import { createHash } from 'node:crypto';
import * as http from 'node:http';

import type { Net } from '../../../lib/net/net';
import type { Methods } from '../../support/rpc';
import { Pattern } from './pattern';

/** What a fetch brought. JSON. */
export interface Fetched {
  status: number;
  bytes: number;
  /** SHA-256 of the body, hexadecimal. */
  digest: string;
  /** The connection's own port: requests over one connection have the same. */
  localPort: number;
}

/**
 * `GET /N` and `HEAD /N`: N bytes of the pattern, with their length, or in chunks for `/N/chunked`.
 * `POST`: the SHA-256 of the body.
 */
function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    request.on('data', (piece: Buffer) => hash.update(piece));
    request.on('end', () => response.end(hash.digest('hex')));
    return;
  }
  const [, bytes, how] = (request.url ?? '').split('/');
  if (how !== 'chunked') response.setHeader('Content-Length', bytes);
  if (request.method === 'HEAD') response.end();
  else void sendBody(response, Number(bytes));
}

async function sendBody(response: http.ServerResponse, bytes: number): Promise<void> {
  const pattern = new Pattern(1);
  for (let left = bytes; left > 0 && !response.destroyed;) {
    const piece = pattern.next(left);
    left -= piece.length;
    if (response.write(piece)) continue;
    await new Promise((done) => response.once('drain', done).once('close', done));
  }
  response.end();
}

export function httpMethods(api: () => Net): Methods {
  const agents = new Map<boolean, http.Agent>();

  /** An agent whose connections are made by the TCP in question. */
  function agent(keepAlive: boolean): http.Agent {
    const known = agents.get(keepAlive);
    if (known !== undefined) return known;
    const made = new http.Agent({ keepAlive });
    Object.assign(made, { createConnection: api().connect });
    agents.set(keepAlive, made);
    return made;
  }

  function request(url: string, options: http.RequestOptions, body?: Buffer): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      const sent = http.request(url, options, (response) => {
        const localPort = response.socket.localPort ?? 0;
        const hash = createHash('sha256');
        let bytes = 0;
        response.on('data', (piece: Buffer) => {
          hash.update(piece);
          bytes += piece.length;
        });
        response.on('error', reject);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ status, bytes, digest: hash.digest('hex'), localPort });
        });
      });
      sent.on('error', reject).end(body);
    });
  }

  return {
    /** Serves the pattern (see `answer`). */
    httpListen: (host: string, port: number) =>
      new Promise((resolve, reject) => {
        const server = http.createServer({ keepAliveTimeout: 60_000 }, answer);
        const listener = api().createServer((socket) => server.emit('connection', socket));
        listener.once('error', reject);
        listener.listen({ host, port }, () => resolve(listener.address()?.port));
      }),
    /** Fetches one after another, or all at once. */
    httpGet: async (urls: string[], keepAlive: boolean, atOnce: boolean) => {
      const options = { agent: agent(keepAlive) };
      if (atOnce) return Promise.all(urls.map((url) => request(url, options)));
      const results: Fetched[] = [];
      for (const url of urls) results.push(await request(url, options));
      return results;
    },
    httpPost: (url: string, bytes: number) => {
      const options = { method: 'POST', agent: agent(false) };
      return request(url, options, new Pattern(1).all(bytes));
    },
  };
}
