import { buildPacket, packetLength } from '../../lib/codec/build';
import { icmpError, type IcmpMessage } from '../../lib/codec/build-icmp';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { Errno } from '../../lib/core/errno';
import { SlabTable } from '../../lib/core/memory/slabs';
import { Xoshiro } from '../../lib/core/random/xoshiro';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Flag, Option, Word } from '../../lib/core/segment/layout';
import { Shape } from '../../lib/core/stack/four-tuples';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { CongestionController } from '../../lib/core/tcp/congestion-controller';
import type { Settings } from '../../lib/core/tcp/settings';
import { State } from '../../lib/core/tcp/state';
import { formatFlags } from '../../lib/observe/tcpdump';
import { address, expectOk, LabHost } from './lab';
import { pushSegment, type Fields } from './segments';

/** A segment that the peer has got from the stack. */
export interface Heard {
  /** When it was sent, µs since the peer began. */
  at: number;
  /** In tcpdump's letters. */
  flags: string;
  /** Relative to the stack's ISS, so that its SYN is 0. */
  seq: number;
  /** Relative to the peer's ISS; 0 without ACK. */
  ack: number;
  /** As it stands in the header. */
  window: number;
  length: number;
  data: Uint8Array;
  /** `Option` bits. */
  options: number;
  mss: number;
  scale: number;
  tsVal: number;
  tsEcr: number;
  /** Blocks relative to the peer's ISS. */
  sack: [number, number][];
  /** The ECN field of the IP header. */
  ecn: number;
  /** The urgent pointer; 0 without URG. */
  urgent: number;
  /** From its IP header on. */
  packet: Uint8Array;
}

/** What a segment of the peer has; what is left out is what an orderly peer would send. */
export interface Say {
  /** Relative to the peer's ISS; by default what follows all that was said before. */
  seq?: number;
  /** Relative to the stack's ISS; by default all that was heard in order. */
  ack?: number;
  window?: number;
  data?: Uint8Array | number;
  mss?: number;
  scale?: number;
  sackPermitted?: boolean;
  /** TSval and TSecr; null for none; by default the peer's clock, once agreed on. */
  ts?: readonly [number, number] | null;
  sack?: readonly (readonly [number, number])[];
  port?: number;
  /** The ECN field of the IP header, 0 to 3. */
  ecn?: number;
  /** The urgent pointer; the flag is another thing. */
  urgent?: number;
}

export interface PeerOptions {
  seed?: number;
  mtu?: number;
  family?: 4 | 6;
  tcp?: Partial<Settings>;
  /** µs that the stack has lived when the test begins. */
  start?: number;
  /** The peer's initial sequence number. */
  iss?: number;
  /** The stack's; by default what RFC 6528 gives. */
  hostIss?: number;
  /** What the peer's SYN has beside timestamps. */
  syn?: Say;
  /** Whether it offers timestamps. */
  timestamps?: boolean;
  ports?: readonly [number, number];
  /** Default: 'reno', whose windows are easily reckoned. */
  congestionControl?: string | CongestionController;
}

const LETTERS: Readonly<Record<string, Flag>> = {
  F: Flag.FIN,
  S: Flag.SYN,
  R: Flag.RST,
  P: Flag.PSH,
  '.': Flag.ACK,
  U: Flag.URG,
  E: Flag.ECE,
  W: Flag.CWR,
  e: Flag.AE,
};

/** The port of the stack's listener, and the peer's own. */
export const PORT = 80;
export const PEER_PORT = 5000;

/**
 * The other end of a connection, played by hand: a test says each segment, and hears what one stack
 * under virtual time answers and when. There is no wire between them: no delay and no loss.
 */
export class Peer {
  now: number;
  readonly host: LabHost;
  /** All that was heard. */
  readonly log: Heard[] = [];
  /** What the next segment begins with. */
  seq = 0;
  /** All before it was heard in order. */
  rcvNxt = 0;
  window = 65_535;
  /** Its port, and that of the stack. */
  port = PEER_PORT;
  hostPort = PORT;
  iss: number;
  hostIss = 0;
  /** Whether its segments carry timestamps; set by the handshake. */
  timestamps = false;
  /** Of the last segment heard. */
  tsEcr = 0;
  private readonly syn: Say;
  private readonly offersTimestamps: boolean;
  private readonly start: number;
  private read = 0;
  private heardSyn = false;
  private readonly batch = new SegmentBatch(1);
  private readonly parsed = new SegmentBatch(1);
  private readonly slabs = new SlabTable();
  private readonly local: string;
  private readonly remote: string;

