import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { parsePacket } from '../../../lib/codec/parse';
import { Flag, Option, Word } from '../../../lib/core/segment/layout';
import { State } from '../../../lib/core/tcp/state';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import type { TcpInfo } from '../../../lib/core/tcp/tcp-info';
import { Lab, type LabHost, pattern, readAll } from '../../support/lab';

/** A segment as it stands on the wire, numbers relative to the ISS of its sender and receiver. */
interface Seen {
  seq: number;
  /** With FIN and SYN. */
  end: number;
  length: number;
  syn: boolean;
  ack: number;
  window: number;
  scale: number;
  /** TSval; null without. */
  stamp: number | null;
  sack: [number, number][];
}

/** Numbers from `left` to `right` - 1. */
type Range = [number, number];

/** Puts a range to others, in order and joined. */
function add(ranges: Range[], range: Range): Range[] {
  const all = [...ranges, range].sort((a, b) => a[0] - b[0]);
  const out: Range[] = [];
  for (const [left, right] of all) {
    const last = out.at(-1);
    if (last !== undefined && left <= last[1]) last[1] = Math.max(last[1], right);
    else out.push([left, right]);
  }
  return out;
}

/** What one end must say of itself: reckoned from the packets that it has sent and got alone. */
class Witness {
  segsOut = 0;
  segsIn = 0;
  dataSegsOut = 0;
  dataSegsIn = 0;
  bytesSent = 0;
  bytesRetrans = 0;
  totalRetrans = 0;
  dsackDups = 0;
  ooopack = 0;
  una = 0;
  nxt = 0;
  sndWnd = 0;
  rcvNxt = 0;
  /** As it stands in the header. */
  announced = 0;
  written = 0;
  times = { sent: 0, data: 0, ack: 0 };
  /** What was sent and not acknowledged: each segment as it was sent first. */
  flight: Range[] = [];
  delivered = 0;
  private scale = 0;
  private wl1 = -1;
  /** The last acknowledgment that was sent, and TS.Recent. */
  private lastAck = 0;
  private recent: number | null = null;
  private received: Range[] = [];
  private sacked: Range[] = [];
  private counted = new Set<number>();

  constructor(
    private readonly passive: boolean,
    private readonly mss: number,
    private readonly hasSack: boolean,
  ) {}

  sent(s: Seen, nowMs: number): void {
    if (!(s.syn && this.passive)) this.segsOut++;
    if (s.length > 0) {
      this.dataSegsOut++;
      this.bytesSent += s.length;
      this.times.sent = nowMs;
    }
    if (!s.syn) this.announced = s.window;
    this.lastAck = s.ack;
    if (s.end === s.seq || s.end <= this.nxt) {
      if (s.end > s.seq && s.end <= this.nxt) {
        this.totalRetrans++;
        this.bytesRetrans += s.length;
      }
      return;
    }
    this.flight.push([s.seq, s.end]);
    this.nxt = s.end;
  }

  got(s: Seen, nowMs: number): void {
    this.segsIn++;
    if (s.length > 0) this.dataSegsIn++;
    if (this.isOld(s)) return;
    if (s.stamp !== null && s.seq <= this.lastAck) this.recent = s.stamp;
    if (s.syn) {
      this.rcvNxt = 1;
      this.scale = s.scale;
      this.received = [[0, 1]];
    } else {
      this.takeData(s, nowMs);
    }
    const opening = this.una === 0;
    this.takeAck(s);
    this.times.ack = nowMs;
    // The handshake counts for data.
    if (opening && this.una === 1) this.times.sent = this.times.data = nowMs;
  }

  /** PAWS (RFC 7323 §5.3), or all below what was acknowledged: nothing of it counts. */
  private isOld(s: Seen): boolean {
    const isOlder = this.recent !== null && s.stamp !== null && s.stamp < this.recent;
    return isOlder || s.end < this.lastAck;
  }

  private takeData(s: Seen, nowMs: number): void {
    if (s.end === s.seq) return;
    if (s.seq > this.rcvNxt && s.length > 0) this.ooopack++;
    const before = this.rcvNxt;
    this.received = add(this.received, [s.seq, s.end]);
    this.rcvNxt = this.received[0][1];
    if (this.rcvNxt > before && s.length > 0 && s.seq + s.length > before) this.times.data = nowMs;
  }

