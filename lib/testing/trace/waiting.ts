import { formatAddress, formatAddressAs, type IpAddress } from '../../core/ip/address';
import type { StreamSocket } from '../../core/socket/stream-socket';
import type { StackCore } from '../../core/stack/stack-core';
import { Has, Timer, type Connection } from '../../core/tcp/connection';
import { State, stateName } from '../../core/tcp/state';
import { SynField } from '../../core/tcp/syn-table';
import type { Tcp } from '../../core/tcp/tcp';

/** What is asked of a host. */
export interface WaitingHost {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  readonly state: 'up' | 'paused' | 'crashed' | 'off';
  readonly core: StackCore;
  readonly driver: { readonly clock: { now(): number } };
}

/** Connections of a host that have a line of their own. */
const MAX_LINES = 20;

/**
 * Who waits for what, for people: a line for each connection, the ones with something outstanding
 * first, then those that idle, then listeners.
 */
export function describeWaiting(hosts: readonly WaitingHost[]): string[] {
  const names = new Map<string, string>();
  for (const { name, address, address6 } of hosts) {
    names.set(address, name);
    names.set(address6, name);
  }
  const all = hosts.map((host) => new HostReport(host, names).sorted());
  return [0, 1, 2].flatMap((order) => all.flatMap((lines) => lines[order]));
}

/** What there is to say of one host: of what is outstanding, what idles, what listens. */
class HostReport {
  private readonly busy: string[] = [];
  private readonly idle: string[] = [];
  private readonly listening: string[] = [];
  private readonly tcp: Tcp;
  private readonly now: number;

  constructor(
    private readonly host: WaitingHost,
    private readonly names: ReadonlyMap<string, string>,
  ) {
    this.tcp = host.core.tcp;
    this.now = host.driver.clock.now();
  }

  sorted(): [string[], string[], string[]] {
    const { host, tcp } = this;
    if (host.state === 'crashed') return [[`${host.name} has crashed`], [], []];
    if (host.state === 'off') return [[`${host.name} is switched off`], [], []];
    if (host.state === 'paused') this.busy.push(`${host.name} stands still`);
    tcp.forEachConnection((c) => this.connection(c));
    const { count } = tcp.timeWait;
    if (count > 0) {
      const many = count === 1 ? '1 connection' : `${count} connections`;
      this.idle.push(
        `${host.name}: ${many} in TIME-WAIT, the first ${this.until(tcp.timeWait.next())}`,
      );
    }
    for (const listener of tcp.listeners.all()) this.listener(listener);
    return [shortened(this.busy), shortened(this.idle), this.listening];
  }

  /** Those that a listener has in SYN-RECEIVED. */
  private handshakes(listener: StreamSocket): void {
    const { table } = this.tcp.synReceived;
    let row = -1;
    while ((row = table.nextOf(listener.listening?.id ?? -1, row)) >= 0) {
      const at = row * SynField.Stride;
      const sent = times(1 + table.words[at + SynField.Timeouts]);
      const due = this.until(table.timers.due(row, 0));
      const ends = this.ends(table.words[at + SynField.FourTuple]);
      this.busy.push(
        `${ends} ${stateName(State.SYN_RECEIVED)}: sent SYN+ACK ${sent}; again ${due}`,
      );
    }
  }

  private connection(c: Connection): void {
    const outstanding = [...this.toSend(c), ...unread(c)];
    const waits = waitsFor(c, outstanding.length === 0);
    const keepAlive = this.tcp.timers.due(c.row, Timer.KeepAlive);
    const probe = c.options.keepAlive === 1 && c.socket !== null && keepAlive !== Infinity;
    const parts = [...outstanding, ...waits, ...(probe ? [`probe ${this.until(keepAlive)}`] : [])];
    const line = `${this.ends(c.tuple)} ${stateName(c.state)}: ${parts.join('; ')}`;
    const list = outstanding.length > 0 ? this.busy : this.idle;
    list.push(line);
  }