  constructor(options: PeerOptions = {}) {
    const v6 = options.family === 6;
    this.local = v6 ? 'fd00::2' : '10.0.0.2';
    this.remote = v6 ? 'fd00::1' : '10.0.0.1';
    const random = new Xoshiro(options.seed ?? 1);
    const mtu = options.mtu ?? 1500;
    this.host = new LabHost(
      'host',
      address(this.remote),
      random,
      mtu,
      options.tcp ?? {},
      options.ports,
    );
    const { controllers, defaultOptions } = this.host.core.tcp;
    const control = controllers.find(options.congestionControl ?? 'reno');
    if (control === null) throw new Error('there is no such congestion control');
    defaultOptions.congestion = control;
    this.start = this.now = options.start ?? 0;
    this.host.core.advance(this.now);
    this.iss = options.iss ?? 1_000_000;
    this.syn = options.syn ?? {};
    this.offersTimestamps = options.timestamps ?? false;
    const { hostIss } = options;
    if (hostIss !== undefined) this.host.core.tcp.isn.isn = () => hostIss | 0;
  }

  /** A segment with these flags ('S', 'F.', 'P.' …), delivered at once. */
  say(flags: string, say: Say = {}): void {
    this.deliver(this.packet(flags, say));
    this.listen();
  }

  /** A router on the way says something of a packet that the stack has sent. */
  complain(packet: Uint8Array, message: IcmpMessage): void {
    const router = address(this.local.includes(':') ? 'fd00::99' : '10.0.0.99');
    this.deliver(icmpError(router, packet, message));
    this.listen();
  }

