import { Flag } from '../../../lib/core/segment/layout';
import type { Fields } from '../../support/segments';
import { flagBits, formatFlags, type Sent } from './wire';

/** Numbers of a segment of the peer: what is left out is what an orderly peer would send. */
export interface Say {
  /** Relative to the peer's ISS; by default what follows all that was said before. */
  seq?: number;
  /** Relative to the stack's ISS; by default all that was heard in order. */
  ack?: number;
  win?: number;
  data?: number | string;
  mss?: number;
  wscale?: number;
  sackOK?: boolean;
  /** TSval and TSecr; TSecr by default the last heard. */
  ts?: number | readonly [number, number];
  /** Blocks relative to the stack's ISS. */
  sack?: readonly (readonly [number, number])[];
  /** The ECN field of the IP header, 0 to 3. */
  ecn?: number;
  /** The urgent pointer; the flag is another thing. */
  urgent?: number;
  /** The stack's port, where it isn't that of the last segment heard. */
  to?: number;
  /** The peer's port. */
  from?: number;
}

const PEER_ISS = 1_000_000;

/** Sequence numbers of a connection as its peer has them, and the stack's clock. */
interface Numbers {
  /** What the peer's next segment begins with, relative to its ISS. */
  seq: number;
  /** The stack's ISS; what was heard in order, relative to it. */
  iss: number;
  rcvNxt: number;
  tsVal: number;
}

/** The peer of an exchange: what it knows of its connections, says on them, and hears. */
export class PeerSide {
  private readonly connections = new Map<number, Numbers>();

  /** What it knows of the connection to one of its ports. */
  of(port: number): Numbers {
    const known = this.connections.get(port) ?? { seq: 0, iss: 0, rcvNxt: 0, tsVal: 0 };
    this.connections.set(port, known);
    return known;
  }

  /** What it sends from a port: all fields but those of where to, and its window. */
  says(port: number, flags: string, say: Say): Fields {
    const bits = flagBits(flags);
    const data = say.data === undefined ? Buffer.alloc(0) : payload(say.data);
    const known = this.of(port);
    const seq = say.seq ?? known.seq;
    const length = data.length + Number((bits & 2) !== 0) + Number((bits & 1) !== 0);
    if (say.seq === undefined) known.seq += length;
    return {
      sourcePort: port,
      flags: bits,
      sequence: (PEER_ISS + seq) | 0,
      acknowledgment: (bits & 0x10) !== 0 ? (known.iss + (say.ack ?? known.rcvNxt)) | 0 : 0,
      urgent: say.urgent,
      trafficClass: say.ecn,
      mss: say.mss,
      windowScale: say.wscale,
      sackPermitted: say.sackOK,
      sack: say.sack?.map(([left, right]) => [(known.iss + left) | 0, (known.iss + right) | 0]),
      timestamps: typeof say.ts === 'number' ? [say.ts, known.tsVal] : say.ts,
      payload: data.length === 0 ? [] : [data],
    };
  }

  /** What comes to it from the stack, in words: with relative numbers. */
  hears(sent: Sent): string {
    const isSyn = (sent.flags & Flag.SYN) !== 0;
    const isReset = (sent.flags & Flag.RST) !== 0;
    const known = this.of(sent.destinationPort);
    if (isSyn && sent.seq !== known.iss) {
      known.iss = sent.seq;
      known.rcvNxt = 0;
    }
    const seq = (sent.seq - known.iss) | 0;
    const end = seq + sent.data.length + (isSyn ? 1 : 0) + (sent.flags & Flag.FIN);
    if (seq <= known.rcvNxt && end > known.rcvNxt && !isReset) known.rcvNxt = end;
    if (sent.options.includes('TS')) known.tsVal = sent.tsVal;
    const hasAck = (sent.flags & Flag.ACK) !== 0;
    const words = [
      formatFlags(sent.flags),
      // A reset of no connection has no number of ours.
      sent.seq === 0 ? 'seq none' : `${seq}:${seq + sent.data.length}`,
      hasAck ? `ack ${(sent.ack - PEER_ISS) | 0}` : '',
      (sent.flags & (Flag.SYN | Flag.RST)) !== 0 ? `win ${sent.window}` : '',
      `<${sent.options.join(',')}>`,
      sent.options.includes('TS') ? `ecr ${sent.tsEcr === 0 ? 0 : sent.tsEcr}` : '',
      (sent.flags & Flag.URG) !== 0 ? `urg ${sent.urgent}` : '',
      ...sent.sack.map((edge) => `sack ${(edge - PEER_ISS) | 0}`),
      `ttl ${sent.ttl} tos ${sent.trafficClass}${sent.mayFragment ? ' no DF' : ''}`,
    ];
    return words.filter((word) => word !== '').join(' ');
  }
}

/** Text, or so many bytes that differ from place to place. */
export function payload(data: number | string): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return Buffer.from(Uint8Array.from({ length: data }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}
