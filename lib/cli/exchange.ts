import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Stack } from '../index';
import { DIGEST_HEADER } from './web-server';

/** What `npm start` fetches, bytes. */
export const BYTES = 1_048_576;

/** A transfer that takes longer than this has failed, ms. */
const DEADLINE = 20_000;

export interface Exchange {
  bytes: number;
  /** From `connect` to the end of the close, seconds. */
  seconds: number;
  /** SHA-256 of what has arrived, hexadecimal. */
  digest: string;
}

/**
 * Fetches over a stack's TCP by node:http, and closes from our side, so that TIME-WAIT is ours.
 * Rejects when the bytes aren't those that the server says it has sent, and when it takes too long:
 * then the stack is gone.
 */
export async function fetchOnce(stack: Stack, host: string, port: number): Promise<Exchange> {
  const late = new Error(`the transfer has not ended after ${DEADLINE / 1000} s`);
  const deadline = setTimeout(() => stack.destroy(late), DEADLINE);
  try {
    return await download(stack, host, port);
  } finally {
    clearTimeout(deadline);
  }
}

async function download(stack: Stack, host: string, port: number): Promise<Exchange> {
  const started = process.hrtime.bigint();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { Connection: 'keep-alive' };
    const { connect } = stack.net;
    get({ host, port, headers, createConnection: connect }, resolve).on('error', reject);
  });
  const { socket } = response;
  const closed = once(socket, 'close');
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  socket.end();
  await closed;
  const digest = hash.digest('hex');
  const expected = response.headers[DIGEST_HEADER];
  if (digest !== expected) throw new Error(`SHA-256 ${digest}, the server says ${expected}`);
  return { bytes, seconds: Number(process.hrtime.bigint() - started) / 1e9, digest };
}

/** The last lines: whether the bytes are right, and what the transfer was. */
export function printResult(exchange: Exchange, stack: Stack, link: string): void {
  const { bytes, seconds, digest } = exchange;
  const retransmissions = stack.counters.TcpRetransSegs;
  console.log(`SHA-256 ${digest} as the server says`);
  console.log(
    `${bytes} bytes in ${seconds.toFixed(3)} s, ${retransmissions} retransmissions, link ${link}`,
  );
}