  /** The packet that `say` would deliver. */
  packet(flags: string, say: Say = {}): Uint8Array {
    const bits = [...flags].reduce((sum, letter) => sum | LETTERS[letter], 0);
    const data = typeof say.data === 'number' ? new Uint8Array(say.data) : say.data;
    const length = data?.length ?? 0;
    const syn = (bits & Flag.SYN) !== 0;
    const seq = say.seq ?? this.seq;
    if (say.seq === undefined) {
      this.seq += length + Number(syn) + Number((bits & Flag.FIN) !== 0);
    }
    const { port = this.port, ack, ts, sack, window, mss, scale, sackPermitted } = say;
    const fields: Fields = {
      from: this.local,
      to: this.remote,
      sourcePort: port,
      destinationPort: this.hostPort,
      flags: bits,
      sequence: (this.iss + seq) | 0,
      acknowledgment: (bits & Flag.ACK) !== 0 ? (this.hostIss + (ack ?? this.rcvNxt)) | 0 : 0,
      window: window ?? this.window,
      trafficClass: say.ecn,
      urgent: say.urgent,
      mss,
      windowScale: scale,
      sackPermitted,
      sack: sack?.map(([left, right]) => [(this.hostIss + left) | 0, (this.hostIss + right) | 0]),
      timestamps: ts === null ? undefined : (ts ?? this.clock()),
      payload: length === 0 ? [] : [data as Uint8Array],
    };
    const { batch, slabs } = this;
    batch.count = 0;
    slabs.slabs.length = 0;
    const base = pushSegment(batch, slabs, fields);
    const out = new Uint8Array(packetLength(batch.words, base));
    buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, out, 0);
    return out;
  }

  private clock(): readonly [number, number] | undefined {
    return this.timestamps ? [this.tsVal, this.tsEcr] : undefined;
  }

  /** The peer's timestamp clock: ms. */
  get tsVal(): number {
    return (Math.floor(this.now / 1000) + 7_000_000) | 0;
  }

  deliver(packet: Uint8Array): void {
    const result = this.host.deliver(packet, this.now);
    if (result !== ParseResult.Ok) throw new Error(`the codec refuses the packet: ${result}`);
  }

  /** Takes what the stack sends now. */
  listen(): void {
    this.host.collect(this.now, (packet) => this.hear(packet));
  }

  private hear(packet: Uint8Array): void {
    const { words } = this.parsed;
    const result = parsePacket(packet, 0, 0, packet.length, words, 0, this.host.hashKey);
    if (result !== ParseResult.Ok)
      throw new Error(`the stack sent what can't be parsed: ${result}`);
    const bits = words[Word.Flags];
    if ((bits & Flag.SYN) !== 0 && !this.heardSyn) {
      this.hostIss = words[Word.Sequence];
      this.heardSyn = true;
    }
    const length = words[Word.PayloadLength];
    const offset = words[Word.PayloadOffset];
    const heard: Heard = {
      at: this.now - this.start,
      flags: formatFlags(bits),
      seq: (words[Word.Sequence] - this.hostIss) | 0,
      ack: (bits & Flag.ACK) !== 0 ? (words[Word.Acknowledgment] - this.iss) | 0 : 0,
      window: words[Word.Window],
      ecn: words[Word.TrafficClass] & 3,
      urgent: (bits & Flag.URG) !== 0 ? words[Word.Urgent] : 0,
      length,
      data: packet.slice(offset, offset + length),
      options: words[Word.Options],
      mss: words[Word.Mss],
      scale: words[Word.WindowScale],
      tsVal: words[Word.TsVal],
      tsEcr: words[Word.TsEcr],
      sack: Array.from({ length: words[Word.SackCount] }, (_, i) => [
        (words[Word.Sack + 2 * i] - this.iss) | 0,
        (words[Word.Sack + 2 * i + 1] - this.iss) | 0,
      ]),
      packet,
    };
    if ((heard.options & Option.Timestamps) !== 0) this.tsEcr = heard.tsVal;
    const from = words[Word.SourcePort];
    if (from === this.hostPort && words[Word.DestinationPort] === this.port) {
      const end = heard.seq + length + (bits & Flag.FIN) + ((bits & Flag.SYN) >> 1);
      if (heard.seq <= this.rcvNxt && end > this.rcvNxt) this.rcvNxt = end;
    }
    this.log.push(heard);
  }

  /** What was heard since the last call. */
  heard(): Heard[] {
    const news = this.log.slice(this.read);
    this.read = this.log.length;
    return news;
  }

  /** The same in short: 'S. 0 ack 1', '. 1 ack 1', 'P. 1:11 ack 1', 'R 5'. */
  lines(): string[] {
    return this.heard().map(line);
  }

  /** Lets time pass, and hears what is sent meanwhile. */
  pass(us: number): void {
    const until = this.now + us;
    this.listen();
    for (;;) {
      const next = this.host.core.nextDeadline();
      if (next > until) break;
      this.now = Math.max(this.now, next);
      this.host.core.onTimer(this.now);
      this.listen();
    }
    this.now = until;
    this.host.core.onTimer(until);
    this.listen();
  }

  /** A listener of the stack. */
  server(backlog = 16, reuse = 1): StreamSocket {
    const socket = this.host.core.socket(this.local.includes(':') ? 6 : 4);
    expectOk(socket.setOption(8, reuse));
    expectOk(socket.bind(this.host.address, PORT));
    expectOk(socket.listen(backlog));
    return socket;
  }

  /** Forgets the connection: the next has another ISS. */
  renew(iss = (this.iss + 1_000_000) | 0): void {
    this.iss = iss;
    this.seq = 0;
    this.rcvNxt = 0;
    this.heardSyn = false;
    this.timestamps = false;
  }

  /** The peer connects to `listener` (or a new one); the stack's end is accepted. */
  open(listener = this.server()): StreamSocket {
    this.synchronize();
    const socket = listener.accept();
    if (typeof socket === 'number') throw new Error(`accept: ${socket}`);
    this.heard();
    return socket;
  }

  /** The three segments of a handshake that the peer begins. */
  synchronize(): void {
    this.say('S', this.synFields());
    this.agree();
    this.say('.');
  }

  /** What the peer's SYN, or SYN and ACK, has. */
  synFields(): Say {
    return { ...this.syn, ts: this.offersTimestamps ? [this.tsVal, this.tsEcr] : null };
  }

  /** Timestamps are used if both SYNs had them. */
  agree(): void {
    const stackHas = this.log.some(
      ({ flags, options }) => flags.startsWith('S') && (options & Option.Timestamps) !== 0,
    );
    this.timestamps = this.offersTimestamps && stackHas;
  }

  /** A socket of the stack that has begun to connect: its SYN was heard. */
  dial(setup: (socket: StreamSocket) => void = () => undefined): StreamSocket {
    const socket = this.host.core.socket(this.local.includes(':') ? 6 : 4);
    setup(socket);
    const result = socket.connect(address(this.local), this.port);
    if (result !== -Errno.EINPROGRESS) throw new Error(`connect: ${result}`);
    this.hostPort = socket.localPort;
    this.listen();
    return socket;
  }

  /** A socket of the stack that has connected to the peer. */
  answer(socket = this.dial()): StreamSocket {
    this.say('S.', this.synFields());
    this.agree();
    this.heard();
    return socket;
  }

  /** The state that the stack has for this connection; LISTEN or CLOSED where it has none. */
  get state(): State {
    const { tcp } = this.host.core;
    const { tuples } = tcp;
    const row = tuples.lookup(this.host.address, this.hostPort, address(this.local), this.port);
    switch (row < 0 ? Shape.None : tuples.shape(row)) {
      case Shape.Connection:
        return tcp.connection(tuples.index(row)).state;
      case Shape.Syn:
        return State.SYN_RECEIVED;
      case Shape.TimeWait:
        return tcp.timeWait.state(tuples.index(row));
      case Shape.None:
        return State.CLOSED;
    }
  }
}

/** 'S. 0 ack 1', '. 1 ack 1', 'P. 1:11 ack 1', 'R 5'. */
export function line(heard: Heard): string {
  const { flags, seq, ack, length } = heard;
  const range = length > 0 ? `${seq}:${seq + length}` : `${seq}`;
  return flags.includes('.') ? `${flags} ${range} ack ${ack}` : `${flags} ${range}`;
}
