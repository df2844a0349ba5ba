import { Errno, errnoName } from '../../lib/core/errno';
import { formatAddress, readAddress, type IpAddress } from '../../lib/core/ip/address';
import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import { DatagramInfo } from '../../lib/core/udp/datagram-info';
import type { Host } from '../../lib/testing';
import { Content } from './content';
import { Task } from './task';

/** What ICMP may say of a way that is no more, and what a call may answer. */
const EXPECTED: ReadonlySet<number> = new Set([
  Errno.EAGAIN,
  Errno.EACCES,
  Errno.EADDRINUSE,
  Errno.ECONNREFUSED,
  Errno.EHOSTUNREACH,
  Errno.EMSGSIZE,
  Errno.ENETUNREACH,
  Errno.ENOPROTOOPT,
  Errno.EPROTO,
]);
/** Bytes of a datagram that say which it is; a shorter one can be anybody's. */
export const NUMBER = 4;

/** A datagram that a program has sent. */
interface Sent {
  readonly from: Host;
  readonly sourcePort: number;
  readonly to: IpAddress;
  readonly port: number;
  readonly length: number;
}

/** All datagrams of a network, as their senders know them. */
export class Registry {
  sent = 0;
  received = 0;
  private readonly all: Sent[] = [];

  /** The bytes of a new datagram. */
  make(datagram: Sent): Uint8Array {
    const id = this.all.push(datagram) - 1;
    const bytes = Buffer.from(new Content(id).bytes.subarray(0, datagram.length));
    if (bytes.length >= NUMBER) bytes.writeInt32BE(id, 0);
    this.sent++;
    return bytes;
  }

  /** What has come was sent so, to there, by whom it says. @throws Error */
  verify(bytes: Uint8Array, socket: DatagramSocket, info: DatagramInfo): void {
    this.received++;
    const got = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (got.length !== info.length) throw new Error(`${got.length} of ${info.length} bytes`);
    if (got.length < NUMBER) return;
    const id = got.readInt32BE(0);
    const sent = this.all.at(id);
    const from = formatAddress(readAddress(info.source, 0));
    const to = formatAddress(readAddress(info.destination, 0));
    const told = `${got.length} bytes from ${from} to ${to} port ${socket.localPort}`;
    if (id < 0 || sent === undefined) throw new Error(`a datagram of nobody: ${told}`);
    const { address, address6, name } = sent.from;
    const wanted = `${sent.length} bytes of ${name} to ${formatAddress(sent.to)} port ${sent.port}`;
    const isRight =
      sent.length === got.length &&
      formatAddress(sent.to) === to &&
      sent.port === socket.localPort &&
      sent.sourcePort === info.sourcePort &&
      (from === address || from === address6 || from === '127.0.0.1' || from === '::1');
    if (!isRight) throw new Error(`another datagram: ${told}, but it was ${wanted}`);
    const rest = new Content(id).bytes.subarray(NUMBER, got.length);
    if (rest.compare(got, NUMBER) !== 0) throw new Error(`wrong bytes: ${told}`);
  }
}

/** A program with a UDP socket. */
export class DatagramEnd {
  readonly socket: DatagramSocket;
  /** Datagrams that were read. */
  read = 0;
  isOver = false;
  private readonly info = new DatagramInfo();
  private readonly tasks: Task[] = [];

  /**
   * @param heard what it does with a datagram that has come, whose bytes were right
   * @param onError told of what a call of the driver must not throw
   */
  constructor(
    readonly host: Host,
    readonly family: 4 | 6,
    private readonly registry: Registry,
    private readonly heard: (end: DatagramEnd, info: DatagramInfo, length: number) => void,
    private readonly onError: (error: unknown) => void,
    /** It reads only when it is time to. */
    isSlow = false,
  ) {
    this.socket = host.datagrams(family, { ready: () => (isSlow ? undefined : this.ready()) });
  }

  /** Whether the program can do something. */
  get canAct(): boolean {
    return !this.isOver && this.host.state === 'up';
  }

  /** Does it again and again; for ever, or so many times. @param pause µs, the longest */
  repeat(action: () => void, pause: () => number, times = Infinity): void {
    let left = times;
    const task: Task = new Task(this.host.simulation, () => {
      if (this.isOver || left-- <= 0) return;
      if (this.host.state === 'up') {
        this.host.enter();
        action();
        this.host.flush();
      }
      task.after(1 + pause());
    });
    this.tasks.push(task.after(pause()));
  }

  /** A datagram of that length. @param to null: to whom it is connected */
  send(to: IpAddress | null, port: number, length: number): number {
    const { socket } = this;
    // The port is chosen with the first one: it counts when the datagram has one.
    const bound = socket.localPort === 0 ? socket.bind(socket.localAddress, 0) : 0;
    if (bound < 0) return this.expect(bound);
    const sent = {
      from: this.host,
      sourcePort: socket.localPort,
      to: to ?? socket.remoteAddress,
      port: to === null ? socket.remotePort : port,
      length,
    };
    const bytes = this.registry.make(sent);
    return this.expect(socket.send(bytes, 0, length, to, port));
  }

  /** Reads all that there is, or so many. */
  receive(most = Infinity): void {
    for (let left = most; left > 0 && !this.isOver; left--) {
      const got = this.socket.take(this.info);
      if (typeof got === 'number') {
        if (this.expect(got) === -Errno.EAGAIN) return;
        continue;
      }
      this.read++;
      this.registry.verify(got, this.socket, this.info);
      this.heard(this, this.info, got.length);
    }
  }

  private expect(result: number): number {
    if (result >= 0 || EXPECTED.has(-result)) return result;
    throw new Error(`${this.host.name}: a call says ${errnoName(result)}`);
  }

  private ready(): void {
    try {
      this.receive();
    } catch (error) {
      this.onError(error);
    }
  }

  /** It does nothing by itself any more, but for answering. */
  rest(): void {
    for (const task of this.tasks) task.after(Infinity);
  }

  /** close(2). */
  close(): void {
    if (this.isOver) return;
    this.vanish();
    this.host.enter();
    this.socket.close();
    this.host.flush();
  }

  /** Its host, or the program, has gone. */
  vanish(): void {
    this.isOver = true;
    this.rest();
  }
}
