import type { Segment } from '../segment/segment';
import type { Listening } from '../socket/listening';
import type { StreamSocket } from '../socket/stream-socket';
import { refuse } from './arrives-closed';
import { arrivesListen } from './arrives-listen';
import { sendSynAck, sendSynReset } from './syn-answers';
import { SynField, SynFlag } from './syn-table';
import type { Tcp } from './tcp';
import { timestamp } from './timestamps';

// A handshake whose SYN isn't answered before the program has decided (`syn-requests.ts`). It is a
// row of the SYN table like others, has its timeouts, and is forgotten after as many of them; but
// nothing is sent again.

/** The SYN of a row that was just made is put to the program. */
export function askFirst(tcp: Tcp, listener: StreamSocket, row: number, seg: Segment): void {
  const { table } = tcp.synReceived;
  table.words[row * SynField.Stride + SynField.Flags] |= SynFlag.Undecided;
  listener.listening?.requests?.ask(listener, row, seg);
}

/** The program takes the connection: the SYN is answered as if it came now. */
export function answerUndecided(tcp: Tcp, row: number): void {
  const { synReceived } = tcp;
  const w = synReceived.table.words;
  const at = row * SynField.Stride;
  w[at + SynField.Flags] &= ~SynFlag.Undecided;
  if (w[at + SynField.Timeouts] > 0) (synReceived.listenerOf(at).listening as Listening).young++;
  w[at + SynField.Timeouts] = 0;
  w[at + SynField.TsFirst] = timestamp(tcp.now, w[at + SynField.TsOffset]);
  w[at + SynField.SentAt] = tcp.now | 0;
  sendSynAck(tcp, synReceived.table, row);
  synReceived.startTimer(row);
}

/** The program refuses it: RST, as for a port where nobody listens. */
export function refuseUndecided(tcp: Tcp, row: number): void {
  sendSynReset(tcp, tcp.synReceived.table, row);
  forgetUndecided(tcp, row);
}

/** The handshake is over without a word. */
export function forgetUndecided(tcp: Tcp, row: number): void {
  tcp.counters.TcpAttemptFails++;
  tcp.synReceived.drop(row);
}

/**
 * A segment comes to an undecided row. It is taken as in LISTEN (RFC 9293 §3.10.7.2), but that the
 * SYN, sent again, asks nobody again, another one takes its place, and a RST withdraws it that has
 * just the next number (RFC 5961 §3.2).
 */
export function arrivesUndecided(tcp: Tcp, row: number, seg: Segment): void {
  const { synReceived } = tcp;
  const w = synReceived.table.words;
  const at = row * SynField.Stride;
  const irs = w[at + SynField.Irs];
  if (seg.isRst) {
    if (seg.seq === ((irs + 1) | 0)) forgetUndecided(tcp, row);
  } else if (seg.isAck) {
    refuse(tcp, seg);
  } else if (seg.isSyn && !seg.isFin && !synReceived.isOld(at, seg)) {
    if (seg.seq !== irs) {
      const listener = synReceived.listenerOf(at);
      forgetUndecided(tcp, row);
      arrivesListen(tcp, listener, seg);
    } else if (seg.hasTimestamps) {
      // The answer will be one to this.
      w[at + SynField.TsRecent] = seg.tsVal;
    }
  }
}
