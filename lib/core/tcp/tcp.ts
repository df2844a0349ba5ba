import type { Environment } from '../environment';
import { readAddress } from '../ip/address';
import { PathMtus } from '../ip/path-mtus';
import { Arena } from '../memory/arena';
import { BlockPool } from '../memory/block-pool';
import { MemoryPressure } from '../memory/pressure';
import { Spares } from '../memory/spares';
import type { SlabTable } from '../memory/slabs';
import { SegmentBatch } from '../segment/batch';
import { Word } from '../segment/layout';
import { Segment } from '../segment/segment';
import { SocketOptions } from '../socket/options';
import type { StreamSocket } from '../socket/stream-socket';
import { Counters } from '../stack/counters';
import { FourTuples, Shape } from '../stack/four-tuples';
import { LocalPorts } from '../stack/ports';
import { TimerTable } from '../time/timer-table';
import { segmentArrives } from './segment-arrives';
import { AckNews } from './ack-news';
import { ChallengeBudget } from './challenge-ack';
import type { CongestionController } from './congestion-controller';
import { CaState, Has, Timer, type Connection } from './connection';
import { Controllers } from './controllers';
import { delayedAckExpired } from './delayed-ack';
import { countCodepoint } from './ecn';
import { sendReset } from './emit';
import { Inbound } from './inbound';
import { InitialSequence } from './isn';
import { ReceiveBuffer } from './receive-buffer';
import { SendBuffer } from './send-buffer';
import { Flight } from './flight';
import { keepAliveTimeout } from './keepalive';
import { noteLimit } from './limits';
import { Listeners } from './listeners';
import { transmit } from './output';
import { retransmitTimer } from './retransmission';
import type { Settings } from './settings';
import { isClosing, isSynchronized, State } from './state';
import { SynCookies } from './syn-cookies';
import { SynReceived } from './syn-received';
import { TimeWait } from './time-wait';
import { Limit, Totals } from './totals';
import { closedInfo, type TcpInfo } from './tcp-info';
import { persistTimeout } from './zero-window';

/** Told of each segment, with its connection's state: after a received one was processed, when one
 * is sent; CLOSED without a connection. The words are valid during the call. */
export type Trace = (words: Int32Array, base: number, state: State) => void;

/** Answers that wait for the next `transmit` without a connection behind them. */
const REPLIES = 1024;

/** Empty buffers kept for the next connection that needs one. */
const SPARE_BUFFERS = 256;
const SPARE_FLIGHTS = 256;

/** TCP of one stack: the tables that its mechanisms share, and the ways into them. */
export class Tcp {
  /** µs since the stack's epoch, and the same in ms as int32. */
  now = 0;
  nowMs = 0;
  trace: Trace | null = null;
  /** Tells the sender of a packet, by ICMP, what is wrong: type and code as `IcmpWord.Kind`. */
  complain: ((packet: Uint8Array, kind: number) => void) | null = null;
  /** Where the link has hardware addresses: told that what was sent has arrived. */
  neighborhood: { confirm(words: Int32Array, at: number): void } | null = null;
  /** Told of each change of state of a connection that is in the tables, before it is made. */
  stateChange: ((c: Connection, to: State) => void) | null = null;
  readonly counters = new Counters();
  readonly defaultOptions: SocketOptions;
  readonly controllers: Controllers;
  readonly tuples: FourTuples;
  readonly timers = new TimerTable(Timer.Kinds);
  readonly totals = new Totals();
  readonly ports: LocalPorts;
  readonly isn: InitialSequence;
  /** Memory of what waits to be sent, or to be acknowledged. */
  readonly pool: BlockPool;
  /** What all connections buffer. */
  readonly memory: MemoryPressure;
  readonly sendBuffers: Spares<SendBuffer>;
  readonly receiveBuffers: Spares<ReceiveBuffer>;
  readonly inbounds = new Spares(() => new Inbound(), SPARE_BUFFERS);
  private readonly flights = new Spares(() => new Flight(), SPARE_FLIGHTS);
  /** What the acknowledgment under way tells. */
  readonly news = new AckNews();
  /** TSecr of that segment; 0: it has none. */
  echo = 0;
  readonly replies = new SegmentBatch(REPLIES);
  /** RSTs for which `replies` has no room: nobody would ask again for one that was lost. */
  private readonly resets: SegmentBatch[] = [];
  readonly challenges: ChallengeBudget;
  readonly listeners = new Listeners();
  readonly pathMtus: PathMtus;
  readonly synCookies: SynCookies;
  readonly synReceived: SynReceived;
  readonly timeWait: TimeWait;
  /** Connections with a handshake, data or a FIN that the peer has not acknowledged. */
  unfinished = 0;
  /** Connections that no program holds any more. */
  orphans = 0;

