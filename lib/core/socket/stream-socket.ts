import { Errno } from '../errno';
import {
  isIpv4,
  isMulticast,
  isUnicast,
  isWildcard,
  LOOPBACK4,
  LOOPBACK6,
  type IpAddress,
} from '../ip/address';
import { isOurs } from '../ip/addresses';
import { knownMtu, startPathMtu } from '../tcp/path-mtu';
import { Has, type Connection } from '../tcp/connection';
import { canSend, State } from '../tcp/state';
import { SynRequests, type SynRequest } from '../tcp/syn-requests';
import { needsReset } from '../tcp/tcp';
import type { TcpInfo } from '../tcp/tcp-info';
import { closeBoth, closeSending, open, received, send, type Predecessor } from '../tcp/user-calls';
import { available, passUrgentByte, takeUrgentByte } from '../tcp/urgent';
import { Listening } from './listening';
import { BindNoPort, SocketOption } from './options';
import { Shut, SocketStatus } from './socket-status';

/** What shutdown(2) takes. */
export const enum Shutdown {
  RD = 0,
  WR = 1,
  RDWR = 2,
}

/** Where connect(2) stands, apart from the connection's own state (Linux: socket_state). */
const enum Phase {
  Unconnected,
  Connecting,
  Connected,
  /** Shut down before it was connected. */
  Disconnecting,
}

/**
 * A TCP socket as the system calls know it, never blocking. Each call returns 0 or more, or minus
 * Linux's errno. `owner` is free for the layer above.
 */
export class StreamSocket extends SocketStatus {
  owner: unknown = null;
  /** In the stack's queue of sockets with something to tell. */
  hasEvent = false;
  nextEvent: StreamSocket | null = null;

  private holdsPort = false;
  private phase = Phase.Unconnected;

  /** bind(2). Port 0 takes an ephemeral port. */
  bind(address: IpAddress, port: number): number {
    const refused = this.mayBind(address);
    if (refused < 0) return refused;
    if (port === 0 && (this.options.bindNoPort & BindNoPort.Asked) !== 0) {
      this.local = address;
      this.setOption(SocketOption.BindNoPort, BindNoPort.Asked | BindNoPort.Bound);
      return 0;
    }
    return this.takePort(address, port);
  }

  /**
   * bind(2) to every port that no other socket is bound to, to listen there: its own port stays 0,
   * accepted ones have that which the peer has asked for. -EOPNOTSUPP where the link shares ports.
   */
  bindAnyPort(address: IpAddress): number {
    const refused = this.mayBind(address);
    if (refused < 0) return refused;
    return this.holdPort(address, this.tcp.ports.bindAnyPort(this.domain, address, this.options));
  }

  private mayBind(address: IpAddress): number {
    if (this.closed) return -Errno.EBADF;
    if (!this.fits(address)) return -Errno.EAFNOSUPPORT;
    if (isMulticast(address)) return -Errno.EADDRNOTAVAIL;
    if (!isWildcard(address) && !isOurs(this.tcp.environment.paths, address)) {
      return -Errno.EADDRNOTAVAIL;
    }
    return this.holdsPort || this.isLive ? -Errno.EINVAL : 0;
  }

  private takePort(address: IpAddress, port: number): number {
    const taken = this.tcp.ports.bind(this.domain, address, port, this.options);
    return this.holdPort(address, taken);
  }

  /** @param taken the port, or -errno */
  private holdPort(address: IpAddress, taken: number): number {
    if (taken < 0) return taken;
    this.local = address;
    this.localPort = taken;
    this.holdsPort = true;
    return 0;
  }

  /** listen(2): LISTEN, with room for `backlog` connections that wait to be accepted. */
  listen(backlog: number): number {
    if (this.closed) return -Errno.EBADF;
    if (this.phase !== Phase.Unconnected) return -Errno.EINVAL;
    const limit = this.tcp.settings.somaxconn;
    const granted = backlog < 0 || backlog > limit ? limit : backlog;
    if (this.listening !== null) {
      this.listening.backlog = granted;
      return 0;
    }
    if (!this.holdsPort) {
      const bound = this.takePort(this.localAddress, 0);
      if (bound < 0) return bound;
    }
    const allowed = this.tcp.ports.listen(
      this.domain,
      this.localAddress,
      this.localPort,
      this.options,
    );
    if (allowed < 0) return allowed;
    this.listening = new Listening(this.tcp.listeners.add(this), granted);
    return 0;
  }

