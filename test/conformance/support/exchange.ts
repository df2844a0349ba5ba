import { icmpError, type IcmpMessage } from '../../../lib/codec/build-icmp';
import { parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { Flag } from '../../../lib/core/segment/layout';
import { decodeInfo, INFO_BYTES } from '../tcp-info';
import type { Backend, Message } from './backend';
import { isGroupReport, readOther } from './other-wire';
import { payload, PeerSide, type Say } from './peer-side';
import { makePacket, readPacket, type Sent } from './wire';

/** What happened, in one of the two streams of a transcript. */
export interface Entry {
  step: number;
  text: string;
  /** µs after the step began at which it happened; null: of no interest. */
  after: number | null;
  /** The window field, where another may be right as well. */
  window?: number;
}

/** All that a run of an exchange has shown. */
export interface Transcript {
  calls: Entry[];
  packets: Entry[];
}

/** A conversation of two, told once and run against any backend. */
export interface Exchange {
  name: string;
  family?: 4 | 6;
  /**
   * Data waits unread, or has come in many segments: Linux's window is then what the memory that
   * its device took for them leaves, and may differ a little. Else windows are the same.
   */
  deviceMemory?: boolean;
  /** Linux's names; set in the kernel's namespace and by the driver's sysctl. */
  sysctls?: Readonly<Record<string, string>>;
  run(talk: Talk): Promise<void>;
}

const PEER_PORT = 9000;
/** net.ipv4.ip_local_port_range; those of the peer are among them, too. */
const FIRST_EPHEMERAL = 32_768;
/** Ports of the peer that an exchange may use. */
export const PORTS = 8;

/** The address of every peer. */
export function remoteAddress(family: 4 | 6): string {
  return family === 4 ? '192.0.2.1' : '2001:db8::1';
}

/** One run of an exchange: the program's calls and the peer's packets, and what came of them. */
export class Talk {
  readonly transcript: Transcript = { calls: [], packets: [] };
  /** Packets that had left when each step was over. */
  readonly counts: number[] = [];
  /** The peer's port; and the stack's, of the last segment heard. */
  peerPort: number;
  port = 0;
  window = 65_535;
  /** Whether the peer puts timestamps on its segments: for what an exchange builds itself. */
  stamped = false;
  private step = 0;
  private began = 0;
  private taken = 0;
  private readonly peerSide = new PeerSide();
  /** What handles are called in the transcript. */
  readonly handles = new Map<number, string>();

  /** @param expected the packets that had left after each step of another run, to wait for */
  constructor(
    readonly backend: Backend,
    readonly family: 4 | 6,
    /** The first of the peer's ports: no other exchange has them. */
    private readonly firstPort = PEER_PORT,
    private readonly expected: readonly number[] | null = null,
  ) {
    this.peerPort = firstPort;
  }

  /** The peer's address. */
  get remote(): string {
    return remoteAddress(this.family);
  }

  /** The last timestamp heard. */
  get lastStamp(): number {
    return this.peerSide.of(this.peerPort).tsVal;
  }

  /** What the peer's next segment begins with, and what it has heard in order: relative numbers. */
  get nextSeq(): number {
    return this.peerSide.of(this.peerPort).seq;
  }

  get heard(): number {
    return this.peerSide.of(this.peerPort).rcvNxt;
  }

  get local(): string {
    return this.family === 4 ? '192.168.0.1' : 'fd3d:fa7b:d17d::1';
  }

  private start(): void {
    this.step++;
    this.began = this.backend.now();
  }

  private async finish(): Promise<void> {
    await this.backend.settle(this.expected?.[this.counts.length] ?? 0);
    this.hear();
    this.counts.push(this.backend.packets.length);
  }

  /** A call that is answered at once; recorded. */
  async call(op: string, members: Message = {}, title?: string): Promise<Message> {
    this.start();
    const reply = await this.backend.request(op, members);
    this.record(title ?? this.describe(op, members), reply, null);
    await this.finish();
    return reply;
  }

  /** A call that may block: `end` awaits and records it, with the time that it took. */
  async begin(op: string, members: Message = {}): Promise<{ end(): Promise<Message> }> {
    this.start();
    const { step, began } = this;
    const title = this.describe(op, members);
    const pending = this.backend.request(op, members);
    await this.finish();
    const end = async (): Promise<Message> => {
      const reply = await Promise.race([pending, this.deadline()]);
      const after = (reply.us as number) - began;
      this.record(title, reply, after, step);
      return reply;
    };
    return { end };
  }

  private async deadline(): Promise<Message> {
    await new Promise((resolve) => setTimeout(resolve, 4000).unref());
    return { ret: -1, errno: 'STILL BLOCKED', us: 0 };
  }

  /** A call as the transcript has it. */
  private describe(op: string, members: Message): string {
    const words = Object.entries(members)
      .filter(([name]) => name !== 'data' && name !== 'name')
      .map(([name, value]) => {
        if (name === 'fd' || name === 'epfd') {
          return this.handles.get(value as number) ?? String(value);
        }
        if (name === 'fds') return '';
        if (name === 'port' && (value as number) >= this.firstPort) return 'port of the peer';
        return `${name} ${JSON.stringify(value)}`;
      });
    return `${op} ${words.join(' ')}`;
  }

  private record(title: string, reply: Message, after: number | null, step = this.step): void {
    const { ret, errno, data, addr, port, revents, events, val, raw, msg_flags, cmsgs } = reply;
    const rest = {
      data: data === '' ? undefined : data,
      addr,
      port: typeof port === 'number' ? this.relative(port) : undefined,
      revents,
      events,
      val: typeof raw === 'string' ? asNumber(raw) : val,
      msg_flags,
      cmsgs: Array.isArray(cmsgs) && cmsgs.length > 0 ? (cmsgs as unknown) : undefined,
    };
    const outcome = ret === -1 ? errnoName(errno) : JSON.stringify({ ret, ...rest });
    const entry = { step, text: `${title}: ${outcome}`, after };
    this.transcript.calls.push(entry);
    this.transcript.calls.sort((a, b) => a.step - b.step);
  }

  /** The peer's ports are told from the first that it has. */
  private relative(port: number): number {
    return port < this.firstPort ? port : port - this.firstPort;
  }

  /** socket(2); its name stands for the handle in the transcript. @param type 2: a UDP socket */
  async socket(name = 'S', nonblock = true, type: 1 | 2 = 1): Promise<number> {
    this.start();
    const reply = await this.backend.request('socket', {
      domain: this.family,
      type,
      nonblock: Number(nonblock),
      protocol: 0,
    });
    await this.finish();
    return this.named(name, reply);
  }

  /** A call that gives a handle. */
  async handle(name: string, op: string, members: Message): Promise<number> {
    this.start();
    const reply = await this.backend.request(op, members);
    await this.finish();
    return this.named(name, reply);
  }

  private named(name: string, { ret }: Message): number {
    if ((ret as number) >= 0) this.handles.set(ret as number, name);
    return ret as number;
  }

  async accept(fd: number, name = 'A', nonblock = true): Promise<number> {
    this.start();
    const reply = await this.backend.request('accept', { fd });
    const { errno, addr, port } = reply;
    this.record('accept', { ret: errno === undefined ? 0 : -1, errno, addr, port }, null);
    await this.finish();
    const accepted = this.named(name, reply);
    if (nonblock && accepted >= 0) await this.setFlags(accepted, 0o4002);
    return accepted;
  }

  async setFlags(fd: number, arg: number): Promise<void> {
    this.start();
    await this.backend.request('fcntl', { fd, cmd: 'F_SETFL', arg, nonblock: (arg >> 11) & 1 });
    await this.finish();
  }

  async bind(fd: number, port: number, addr = this.local): Promise<void> {
    await this.call('bind', { fd, family: this.family, addr, port });
  }

  async connect(fd: number, port = this.peerPort, addr = this.remote): Promise<Message> {
    return this.call('connect', { fd, family: this.family, addr, port });
  }

  async disconnect(fd: number): Promise<void> {
    await this.call('connect', { fd, family: 0, addr: '0.0.0.0', port: 0 });
  }

  async write(fd: number, data: number | string): Promise<void> {
    const bytes = payload(data);
    await this.call('write', { fd, data: bytes.toString('base64'), len: bytes.length });
  }

  async send(fd: number, data: number | string, flags: number): Promise<void> {
    const bytes = payload(data);
    await this.call('send', { fd, data: bytes.toString('base64'), len: bytes.length, flags });
  }

  async read(fd: number, len = 65_536): Promise<void> {
    await this.call('read', { fd, len });
  }

  async recv(fd: number, len: number, flags = 0): Promise<void> {
    await this.call('recv', { fd, len, flags });
  }

  async shutdown(fd: number, how: number): Promise<void> {
    await this.call('shutdown', { fd, how });
  }

  async close(fd: number): Promise<void> {
    await this.call('close', { fd });
  }

  async setOption(fd: number, level: number, opt: number, value: number | Buffer): Promise<void> {
    await this.call('setsockopt', {
      fd,
      level,
      opt,
      ...(typeof value === 'number' ? { val: value } : {}),
      raw: (typeof value === 'number' ? int(value) : value).toString('base64'),
      optlen: typeof value === 'number' ? 4 : value.length,
    });
  }

  async getOption(fd: number, level: number, opt: number, optlen = 4): Promise<void> {
    await this.call('getsockopt', { fd, level, opt, optlen });
  }

  /** TCP_INFO: these members of it, without `tcpi_`. */
  async info(fd: number, names: readonly string[]): Promise<void> {
    this.start();
    const info = await this.askInfo(fd);
    const told = names.map((name) => `${name} ${String(info[`tcpi_${name}`])}`).join(' ');
    this.record(`TCP_INFO of ${this.handles.get(fd)}: ${told}`, { ret: 0 }, null);
    await this.finish();
  }

  /** The same of times, which are compared as those of events are: `last_…` ms, else µs. */
  async times(fd: number, names: readonly string[]): Promise<void> {
    this.start();
    const info = await this.askInfo(fd);
    for (const name of names) {
      const value = Number(info[`tcpi_${name}`]) * (name.startsWith('last_') ? 1000 : 1);
      this.record(`TCP_INFO of ${this.handles.get(fd)}: ${name}`, { ret: 0 }, value);
    }
    await this.finish();
  }

  private async askInfo(fd: number): Promise<Message> {
    const members = { fd, level: 6, opt: 11, name: 'TCP_INFO', optlen: INFO_BYTES };
    const reply = await this.backend.request('getsockopt', members);
    return typeof reply.raw === 'string'
      ? { ...decodeInfo(Buffer.from(reply.raw, 'base64')) }
      : reply;
  }

  /** SO_ERROR. */
  async error(fd: number): Promise<void> {
    await this.getOption(fd, 1, 4);
  }

  /** What poll(2) says of everything now. */
  async poll(fd: number, mask = 0xffff & ~0x20): Promise<void> {
    await this.call('poll', { timeout: 0, fds: [[fd, mask]] }, `poll ${this.handles.get(fd)}`);
  }

  /** A listener on `port`. */
  async listener(port: number, backlog = 8): Promise<number> {
    const fd = await this.socket('L');
    await this.setOption(fd, 1, 2, 1);
    await this.bind(fd, port);
    await this.call('listen', { fd, backlog });
    this.port = port;
    return fd;
  }

  /**
   * The peer connects to a listener, and the program accepts it.
   * @param rtt ms: from 30 on it is no matter what the machine adds to it
   */
  async served(port: number, syn: Say = { mss: 1460 }, rtt = 0): Promise<[number, number]> {
    const listener = await this.listener(port);
    await this.peer('S', syn);
    if (rtt > 0) await this.pass(rtt);
    await this.peer('.', typeof syn.ts === 'number' ? { ts: syn.ts + 1 } : {});
    return [await this.accept(listener), listener];
  }

  /** A socket that has connected to the peer. */
  async connected(synAck: Say = { mss: 1460 }, rtt = 0): Promise<number> {
    const fd = await this.socket();
    await this.connect(fd);
    if (rtt > 0) await this.pass(rtt);
    await this.peer('S.', synAck);
    return fd;
  }

  /** A segment of the peer. */
  async peer(flags: string, say: Say = {}): Promise<void> {
    this.start();
    const packet = makePacket({
      ...this.peerSide.says(say.from ?? this.peerPort, flags, say),
      from: this.remote,
      to: this.local,
      destinationPort: say.to ?? this.port,
      window: say.win ?? this.window,
    });
    await this.backend.request('pkt', { data: packet.toString('base64') });
    await this.finish();
  }

  /** Packets from outside. */
  async inject(packets: readonly Uint8Array[]): Promise<void> {
    this.start();
    for (const packet of packets) {
      await this.backend.request('pkt', { data: Buffer.from(packet).toString('base64') });
    }
    await this.finish();
  }

  /** Who says what has become of packets. */
  get router(): IpAddress {
    const router = parseAddress(this.family === 4 ? '192.0.2.254' : '2001:db8::fe');
    if (router === null) throw new Error('no address');
    return router;
  }

  /** The peer's window is another from now on, and its acknowledgment says so. */
  async offer(window: number, say: Say = {}): Promise<void> {
    this.window = window;
    await this.peer('.', say);
  }

  /**
   * A router says by ICMP what has become of a segment of the stack.
   * @param seq of the segment, relative to the stack's ISS
   */
  async icmp(message: IcmpMessage, seq: number): Promise<void> {
    this.start();
    const quoted = makePacket({
      from: this.local,
      to: this.remote,
      sourcePort: this.port,
      destinationPort: this.peerPort,
      sequence: (this.peerSide.of(this.peerPort).iss + seq) | 0,
    });
    const packet = Buffer.from(icmpError(this.router, quoted, message));
    await this.backend.request('pkt', { data: packet.toString('base64') });
    await this.finish();
  }

  /** recvmsg(2) with MSG_ERRQUEUE: an error; where its quote begins, if our last port sent that. */
  async queued(fd: number, len = 65_536, ctrllen = 512): Promise<void> {
    this.start();
    const reply = await this.backend.request('recvmsg', { fd, len, ctrllen, flags: 0x2000 });
    const quoted = Buffer.from(String(reply.data ?? ''), 'base64');
    const isOurs = quoted.length >= 8 && quoted.readUInt16BE(0) === this.port;
    const { iss } = this.peerSide.of(this.peerPort);
    const at = isOurs ? `, at ${(quoted.readInt32BE(4) - iss) | 0}` : '';
    this.record(`error queue${at}`, { ...reply, data: undefined }, null);
    await this.finish();
  }

  /** Lets time pass, ms. */
  async pass(ms: number): Promise<void> {
    // What happens now belongs to what was said or called last.
    await this.backend.pass(ms * 1000);
    await this.finish();
  }

  /** The next connection: the peer has another port, and knows nothing of the stack's numbers. */
  next(peerPort = this.peerPort + 1): void {
    this.peerPort = peerPort;
  }

  private hear(): void {
    const { packets } = this.backend;
    for (; this.taken < packets.length; this.taken++) {
      const { us, bytes } = packets[this.taken];
      // What routers are told of groups is seen of the kernel's side by others alone.
      if (isGroupReport(bytes)) continue;
      const sent = readPacket(bytes);
      const text = sent === null ? this.hearOther(bytes) : this.hearSegment(sent);
      const exact = sent === null || (sent.flags & (Flag.SYN | Flag.RST)) !== 0;
      const window = exact ? undefined : sent.window;
      this.transcript.packets.push({ step: this.step, text, after: us - this.began, window });
    }
  }

  private hearOther(bytes: Buffer): string {
    const other = readOther(bytes, (port) => this.tellPort(port));
    if (other === null) return `unreadable: ${bytes.toString('hex')}`;
    if (other.sourcePort > 0) this.port = other.sourcePort;
    return `${other.text} to ${other.destination}`;
  }

  private tellPort(port: number): string {
    if (port >= this.firstPort && port < this.firstPort + PORTS)
      return `peer's ${port - this.firstPort}`;
    return port >= FIRST_EPHEMERAL ? 'ephemeral' : String(port);
  }

  private hearSegment(sent: Sent): string {
    if ((sent.flags & Flag.RST) === 0) this.port = sent.sourcePort;
    return `${sent.destinationPort - this.firstPort} ${this.peerSide.hears(sent)}`;
  }
}

/** Two names have one number; Python prefers the other. */
function errnoName(errno: unknown): string {
  return errno === 'ENOTSUP' ? 'EOPNOTSUPP' : String(errno);
}

function asNumber(raw: string): number | string {
  const bytes = Buffer.from(raw, 'base64');
  return bytes.length === 4 ? bytes.readInt32LE(0) : bytes.toString('hex');
}

function int(value: number): Buffer {
  const raw = Buffer.alloc(4);
  raw.writeInt32LE(value | 0);
  return raw;
}