  private readonly segment = new Segment();
  private readonly connections: (Connection | null)[] = [];
  private readonly freeRows: number[] = [];
  private firstReady: Connection | null = null;
  private lastReady: Connection | null = null;
  private firstEvent: StreamSocket | null = null;
  private lastEvent: StreamSocket | null = null;

  constructor(
    readonly environment: Environment,
    readonly slabs: SlabTable,
    hashKey: Int32Array,
    readonly settings: Settings,
    congestion?: string | CongestionController,
  ) {
    const report = (error: unknown) => environment.report?.(error);
    this.controllers = new Controllers(settings, this.counters, report);
    const control = this.controllers.find(congestion);
    if (control === null) {
      throw new RangeError(`There is no congestion control "${String(congestion)}"`);
    }
    this.defaultOptions = new SocketOptions(settings, control);
    this.tuples = new FourTuples(hashKey);
    this.pathMtus = new PathMtus(hashKey[0] ^ hashKey[1]);
    this.ports = new LocalPorts(environment, this.tuples);
    this.isn = new InitialSequence(environment.random);
    this.pool = new BlockPool(slabs, environment.allocate);
    this.memory = new MemoryPressure(
      settings,
      this.counters,
      () => this.pool.used,
      () => this.nowMs,
    );
    const arena = new Arena(environment.allocate);
    this.sendBuffers = new Spares(() => new SendBuffer(this.pool), SPARE_BUFFERS);
    this.receiveBuffers = new Spares(() => new ReceiveBuffer(arena, this.memory), SPARE_BUFFERS);
    this.challenges = new ChallengeBudget(settings, environment.random);
    this.synCookies = new SynCookies(environment.random);
    this.synReceived = new SynReceived(this);
    this.timeWait = new TimeWait(this);
  }

  setNow(now: number): void {
    if (now <= this.now) return;
    this.now = now;
    this.nowMs = Math.floor(now / 1000) | 0;
  }

  onSegment(batch: SegmentBatch, index: number): void {
    this.counters.TcpInSegs++;
    this.segment.load(batch, index, this.slabs.slabs);
    countCodepoint(this.counters, this.segment);
    segmentArrives(this, this.segment);
    this.trace?.(batch.words, batch.base(index), this.stateOf(batch, index, Word.Destination));
  }

  /** Fires every timer that is due, in the order of their deadlines within each table. */
  onTimer(): void {
    while (this.timers.expire(this.now)) {
      const c = this.connections[this.timers.row];
      if (c !== null) this.fire(c, this.timers.kind);
    }
    this.synReceived.onTimer();
    this.timeWait.onTimer();
  }

  nextDeadline(): number {
    return Math.min(this.timers.next(), this.synReceived.next(), this.timeWait.next());
  }

  private fire(c: Connection, kind: Timer): void {
    switch (kind) {
      case Timer.Retransmit:
        retransmitTimer(this, c);
        return;
      case Timer.Persist:
        persistTimeout(this, c);
        return;
      case Timer.DelayedAck:
        delayedAckExpired(this, c);
        return;
      case Timer.KeepAlive:
        if (c.state === State.FIN_WAIT_2 && this.isOrphan(c)) this.abort(c, 0);
        else keepAliveTimeout(this, c);
        return;
      case Timer.Pacing:
        this.markReady(c);
        return;
      case Timer.Kinds:
        return;
    }
  }

  /** Fills `batch` with answers, then with what the connections may send, each in its turn. */
  transmit(batch: SegmentBatch): void {
    const start = batch.count;
    this.fill(batch);
    if (this.trace === null) return;
    for (let i = start; i < batch.count; i++) {
      this.trace(batch.words, batch.base(i), this.stateOf(batch, i, Word.Source));
    }
  }

  private fill(batch: SegmentBatch): void {
    this.replies.discard(batch.append(this.replies));
    while (this.resets.length > 0 && batch.count < batch.capacity) {
      const [first] = this.resets;
      first.discard(batch.append(first));
      if (first.count === 0) this.resets.shift();
    }
    while (this.firstReady !== null && batch.count < batch.capacity) {
      const c = this.firstReady;
      const done = c.row < 0 || transmit(this, c, batch);
      if (done && c.row >= 0) noteLimit(this, c);
      this.firstReady = c.nextReady;
      if (this.firstReady === null) this.lastReady = null;
      c.nextReady = null;
      c.unset(Has.Ready);
      // The batch is full: next time the others come first.
      if (!done) this.markReady(c);
      if (c.row >= 0) this.settle(c);
    }
  }

  /** Whether `transmit` may have something. */
  get hasOutput(): boolean {
    return this.firstReady !== null || this.replies.count > 0 || this.resets.length > 0;
  }