  private takeAck(s: Seen): void {
    const newer =
      s.ack > this.una ||
      s.seq > this.wl1 ||
      (s.seq === this.wl1 && (s.window << this.scale > this.sndWnd || s.window === 0));
    if (s.ack >= this.una) {
      if (newer) {
        this.sndWnd = s.syn ? s.window : s.window << this.scale;
        this.wl1 = s.seq;
      }
      this.una = s.ack;
    }
    const [first, second] = s.sack;
    if (first !== undefined && (first[0] < s.ack || isInside(first, second))) {
      this.dsackDups += Math.ceil((first[1] - first[0]) / this.mss);
      this.delivered += Math.ceil((first[1] - first[0]) / this.mss);
    }
    for (const block of s.sack) if (block[1] > s.ack) this.sacked = add(this.sacked, block);
    for (const [left, right] of this.flight) {
      if ((right <= this.una || this.isSacked([left, right])) && !this.counted.has(left)) {
        this.counted.add(left);
        this.delivered++;
      }
    }
    this.flight = this.flight.filter(([, right]) => right > this.una);
  }

  /** Without SACK duplicates of an acknowledgment stand for segments that have arrived. */
  private selective(): Partial<TcpInfo> {
    const sacked = this.flight.filter((range) => this.isSacked(range));
    return { tcpi_sacked: sacked.length, tcpi_delivered: this.delivered };
  }

  private isSacked(range: Range): boolean {
    return this.sacked.some((block) => isInside(range, block));
  }

  /** What the socket must tell. */
  info(nowMs: number): Partial<TcpInfo> {
    return {
      tcpi_segs_out: this.segsOut,
      tcpi_segs_in: this.segsIn,
      tcpi_data_segs_out: this.dataSegsOut,
      tcpi_data_segs_in: this.dataSegsIn,
      tcpi_bytes_sent: this.bytesSent,
      tcpi_bytes_retrans: this.bytesRetrans,
      tcpi_total_retrans: this.totalRetrans,
      tcpi_bytes_acked: this.una - Number(this.passive),
      tcpi_bytes_received: this.rcvNxt - 1,
      tcpi_unacked: this.flight.length,
      ...(this.hasSack ? this.selective() : {}),
      tcpi_notsent_bytes: this.written - Math.max(this.nxt - 1, 0),
      tcpi_snd_wnd: this.sndWnd,
      tcpi_rcv_ooopack: this.ooopack,
      tcpi_dsack_dups: this.dsackDups,
      tcpi_last_data_sent: nowMs - this.times.sent,
      tcpi_last_data_recv: nowMs - this.times.data,
      tcpi_last_ack_recv: nowMs - this.times.ack,
    };
  }
}

function isLive({ state }: StreamSocket): boolean {
  return state >= State.ESTABLISHED && state < State.TIME_WAIT;
}

function isInside([left, right]: Range, outer: Range | undefined): boolean {
  return outer !== undefined && left >= outer[0] && right <= outer[1];
}

/** Reads segments of the one connection of a lab. */
class Reader {
  private readonly iss = new Map<LabHost, number>();

  constructor(
    private readonly a: LabHost,
    private readonly b: LabHost,
  ) {}

  read(packet: Uint8Array, from: LabHost): Seen {
    const words = new Int32Array(Word.Stride);
    parsePacket(packet, 0, 0, packet.length, words, 0, from.hashKey);
    const flags = words[Word.Flags];
    const to = from === this.a ? this.b : this.a;
    if ((flags & Flag.SYN) !== 0) this.iss.set(from, words[Word.Sequence]);
    const own = this.iss.get(from) ?? 0;
    const other = this.iss.get(to) ?? 0;
    const length = words[Word.PayloadLength];
    const seq = (words[Word.Sequence] - own) | 0;
    const blocks = (words[Word.Options] & Option.Sack) !== 0 ? words[Word.SackCount] : 0;
    return {
      seq,
      length,
      end: seq + length + (flags & Flag.FIN) + ((flags & Flag.SYN) >> 1),
      syn: (flags & Flag.SYN) !== 0,
      ack: (flags & Flag.ACK) !== 0 ? (words[Word.Acknowledgment] - other) | 0 : 0,
      window: words[Word.Window],
      scale: words[Word.WindowScale],
      stamp: (words[Word.Options] & Option.Timestamps) !== 0 ? words[Word.TsVal] : null,
      sack: Array.from({ length: blocks }, (_, i) => [
        (words[Word.Sack + 2 * i] - other) | 0,
        (words[Word.Sack + 2 * i + 1] - other) | 0,
      ]),
    };
  }
}

