import type { Talk } from '../support/exchange';
import type { Say } from '../support/peer-side';
import { after, leaving, type Act } from './cell';

const FLAGS = [
  ...['', '.', 'P.', 'F', 'F.', 'FP.', 'S', 'S.', 'SF', 'SF.', 'SP', 'R', 'R.', 'SR', 'SR.'],
  ...['FR', 'FR.', 'U', 'U.', 'PU.', 'FPU', 'SFRPU.', 'SWE', 'S.E', '.E', '.W'],
];

/** Where a segment begins, after the number that is next. */
const PLACES: Readonly<Record<string, number>> = {
  ...{ far: 0x7fffffff, beyond: 70_000, deep: 50_000, inside: 5, next: 0 },
  ...{ before: -1, overlapping: -3, below: -11 },
};

/** What it acknowledges, after all that was sent. */
const ACKS: Readonly<Record<string, number>> = {
  ...{ all: 0, 'some of it': -5, 'nothing new': -10, old: -12, ancient: -70_000 },
  ...{ 'too much': 1, absurd: 0x40000000 },
};

const DATA = [0, 10];

/** A segment of the peer. */
interface Column {
  flags: string;
  place: string;
  ack: string;
  data: number;
}

/** Each column by its name. */
const COLUMNS = new Map<string, Column>();
for (const flags of FLAGS) {
  for (const place of Object.keys(PLACES)) {
    for (const ack of flags.includes('.') ? Object.keys(ACKS) : ['none']) {
      for (const data of DATA) {
        const what = data > 0 ? `with ${data} bytes` : 'empty';
        const named = `${flags || 'no flags'} ${place}, ack ${ack}, ${what}`;
        COLUMNS.set(named, { flags, place, ack, data });
      }
    }
  }
}

export const SEGMENTS: readonly string[] = [...COLUMNS.keys()];

/** The states that a segment can meet. */
export const SEGMENT_SCENES = [
  ...['fresh', 'LISTEN', 'LISTEN, SYN-RECEIVED', 'SYN-SENT', 'SYN-RECEIVED'],
  ...['ESTABLISHED, data in flight', 'ESTABLISHED, data beyond a hole'],
  ...['FIN-WAIT-1, data in flight', 'FIN-WAIT-2', 'CLOSING', 'TIME-WAIT'],
  ...['CLOSE-WAIT, data in flight', 'LAST-ACK'],
];

/**
 * Which packets leave when the segment comes, and when a byte comes that was there before: the
 * answer shows the numbers that hold now; then the socket's state, what poll(2) says, SO_ERROR.
 */
export function hearing(name: string): Act {
  const column = COLUMNS.get(name);
  if (column === undefined) throw new Error(`no segment ${name}`);
  return async (talk, fd) => {
    if (talk.port === 0) talk.port = talk.peerPort;
    const { nextSeq, heard } = talk;
    const first = await leaving(talk, async () => {
      await talk.peer(column.flags, sayOf(column, talk));
      // In SYN-SENT our SYN follows a little later.
      await talk.pass(10);
    });
    const old = { seq: nextSeq - 1, ack: heard, data: 1 };
    const second = await leaving(talk, () => talk.peer('.', old));
    return [first, second, await after(talk, fd)];
  };
}

function sayOf({ flags, place, ack, data }: Column, { nextSeq, heard }: Talk): Say {
  return {
    seq: nextSeq + PLACES[place],
    ...(ack === 'none' ? {} : { ack: heard + ACKS[ack] }),
    ...(data > 0 ? { data } : {}),
    ...(flags.includes('U') ? { urgent: 3 } : {}),
    ...(flags.includes('S') ? { mss: 1460 } : {}),
  };
}