  /** A handshake with this listener is over. */
  enqueue(c: Connection): void {
    this.listening?.queue.push(c);
    this.tcp.notify(this);
  }

  /** What an accepted connection was asked for by, once; null where the program wasn't asked. */
  requestOf(accepted: StreamSocket): SynRequest | null {
    const c = accepted.connection;
    return c === null ? null : (this.listening?.requests?.take(c) ?? null);
  }

  /** A connection is about to end before it was accepted: what arrived can still be read. */
  keepForAccept(c: Connection): void {
    const queue = this.listening?.queue ?? [];
    const index = queue.indexOf(c);
    if (index >= 0) queue[index] = this.socketOf(c);
  }

  /** accept(2): the oldest connection that waits. */
  accept(): StreamSocket | number {
    if (this.closed) return -Errno.EBADF;
    if (this.listening === null) return -Errno.EINVAL;
    const first = this.listening.queue.shift();
    if (first === undefined) return -Errno.EAGAIN;
    const socket = first instanceof StreamSocket ? first : this.socketOf(first);
    this.tcp.notify(socket);
    return socket;
  }

  /**
   * From now on a SYN to this listener isn't answered before the program has decided, where `asks`
   * says at its arrival that it wants to: `requests.next` has them.
   * @returns null where it doesn't listen
   */
  decideSyns(asks: () => boolean): SynRequests | null {
    if (this.listening === null) return null;
    this.listening.requests ??= new SynRequests(this.tcp, asks);
    return this.listening.requests;
  }

  private socketOf(c: Connection): StreamSocket {
    const socket = new StreamSocket(this.tcp, this.domain);
    const { tuples } = this.tcp;
    socket.options = c.options;
    socket.localPort = tuples.localPort(c.tuple);
    socket.remotePort = tuples.remotePort(c.tuple);
    socket.connection = c;
    socket.phase = Phase.Connected;
    c.listener = null;
    c.unset(Has.Embryo);
    c.socket = socket;
    return socket;
  }

  /**
   * connect(2): sends a SYN. -EINPROGRESS; later `Poll.OUT`, and the outcome by `takeError` or by a
   * second call, as on Linux: 0 once, or the error, after which the socket can connect again.
   */
  connect(address: IpAddress, port: number): number {
    if (this.closed) return -Errno.EBADF;
    if (this.phase === Phase.Connecting) return this.connectOutcome();
    const refused = this.mayConnect(address);
    if (refused < 0) return refused;
    const { environment, tuples } = this.tcp;
    const remote = isWildcard(address) ? (isIpv4(address) ? LOOPBACK4 : LOOPBACK6) : address;
    // What an earlier attempt has chosen doesn't bind this one.
    const isBound = this.holdsPort || (this.options.bindNoPort & BindNoPort.Bound) !== 0;
    const bound = isBound && !isWildcard(this.local) ? this.local : null;
    const path = environment.paths.route(remote, bound);
    if (typeof path === 'number') return -path;
    const local = bound ?? path.source;
    const localPort = this.choosePort(local, remote, port);
    if (localPort < 0) return localPort;
    const before = this.takeOver(local, localPort, remote, port);
    const retained = this.tcp.ports.retain(local, localPort);
    if (retained < 0) return retained;
    this.localPort = localPort;
    this.remotePort = port;
    this.error = 0;
    const tuple = tuples.add(local, localPort, remote, port);
    const mtu = knownMtu(this.tcp, tuple, path.mtu);
    this.connection = open(this.tcp, this, tuple, mtu, before);
    startPathMtu(this.tcp, this.connection);
    this.phase = Phase.Connecting;
    return -Errno.EINPROGRESS;
  }

  /** What has become of the connection that an earlier call asked for. */
  private connectOutcome(): number {
    const { state } = this;
    if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return -Errno.EALREADY;
    if (this.isLive) {
      this.phase = Phase.Connected;
      return 0;
    }
    const error = this.takeError();
    this.disconnect();
    return -(error === 0 ? Errno.ECONNABORTED : error);
  }

