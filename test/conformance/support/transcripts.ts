import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Shape } from '../../../lib/core/stack/four-tuples';
import type { StackCore } from '../../../lib/core/stack/stack-core';
import type { Entry, Transcript } from './exchange';

/** The lines of each exchange, by its name. */
export type Transcripts = Record<string, string[]>;

const FILE = join(__dirname, '../exchanges/transcripts.json');
/** What of a longer line isn't readable anyway is told by a hash. */
const LONG = 160;

/** A line for each packet, with its µs and window, and for each call that gives more than 0. */
export function linesOf({ calls, packets }: Transcript): string[] {
  const telling = calls.filter(
    ({ text, after }) => after !== null || !text.endsWith(': {"ret":0}'),
  );
  return [...telling.map(lineOf), ...packets.map(lineOf)];
}

function lineOf({ step, text, after, window }: Entry): string {
  const hash = createHash('sha1').update(text).digest('hex').slice(0, 8);
  const short = text.length > LONG ? `${text.slice(0, 60)}… ${hash}` : text;
  const size = window === undefined ? '' : ` win ${window}`;
  const end = after === null ? size : `${size} +${after}`;
  return `${step} ${short}${end}`;
}

/** Packets of any kind: what of them is TCP has counters of its own. */
const PACKETS = /^Ip6?In(Receives|Delivers)$/;

/** Counters that are not 0, and the values of TCP_INFO of each connection that is left. */
export function stateOf({ counters, tcp }: StackCore): string[] {
  const counted = Object.entries(counters)
    .filter(([name, value]) => value !== 0 && !PACKETS.test(name))
    .map(([name, value]) => `${name} ${value}`);
  const infos: string[] = [];
  tcp.tuples.forEach((row) => {
    if (tcp.tuples.shape(row) !== Shape.Connection) return;
    const { socket } = tcp.connection(tcp.tuples.index(row));
    if (socket !== null) infos.push(`TCP_INFO ${Object.values(socket.tcpInfo()).join(' ')}`);
  });
  return [counted.join(' '), ...infos.sort()];
}

/** What the exchanges came to when they were written. */
export function readTranscripts(): Transcripts {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Transcripts;
}

export function writeTranscripts(transcripts: Transcripts): void {
  writeFileSync(FILE, `${JSON.stringify(transcripts, null, 1)}\n`);
}
