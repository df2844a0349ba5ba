import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** The header in which the server says what the body's SHA-256 is. */
export const DIGEST_HEADER = 'x-sha256';

/** How long the server's program thinks between the client's FIN and its own, milliseconds. */
const AFTERTHOUGHT = 100;

/**
 * A node:http server that answers every request with the same `bytes` random bytes. It isn't
 * listening: `listen` puts it on the kernel's TCP, `emit('connection', socket)` on ours.
 */
export function webServer(bytes: number): Server {
  const body = randomBytes(bytes);
  const digest = createHash('sha256').update(body).digest('hex');
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': body.length,
      [DIGEST_HEADER]: digest,
    });
    response.end(body);
  });
  server.on('connection', thinkBeforeClosing);
  return server;
}

/**
 * A program that closes at once after its peer makes TCP send ACK and FIN in one segment; the four
 * segments of the textbook are seen when it still has something to do.
 */
function thinkBeforeClosing(socket: Duplex): void {
  const end = socket.end.bind(socket);
  socket.end = () => {
    setTimeout(end, AFTERTHOUGHT);
    return socket;
  };
}