  /**
   * connect(2) to AF_UNSPEC: the socket leaves its connection, with a RST where the peer knows of
   * it, or stops listening, and can be used again.
   */
  disconnect(): number {
    if (this.closed) return -Errno.EBADF;
    if (this.listening !== null) this.stopListening(this.listening);
    const c = this.connection;
    if (c !== null) {
      if (c.row >= 0) {
        const lost = needsReset(c) || c.state === State.SYN_SENT;
        c.socket = null;
        this.tcp.abort(c, 0);
        if (lost) this.error = Errno.ECONNRESET;
      }
      c.unset(Has.EndOfStream);
      c.receiveBuffer?.clear();
      this.tcp.dropReceiveBuffer(c);
    }
    this.shut = 0;
    this.lastInfo = null;
    this.phase = Phase.Unconnected;
    this.tcp.notify(this);
    return 0;
  }

  private mayConnect(address: IpAddress): number {
    if (this.phase === Phase.Disconnecting) return -Errno.EINVAL;
    // On any port: there is none to come from.
    if (this.holdsPort && this.localPort === 0) return -Errno.EINVAL;
    if (this.listening !== null || this.phase === Phase.Connected) return -Errno.EISCONN;
    if (!this.fits(address)) return -Errno.EAFNOSUPPORT;
    if (isIpv4(address) && !this.acceptsIpv4) return -Errno.ENETUNREACH;
    if (!isWildcard(address) && !isUnicast(address)) return -Errno.ENETUNREACH;
    return 0;
  }

  /** The port that is bound, or an ephemeral one, if the four-tuple can be had with it; -errno. */
  private choosePort(local: IpAddress, remote: IpAddress, port: number): number {
    const { ports, tuples, timeWait } = this.tcp;
    const reusable = (row: number): boolean =>
      timeWait.isEntry(row) && timeWait.mayReuse(tuples.index(row), this.holdsPort);
    if (!this.holdsPort) {
      return ports.pickEphemeral(local, remote, port, reusable, this.options.localPortRange);
    }
    const old = tuples.lookup(local, this.localPort, remote, port);
    return old < 0 || reusable(old) ? this.localPort : -Errno.EADDRNOTAVAIL;
  }

  /** Ends the TIME-WAIT entry on the four-tuple; what it leaves, or null where there is none. */
  private takeOver(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    port: number,
  ): Predecessor | null {
    const { tuples, timeWait } = this.tcp;
    const old = tuples.lookup(local, localPort, remote, port);
    if (old < 0) return null;
    const row = tuples.index(old);
    return { tsRecent: timeWait.tsRecent(row), sndNxt: timeWait.recycle(row) };
  }

  /** Called by TCP: the connection of this four-tuple is over. */
  ended(error: number, local: IpAddress, remote: IpAddress, info: TcpInfo | null): void {
    this.error = error;
    this.lastInfo = info;
    this.shut = Shut.Both;
    this.local = local;
    this.remote = remote;
  }

  /** Called by TCP: something has gone wrong that the connection survives. */
  report(error: number): void {
    this.error = error;
    this.tcp.notify(this);
  }

  /**
   * send(2) with MSG_DONTWAIT and MSG_NOSIGNAL: bytes taken, which are copied.
   * @param flags `Msg` bits
   */
  send(bytes: Uint8Array, offset: number, length: number, flags = 0): number {
    if (this.closed) return -Errno.EBADF;
    const c = this.connection;
    if (this.error !== 0) return -this.takeError();
    // Linux says EPIPE, not ENOTCONN, where there never was a connection.
    if (c === null) return -Errno.EPIPE;
    if (c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED) return -Errno.EAGAIN;
    if (!canSend(c.state)) return -Errno.EPIPE;
    return length === 0 ? 0 : send(this.tcp, c, bytes, offset, length, flags);
  }

  /**
   * recv(2): copies what is there into `into`; 0 at the end of the stream. A call stops before the
   * urgent byte; one that begins there passes over it, unless it is in line.
   */
  receive(into: Uint8Array, offset: number, length: number): number {
    this.passUrgentByte();
    const waiting = this.beforeReading();
    if (waiting <= 0) return waiting;
    const c = this.connection as Connection;
    const bytes = c.receiveBuffer?.read(into, offset, length) ?? 0;
    received(this.tcp, c, bytes);
    return bytes;
  }