/** One end, its witness, and what it has still to say. */
interface Side {
  host: LabHost;
  socket: StreamSocket | null;
  witness: Witness;
  left: Uint8Array;
  shut: boolean;
}

describe('TCP_INFO at any moment', () => {
  test.each([
    ['nothing is lost', 0, 0, {}],
    ['segments are lost', 3, 0, {}],
    ['segments are lost, and others late', 5, 8, {}],
    ['without SACK', 3, 0, { sack: 0 }],
    ['without timestamps', 3, 3, { timestamps: 0 }],
    ['a small buffer, read slowly', 2, 2, { receiveBuffer: 9000, moderateReceiveBuffer: 0 }],
  ])('is what the wire has shown: %s', (_, loss, late, tcp) => {
    const random = new Xoshiro(11);
    const chance = (percent: number): boolean => (random.next() >>> 0) % 100 < percent;
    const lab = new Lab({ log: false, tcp });
    const reader = new Reader(lab.a, lab.b);
    const mss = 'timestamps' in tcp ? 1460 : 1448;
    const sides = [lab.a, lab.b].map((host, i): Side => {
      const witness = new Witness(i === 1, mss, !('sack' in tcp));
      return { host, witness, socket: null, left: pattern(120_000, i + 1), shut: false };
    });
    const nowMs = (): number => Math.floor(lab.now / 1000);
    let opened = false;
    lab.filter = (packet, from) => {
      sides[from === lab.a ? 0 : 1].witness.sent(reader.read(packet, from), nowMs());
      if (opened && chance(loss)) return false;
      return opened && chance(late) ? 25_000 : undefined;
    };
    for (const { host, witness } of sides) {
      const deliver = host.deliver.bind(host);
      host.deliver = (packet, now) => {
        const other = host === lab.a ? lab.b : lab.a;
        witness.got(reader.read(packet, other), nowMs());
        return deliver(packet, now);
      };
    }
    const { client, server } = lab.pair();
    [sides[0].socket, sides[1].socket] = [client, server];
    lab.pass(100_000);
    opened = true;
    let compared = 0;
    const done = (): boolean => {
      lab.flush();
      let over = 0;
      for (const side of sides) over += live(side, chance(50)) ? 0 : 1;
      lab.flush();
      for (const side of sides) compared += hold(side, nowMs());
      return over > 0;
    };
    lab.run(done, 600_000_000);
    expect(sides.map(({ left }) => left.length)).toEqual([0, 0]);
    expect(compared).toBeGreaterThan(25);
  });

  /** The program writes what there is room for, reads, and ends. False: the connection is over. */
  function live(side: Side, reads: boolean): boolean {
    const { socket, witness } = side;
    if (socket === null || !isLive(socket)) return false;
    const taken = side.left.length > 0 ? socket.send(side.left, 0, side.left.length) : 0;
    if (taken > 0) {
      side.left = side.left.subarray(taken);
      witness.written += taken;
    }
    if (side.left.length === 0 && !side.shut && witness.una > witness.written) {
      side.shut = true;
      socket.shutdown(1);
      witness.written++;
    }
    if (reads) readAll(socket);
    return true;
  }

  function hold({ socket, witness }: Side, nowMs: number): number {
    if (socket === null || !isLive(socket)) return 0;
    const info = socket.tcpInfo();
    expect(info).toMatchObject(witness.info(nowMs));
    expect(info.tcpi_rcv_wnd >> info.tcpi_rcv_wscale).toBe(witness.announced);
    return 1;
  }
});