  /** The state of the connection that a descriptor belongs to; `local` says which end is ours. */
  private stateOf(batch: SegmentBatch, index: number, local: Word): State {
    const { words } = batch;
    const base = batch.base(index);
    const sent = local === Word.Source;
    const ports = [words[base + Word.SourcePort], words[base + Word.DestinationPort]];
    const localPort = ports[sent ? 0 : 1];
    const remote = sent ? Word.Destination : Word.Source;
    const tuple = this.tuples.lookup(
      readAddress(words, base + local),
      localPort,
      readAddress(words, base + remote),
      ports[sent ? 1 : 0],
    );
    switch (tuple < 0 ? Shape.None : this.tuples.shape(tuple)) {
      case Shape.Connection:
        return this.connection(this.tuples.index(tuple)).state;
      case Shape.Syn:
        return State.SYN_RECEIVED;
      case Shape.TimeWait:
        return this.timeWait.state(this.tuples.index(tuple));
      case Shape.None:
        return sent || this.listeners.find(words, base) === null ? State.CLOSED : State.LISTEN;
    }
  }

  /** Asks for `c` to be looked at by the next `transmit`. */
  markReady(c: Connection): void {
    if (c.has(Has.Ready)) return;
    c.set(Has.Ready);
    if (this.lastReady === null) this.firstReady = c;
    else this.lastReady.nextReady = c;
    this.lastReady = c;
  }

  /** Readiness of `socket` may have changed. */
  notify(socket: StreamSocket): void {
    if (socket.hasEvent) return;
    socket.hasEvent = true;
    if (this.lastEvent === null) this.firstEvent = socket;
    else this.lastEvent.nextEvent = socket;
    this.lastEvent = socket;
  }

  pollEvent(): StreamSocket | null {
    const socket = this.firstEvent;
    if (socket === null) return null;
    this.firstEvent = socket.nextEvent;
    if (this.firstEvent === null) this.lastEvent = null;
    socket.nextEvent = null;
    socket.hasEvent = false;
    return socket;
  }

  /** Row for a new connection in the tables of connections and timers. */
  allocateRow(): number {
    const row = this.freeRows.pop() ?? this.connections.push(null) - 1;
    this.totals.begin(row);
    return row;
  }

  /** Enters `c`, whose row and four-tuple are set, into the tables. */
  enter(c: Connection): void {
    this.connections[c.row] = c;
    this.tuples.set(c.tuple, Shape.Connection, c.row);
    this.settle(c);
  }

  connection(row: number): Connection {
    const c = this.connections[row];
    if (c === null) throw new Error('no connection in a row that a four-tuple names');
    return c;
  }

  /** Calls `each` for every connection; it may end them. */
  forEachConnection(each: (c: Connection) => void): void {
    for (const c of this.connections) if (c !== null) each(c);
  }

  setState(c: Connection, state: State): void {
    this.stateChange?.(c, state);
    const counted = c.state === State.ESTABLISHED || c.state === State.CLOSE_WAIT;
    const counts = state === State.ESTABLISHED || state === State.CLOSE_WAIT;
    this.counters.TcpCurrEstab += Number(counts) - Number(counted);
    c.state = state;
    this.settle(c);
  }

  /** Keeps `unfinished` right after anything that may have changed it. */
  settle(c: Connection): void {
    const handshake = c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED;
    const open = handshake || (isSynchronized(c.state) && (c.queued > 0 || isClosing(c.state)));
    if (open === c.has(Has.Unfinished)) return;
    if (open) c.set(Has.Unfinished);
    else c.unset(Has.Unfinished);
    this.unfinished += open ? 1 : -1;
    if (!handshake) this.totals.setLimit(c.row, open ? Limit.Busy : Limit.Idle, this.nowMs);
  }

  /** Nobody holds the connection any more, nor will. */
  isOrphan(c: Connection): boolean {
    return c.has(Has.Orphan);
  }

  /** ABORT (RFC 9293 §3.10.5): the peer gets a RST where it knows of us, the user `error`. */
  abort(c: Connection, error: number): void {
    if (needsReset(c)) this.reset(c);
    this.finish(c, error);
  }

  /** Tells the peer that the connection is over: by RST. */
  reset(c: Connection): void {
    let last = this.resets.at(-1) ?? this.replies;
    if (last.count === last.capacity) {
      last = new SegmentBatch(REPLIES);
      this.resets.push(last);
    }
    sendReset(this, c, last);
  }

