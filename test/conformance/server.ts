/**
 * The conformance driver: serves PROTOCOL.md's line protocol on a Unix socket, a fresh stack for
 * each connection (test/conformance/README.md).
 */
import { unlinkSync } from 'node:fs';
import net from 'node:net';
import { parseArgs } from 'node:util';
import type { HostOptions } from './host';
import { hostOptions } from './options';
import { Session } from './session';

/** Longer than any packet or call that a driver may send; a longer line is refused. */
const MAX_LINE = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines; null in the place of one that is too long. */
export class Lines {
  private parts: Buffer[] = [];
  private length = 0;
  private tooLong = false;

  constructor(private readonly onLine: (line: string | null) => void) {}

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end < 0) break;
      this.hold(chunk.subarray(from, end));
      this.finish();
      from = end + 1;
    }
    this.hold(chunk.subarray(from));
  }

  private hold(part: Buffer): void {
    this.length += part.length;
    if (this.length > MAX_LINE) {
      this.tooLong = true;
      this.parts = [];
    } else if (part.length > 0) {
      this.parts.push(part);
    }
  }

  private finish(): void {
    const line = this.tooLong ? null : Buffer.concat(this.parts).toString('utf8');
    this.parts = [];
    this.length = 0;
    this.tooLong = false;
    if (line === null || line.trim() !== '') this.onLine(line);
  }
}

/** Serves one connection of a driver. */
export function serve(socket: net.Socket, options: HostOptions): void {
  const session = new Session(options, (message) => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
  });
  const lines = new Lines((line) => session.receive(line ?? ''));
  session.onEnd = () => socket.end();
  socket.on('data', (chunk: Buffer) => lines.push(chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => session.end());
}

function main(): void {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      socket: text,
      local: text,
      local6: text,
      gateway: text,
      gateway6: text,
      remote: text,
      remote6: text,
      mtu: text,
    },
  });
  const path = values.socket;
  if (path === undefined) throw new Error('--socket PATH is missing');
  const options = hostOptions(values);
  const server = net.createServer((socket) => serve(socket, options));
  try {
    unlinkSync(path);
  } catch {
    // Nothing was left there.
  }
  server.listen(path, () => process.stdout.write('ready\n'));
  server.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}

if (require.main === module) main();