  /** What the peer has to acknowledge, or to make room for. */
  private toSend(c: Connection): string[] {
    const { timers } = this.tcp;
    const retransmit = timers.due(c.row, Timer.Retransmit);
    const again = retransmit === Infinity ? '' : `; again ${this.until(retransmit)}`;
    if (c.state === State.SYN_SENT) return [`sent SYN ${times(1 + c.retransmits)}${again}`];
    if (c.state === State.SYN_RECEIVED) return [`sent SYN+ACK ${times(1 + c.retransmits)}${again}`];
    const parts: string[] = [];
    const unsent = c.unsent;
    const sent = c.queued - unsent;
    const fin = c.has(Has.Fin);
    const finSent = fin && c.inFlight > sent;
    if (c.inFlight > 0) {
      const what = [...(sent > 0 ? [bytes(sent)] : []), ...(finSent ? ['FIN'] : [])].join(' and ');
      const tries = c.retransmits > 0 ? `, timed out ${times(c.retransmits)}` : '';
      parts.push(`${what} unacknowledged${tries}${again}`);
    }
    if (unsent > 0) parts.push(`${bytes(unsent)} written ${this.obstacle(c, unsent)}`);
    if (fin && !finSent && unsent > 0) parts.push('FIN behind them');
    return parts;
  }

  /** Why what was written does not leave. */
  private obstacle(c: Connection, unsent: number): string {
    const window = c.usableWindow;
    const due = this.tcp.timers.due(c.row, Timer.Persist);
    const probe = due === Infinity ? '' : `; probe ${this.until(due)}`;
    const turn = this.tcp.timers.due(c.row, Timer.Pacing);
    if (turn !== Infinity) return `wait their turn (pacing) ${this.until(turn)}`;
    if (window <= 0 && c.sndWnd === 0) return `wait for the window (zero window)${probe}`;
    if (window < Math.min(unsent, c.sndMss))
      return `wait for the window (${c.sndWnd} bytes)${probe}`;
    if (c.has(Has.CwndLimited)) return `wait for the congestion window (${c.cwnd} segments)`;
    return c.options.cork === 1 ? 'wait behind the cork' : 'wait for an acknowledgment (Nagle)';
  }

  private listener(listener: StreamSocket): void {
    this.handshakes(listener);
    const address = formatAddressAs(listener.localAddress, listener.domain);
    const at = `${this.host.name} listens on ${endText(address, listener.localPort)}`;
    if (listener.waiting > 0) this.busy.push(`${at}: ${listener.waiting} wait to be accepted`);
    else this.listening.push(`${at}: waits for connections`);
  }

  /** `client 10.0.0.1:40000 → server 10.0.0.2:80` */
  private ends(tuple: number): string {
    const { tuples } = this.tcp;
    const end = (address: IpAddress, port: number) => {
      const text = formatAddress(address);
      const name = this.names.get(text);
      return `${name === undefined ? '' : `${name} `}${endText(text, port)}`;
    };
    const local = end(tuples.local(tuple), tuples.localPort(tuple));
    return `${local} → ${end(tuples.remote(tuple), tuples.remotePort(tuple))}`;
  }

  /** @param due µs of the host's clock */
  private until(due: number): string {
    return `in ${Math.max(due - this.now, 0) / 1e6} s`;
  }
}

/** What has arrived and nobody has taken, or what can't be taken yet. */
function unread(c: Connection): string[] {
  const parts: string[] = [];
  const { receiveBuffer } = c;
  if (c.has(Has.Embryo)) parts.push('waits to be accepted');
  const readable = receiveBuffer?.readable ?? 0;
  if (readable > 0) parts.push(`${bytes(readable)} not read by the program`);
  const behind = receiveBuffer?.outOfOrder ?? 0;
  if (behind > 0) parts.push(`${bytes(behind)} wait behind a gap`);
  return parts;
}

/** What it waits for by its state; `idle`: nothing else is said of it. */
function waitsFor(c: Connection, idle: boolean): string[] {
  switch (c.state) {
    case State.ESTABLISHED:
      return idle ? ['waits for data'] : [];
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
      return ["has ended, waits for the peer's end"];
    case State.CLOSE_WAIT:
      return ['the peer has ended, the program has not'];
    default:
      return [];
  }
}

function endText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function shortened(lines: readonly string[]): string[] {
  if (lines.length <= MAX_LINES) return [...lines];
  return [...lines.slice(0, MAX_LINES), `… and ${lines.length - MAX_LINES} more like that`];
}