  /** recv(2) with MSG_PEEK: the same, and what is copied stays. */
  peek(into: Uint8Array, offset: number, length: number): number {
    const waiting = this.beforeReading();
    if (waiting <= 0) return waiting;
    const c = this.connection as Connection;
    const skip = this.readable - available(c);
    return c.receiveBuffer?.peek(into, offset, length, skip) ?? 0;
  }

  private passUrgentByte(): void {
    const c = this.connection;
    if (c !== null && passUrgentByte(c)) received(this.tcp, c, 0);
  }

  /**
   * recv(2) with MSG_OOB, which never waits: the urgent byte, once unless `peek`; null: none will
   * come; -errno.
   */
  receiveUrgent(peek = false): number | null {
    if (this.closed) return -Errno.EBADF;
    const c = this.connection;
    return c === null ? -Errno.EINVAL : takeUrgentByte(c, peek, (this.shut & Shut.Receive) !== 0);
  }

  /** The next piece of the stream, at most `max` bytes, without a copy: it is the caller's now. */
  take(max: number): Uint8Array | number {
    this.passUrgentByte();
    const waiting = this.beforeReading();
    if (waiting <= 0) return waiting;
    const c = this.connection as Connection;
    const piece = c.receiveBuffer?.take(max) ?? null;
    if (piece === null) return -Errno.EAGAIN;
    received(this.tcp, c, piece.length);
    return piece;
  }

  /** Bytes to be read; 0 at the end of the stream; -errno. */
  private beforeReading(): number {
    if (this.closed) return -Errno.EBADF;
    if (this.available > 0) return this.available;
    const c = this.connection;
    // Who has got the peer's FIN has got all: a RST afterwards is news for the writer only.
    if (c !== null && c.has(Has.EndOfStream)) return 0;
    if (this.listening === null && this.error !== 0) return -this.takeError();
    if ((this.shut & Shut.Receive) !== 0) return 0;
    return this.isLive ? -Errno.EAGAIN : -Errno.ENOTCONN;
  }

  /** shutdown(2). As on Linux a socket without a connection notes it, too, and fails. */
  shutdown(how: Shutdown): number {
    if (this.closed) return -Errno.EBADF;
    const { state } = this;
    if (this.phase === Phase.Connecting) {
      const connected = this.isLive && state !== State.SYN_SENT && state !== State.SYN_RECEIVED;
      this.phase = connected ? Phase.Connected : Phase.Disconnecting;
    }
    if (state === State.LISTEN) return how === Shutdown.WR ? 0 : this.disconnect();
    if (state === State.SYN_SENT) return this.disconnect();
    const c = this.connection;
    this.shut |= how + 1;
    this.tcp.notify(this);
    if (c === null || c.row < 0) return -Errno.ENOTCONN;
    if (how !== Shutdown.WR) c.set(Has.RcvShutdown);
    if (how !== Shutdown.RD) closeSending(this.tcp, c);
    return 0;
  }

  /** close(2): the data and a FIN are still delivered; RST where data was left unread. */
  close(): number {
    if (this.closed) return -Errno.EBADF;
    this.closed = true;
    if (this.listening !== null) this.stopListening(this.listening);
    if (this.connection !== null) closeBoth(this.tcp, this.connection);
    this.releasePort();
    return 0;
  }

  /** Closes with a RST: what is queued in both directions is dropped. */
  abort(): void {
    const c = this.connection;
    if (!this.closed && c !== null && c.row >= 0) {
      c.socket = null;
      this.tcp.abort(c, 0);
    }
    this.close();
  }

  private stopListening(listening: Listening): void {
    this.tcp.synReceived.listenerClosed(listening.id);
    this.tcp.listeners.remove(this, listening.id);
    this.listening = null;
    this.tcp.ports.unlisten(this.domain, this.localAddress, this.localPort);
    for (const entry of listening.queue) {
      if (entry instanceof StreamSocket) entry.close();
      else this.socketOf(entry).abort();
    }
  }

  private releasePort(): void {
    if (!this.holdsPort) return;
    this.holdsPort = false;
    this.tcp.ports.unbind(this.domain, this.localAddress, this.localPort, this.options);
  }

  private fits(address: IpAddress): boolean {
    return this.domain === 6 || isIpv4(address);
  }
}