  /** CLOSED: the connection leaves every table. The user may still read what has arrived. */
  finish(c: Connection, error: number): void {
    if (c.row < 0) return;
    if (c.state === State.SYN_SENT) this.counters.TcpAttemptFails++;
    const tuple = c.tuple;
    const info = this.lastInfo(c);
    this.leave(c);
    this.tell(c, error, info);
    this.ports.release(this.tuples.local(tuple), this.tuples.localPort(tuple));
    this.tuples.remove(tuple);
  }

  /** TIME-WAIT: a row of its table takes the connection's place (design: the fourth shape). */
  enterTimeWait(c: Connection): void {
    this.setState(c, State.TIME_WAIT);
    if (!this.timeWait.take(c, this.timeWait.expiry(), false)) {
      this.counters.TcpExtTCPTimeWaitOverflow++;
      this.finish(c, 0);
      return;
    }
    const info = this.lastInfo(c);
    this.leave(c);
    c.state = State.TIME_WAIT;
    this.tell(c, 0, info);
  }

  /** FIN-WAIT-2 that nobody will read from: a row of the same table, which waits for the FIN. */
  enterFinWait2(c: Connection, until: number): void {
    if (!this.timeWait.take(c, until, true)) {
      this.counters.TcpExtTCPTimeWaitOverflow++;
      this.finish(c, 0);
      return;
    }
    this.leave(c);
    this.tell(c, 0, null);
  }

  private leave(c: Connection): void {
    if (c.has(Has.Orphan)) this.orphans--;
    this.setState(c, State.CLOSED);
    this.timers.clear(c.row);
    this.connections[c.row] = null;
    this.totals.end(c.row);
    this.freeRows.push(c.row);
    c.row = -1;
    c.sendBuffer?.clear();
    this.dropSendBuffer(c);
    c.inbound?.clear();
    this.dropInbound(c);
    this.endFlight(c);
  }

  /** An idle connection holds no buffers: called when there may be nothing in them. */
  dropSendBuffer(c: Connection): void {
    const buffer = c.sendBuffer;
    if (buffer === null || buffer.length > 0) return;
    c.sendBuffer = null;
    this.sendBuffers.give(buffer);
  }

  /** The queue of segments in flight, made when the first one leaves. */
  flightOf(c: Connection): Flight {
    if (c.flight !== null) return c.flight;
    c.flight = this.flights.take();
    c.flight.reset(c.sndUna);
    return c.flight;
  }

  /** Nothing is in flight: the queue is given back, unless a late duplicate may matter. */
  dropFlight(c: Connection): void {
    const f = c.flight;
    // What waits leaves at once, and is no new beginning.
    if (f === null || f.count > 0 || c.unsent > 0) return;
    if (c.caState !== CaState.Open || f.undoable || f.tlpOut) {
      f.drop();
      return;
    }
    this.endFlight(c);
  }

  private endFlight(c: Connection): void {
    c.caState = CaState.Open;
    if (c.flight === null) return;
    c.flight.clear();
    this.flights.give(c.flight);
    c.flight = null;
  }

  dropReceiveBuffer(c: Connection): void {
    const buffer = c.receiveBuffer;
    if (buffer === null || buffer.held > 0) return;
    if (buffer.urgent !== 0) return;
    c.receiveBuffer = null;
    this.receiveBuffers.give(buffer);
  }

  /** What is remembered of the data that came in is given back where it says nothing. */
  dropInbound(c: Connection): void {
    const { inbound } = c;
    if (inbound === null || !inbound.isEmpty) return;
    c.inbound = null;
    inbound.clear();
    this.inbounds.give(inbound);
  }

  /** What a program that holds the connection, or will, may ask after its end. */
  private lastInfo(c: Connection): TcpInfo | null {
    if (c.socket === null && c.listener === null) return null;
    return closedInfo(this, c);
  }

  private tell(c: Connection, error: number, info: TcpInfo | null): void {
    c.listener?.keepForAccept(c);
    if (c.socket === null) {
      c.receiveBuffer?.clear();
      this.dropReceiveBuffer(c);
      return;
    }
    c.socket.ended(error, this.tuples.local(c.tuple), this.tuples.remote(c.tuple), info);
    this.notify(c.socket);
  }
}

/**
 * RFC 9293 §3.10.5: not where both have closed. Deviation: as on Linux all must have been sent
 * then, and TIME-WAIT goes on.
 */
export function needsReset(c: Connection): boolean {
  switch (c.state) {
    case State.CLOSED:
    case State.LISTEN:
    case State.SYN_SENT:
    case State.TIME_WAIT:
      return false;
    case State.CLOSING:
    case State.LAST_ACK:
      return c.sndNxt !== ((c.sndEnd + 1) | 0);
    case State.SYN_RECEIVED:
    case State.ESTABLISHED:
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
    case State.CLOSE_WAIT:
      return true;
  }
}
