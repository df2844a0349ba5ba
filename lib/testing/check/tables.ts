import { LARGE_BLOCK } from '../../core/memory/block-pool';
import type { Listening } from '../../core/socket/listening';
import { Counters } from '../../core/stack/counters';
import { Shape } from '../../core/stack/four-tuples';
import type { StackCore } from '../../core/stack/stack-core';
import { Has, type Connection } from '../../core/tcp/connection';
import { State } from '../../core/tcp/state';
import { SynField } from '../../core/tcp/syn-table';
import type { Tcp } from '../../core/tcp/tcp';
import { TimeWaitField } from '../../core/tcp/time-wait-table';
import { check } from './violation';

const COUNTERS = Object.keys(new Counters()) as (keyof Counters)[];

/** Sums over all connections of a stack, against what the stack counts. */
export class Sums {
  private connections = 0;
  private unfinished = 0;
  private established = 0;
  private memory = 0;
  private received = 0;

  add(c: Connection): void {
    this.connections++;
    if (c.has(Has.Unfinished)) this.unfinished++;
    if (c.state === State.ESTABLISHED || c.state === State.CLOSE_WAIT) this.established++;
    this.received += c.receiveBuffer?.cost ?? 0;
    // The first and the last block of a queue need not be full.
    if (c.queued > 0) this.memory += c.queued + 2 * LARGE_BLOCK;
  }

  check(tcp: Tcp): void {
    check(tcp.unfinished === this.unfinished, 'the number of unfinished connections');
    check(tcp.counters.TcpCurrEstab === this.established, 'TcpCurrEstab');
    const rows = this.connections + tcp.synReceived.count + tcp.timeWait.count;
    check(tcp.tuples.count === rows, 'the number of four-tuples');
    // A connection that is over has what its program has not read.
    check(tcp.memory.received >= this.received, 'bytes held that were not counted');
    check(tcp.pool.used >= 0 && tcp.pool.used <= this.memory, 'memory that nobody needs');
  }
}

/** Every four-tuple leads to what it belongs to, and that back to it. */
export function checkTables(core: StackCore): void {
  const { tcp } = core;
  const { tuples } = tcp;
  const handshakes = new Map<number, number>();
  let nextTimeWait = Infinity;
  let timeWaits = 0;
  let syns = 0;
  tuples.forEach((tuple) => {
    const index = tuples.index(tuple);
    switch (tuples.shape(tuple)) {
      case Shape.Connection:
        check(tcp.connection(index).tuple === tuple, 'a four-tuple of another connection');
        break;
      case Shape.Syn: {
        syns++;
        const listener = checkHandshake(tcp, tuple, index);
        handshakes.set(listener, (handshakes.get(listener) ?? 0) + 1);
        break;
      }
      case Shape.TimeWait:
        timeWaits++;
        nextTimeWait = Math.min(nextTimeWait, checkTimeWait(tcp, tuple, index));
        break;
      case Shape.None:
        check(false, 'a four-tuple of nothing');
    }
  });
  check(syns === tcp.synReceived.count, 'the number of handshakes');
  check(timeWaits === tcp.timeWait.count, 'the number of connections in TIME-WAIT');
  check(nextTimeWait === tcp.timeWait.next(), 'the end of the next TIME-WAIT');
  for (const { listening } of tcp.listeners.all()) {
    const { id, queue, backlog, young } = listening as Listening;
    const count = handshakes.get(id) ?? 0;
    check(listening?.handshakes === count && young <= count, "a listener's handshakes");
    check(queue.length <= backlog + 1, 'more than the backlog waits');
  }
}

/** A row of the SYN table; its listener. */
function checkHandshake(tcp: Tcp, tuple: number, row: number): number {
  const { table } = tcp.synReceived;
  const at = table.base(row);
  check(table.words[at + SynField.FourTuple] === tuple, 'a four-tuple of another handshake');
  const listener = table.words[at + SynField.Listener];
  const due = table.timers.due(row, 0);
  check(due <= tcp.now + tcp.settings.rtoMax * 1000, 'a handshake that nobody repeats');
  const options = tcp.listeners.get(listener)?.options ?? null;
  check(options !== null, 'a handshake without a listener');
  const { synCount, deferAccept } = options ?? tcp.defaultOptions;
  const limit = Math.max(synCount || tcp.settings.synackRetries, deferAccept);
  check(table.words[at + SynField.Timeouts] <= limit, 'too many SYN+ACKs');
  return listener;
}

/** A row of the TIME-WAIT table; when it ends. */
function checkTimeWait(tcp: Tcp, tuple: number, row: number): number {
  const { table } = tcp.timeWait;
  const at = table.base(row);
  check(table.words[at + TimeWaitField.FourTuple] === tuple, 'a four-tuple of another TIME-WAIT');
  const end = table.expiry(row);
  const waits = tcp.timeWait.state(row) === State.FIN_WAIT_2;
  check(waits || end <= tcp.now + 2 * tcp.settings.msl * 1000, 'TIME-WAIT of more than 2 MSL');
  return end;
}

/** A connection is found by what arrives for it. */
export function checkTuple(tcp: Tcp, c: Connection): void {
  const { tuples } = tcp;
  const [local, remote] = [tuples.local(c.tuple), tuples.remote(c.tuple)];
  const [localPort, remotePort] = [tuples.localPort(c.tuple), tuples.remotePort(c.tuple)];
  const found = tuples.lookup(local, localPort, remote, remotePort);
  check(found === c.tuple, 'a four-tuple that is not found');
}

/** Counters go up, and those that are part of another are not more than it. */
export function checkCounters(now: Counters, before: Counters): void {
  for (const name of COUNTERS) {
    if (name !== 'TcpCurrEstab' && now[name] < before[name]) check(false, `${name} goes back`);
    before[name] = now[name];
  }
  const repeated = now.TcpExtTCPFastRetrans + now.TcpExtTCPSlowStartRetrans;
  check(repeated <= now.TcpRetransSegs, 'TcpRetransSegs');
  check(now.TcpRetransSegs <= now.TcpOutSegs, 'more sent again than sent');
  check(now.TcpOutRsts <= now.TcpOutSegs, 'more RSTs than segments');
  check(now.TcpInCsumErrors <= now.TcpInErrs, 'TcpInErrs');
  check(now.TcpInErrs <= now.TcpInSegs, 'more bad segments than segments');
  check(now.TcpExtTWRecycled <= now.TcpExtTW, 'TcpExtTW');
}
