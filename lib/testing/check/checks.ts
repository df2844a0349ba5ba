import { formatAddress, readAddress } from '../../core/ip/address';
import { isTcp } from '../../core/segment/kind';
import { Checksum, Word } from '../../core/segment/layout';
import { Shape } from '../../core/stack/four-tuples';
import { Counters } from '../../core/stack/counters';
import type { StackCore } from '../../core/stack/stack-core';
import type { Connection } from '../../core/tcp/connection';
import { State, stateName } from '../../core/tcp/state';
import { formatSegment } from '../../observe/tcpdump';
import { Remembered } from './connection';
import { checkIcmp, DatagramChecks } from './datagrams';
import type { Flow } from './flow';
import { checkCounters, checkTables, checkTuple, Sums } from './tables';
import { checkTransition } from './transitions';
import { check, Violation } from './violation';
import { Wire } from './wire';

/** A host as the checks see it. */
export interface CheckedHost {
  readonly name: string;
  /** Its present stack: another one after a reboot. */
  readonly core: StackCore;
}

/** A packet as the checks see it. */
export interface CheckedPacket {
  readonly words: Int32Array;
  /** Not null: its bytes were changed on the way. */
  readonly spoilt: Uint8Array | null;
  /** Of what isn't TCP. */
  readonly payload?: Uint8Array;
}

/** What an error names beside what is broken. */
export interface Circumstances {
  /** µs */
  readonly now: number;
  readonly seed: number;
}

/** So many connections are looked at after every event; of more, those that were touched. */
const FEW = 8;
/** Events after which everything is looked at, unless there is more to look at than that. */
const PERIOD = 64;

/** What is known of one stack. */
class Stack {
  /** By the connection's row. */
  readonly remembered: (Remembered | null)[] = [];
  /** Connections that segments have come from or gone to since the last event. */
  readonly touched: Connection[] = [];
  readonly counters = new Counters();
  /** Events since everything was looked at. */
  events = 0;
  /** The most connections that there have been. */
  most = 0;

  readonly datagrams: DatagramChecks;

  constructor(readonly core: StackCore) {
    this.datagrams = new DatagramChecks(core);
  }

  of(c: Connection): Remembered {
    const known = this.remembered[c.row] ?? null;
    if (known !== null && known.connection === c) return known;
    return (this.remembered[c.row] = new Remembered(c));
  }
}

/**
 * What must always hold, whatever the network does: in what the hosts send (RFC 9293 §3.4, §3.8.6;
 * RFC 7323), in the changes of their connections' states (§3.3.2), and in what their stacks hold
 * after each event: sequence variables (§3.3.1), timers, tables, memory and counters, the buffers
 * of UDP and of fragments; and in what ICMP errors are about. Its calls throw an Error,
 * `invariant broken: …`, with what is needed to understand it.
 */
export class Checks {
  private readonly wire = new Wire();
  private readonly stacks = new Map<CheckedHost, Stack>();

  constructor(private readonly circumstances: Circumstances) {}

  /** A packet has left the stack of `host`. */
  sent(host: CheckedHost, packet: CheckedPacket): void {
    const stack = this.stackOf(host);
    try {
      if (!isTcp(packet.words, 0)) {
        if (packet.payload !== undefined) checkIcmp(packet.words, packet.payload);
        return;
      }
      const flow = this.wire.sent(packet.words);
      if (flow !== null) touch(stack, flow, packet.words, true);
    } catch (error) {
      throw this.explain(error, host, null, packet.words);
    }
  }

  /** A packet has arrived at `host`, and its stack has processed it but sent nothing yet. */
  received(host: CheckedHost, packet: CheckedPacket): void {
    const { words, spoilt } = packet;
    if (!isTcp(words, 0)) return;
    // What a spoilt packet says counts only where the checksum doesn't betray it.
    if (spoilt !== null && words[Word.Checksum] === Checksum.Bad) return;
    const flow = this.wire.received(words);
    const back = flow?.back ?? null;
    if (back !== null) touch(this.stackOf(host), back, words, false);
  }

  /** An event at `host` is over: all that can be sent now was sent. */
  settled(host: CheckedHost): void {
    const stack = this.stackOf(host);
    const { tcp } = stack.core;
    const count = tcp.tuples.count - tcp.synReceived.count - tcp.timeWait.count;
    stack.most = Math.max(stack.most, count);
    const rows = Math.max(PERIOD, stack.most, tcp.tuples.count);
    if (++stack.events >= rows) {
      this.everything(host);
    } else if (stack.most <= FEW) {
      this.connections(host, stack, false);
    } else {
      for (const c of stack.touched) if (c.row >= 0) this.connection(host, stack, c);
    }
    stack.touched.length = 0;
    try {
      stack.datagrams.check();
    } catch (error) {
      throw this.explain(error, host, null, null);
    }
  }

  /** Looks at everything that `host` holds. */
  everything(host: CheckedHost): void {
    const stack = this.stackOf(host);
    stack.events = 0;
    this.connections(host, stack, true);
    try {
      checkTables(stack.core);
      checkCounters(stack.core.counters, stack.counters);
    } catch (error) {
      throw this.explain(error, host, null, null);
    }
  }

  private connections(host: CheckedHost, stack: Stack, tuples: boolean): void {
    const { tcp } = stack.core;
    const sums = new Sums();
    tcp.forEachConnection((c) => {
      this.connection(host, stack, c, tuples);
      sums.add(c);
    });
    try {
      sums.check(tcp);
    } catch (error) {
      throw this.explain(error, host, null, null);
    }
  }

  private connection(host: CheckedHost, stack: Stack, c: Connection, tuple = false): void {
    try {
      stack.of(c).check(stack.core);
      if (tuple) checkTuple(stack.core.tcp, c);
    } catch (error) {
      throw this.explain(error, host, c, null);
    }
  }

  private stackOf(host: CheckedHost): Stack {
    const known = this.stacks.get(host);
    if (known !== undefined && known.core === host.core) return known;
    const stack = new Stack(host.core);
    this.stacks.set(host, stack);
    host.core.tcp.stateChange = (c, to) => this.changes(host, stack, c, to);
    return stack;
  }

  private changes(host: CheckedHost, stack: Stack, c: Connection, to: State): void {
    try {
      const known = stack.of(c);
      check(known.state === c.state, 'a change of state that nobody was told of');
      checkTransition(c, to);
      known.state = to;
      if (c.state === State.CLOSED) this.wire.opened(stack.core.tcp.tuples, c);
    } catch (error) {
      throw this.explain(error, host, c, null);
    }
  }

  private explain(
    error: unknown,
    host: CheckedHost,
    c: Connection | null,
    words: Int32Array | null,
  ): unknown {
    if (!(error instanceof Violation)) return error;
    const { now, seed } = this.circumstances;
    const lines = [
      `invariant broken: ${error.message}`,
      `  ${host.name}, at ${(now / 1e6).toFixed(6)} s, seed ${seed}`,
    ];
    const { core } = host;
    const connection = c ?? (words === null ? null : connectionOf(core, words, true));
    if (connection !== null) lines.push(`  ${describe(core, connection)}`);
    if (words !== null) lines.push(`  ${formatSegment(words, 0)}`);
    return new Error(lines.join('\n'));
  }
}

/** Notes that the connection of a flow's sender has had to do with a segment. */
function touch(stack: Stack, flow: Flow, words: Int32Array, sent: boolean): void {
  if (stack.most <= FEW) return;
  if (flow.core !== stack.core || (flow.connection?.row ?? -1) < 0) {
    flow.core = stack.core;
    flow.connection = connectionOf(stack.core, words, sent);
  }
  if (flow.connection !== null) stack.touched.push(flow.connection);
}

/** The connection that a segment belongs to; `sent`: it was sent by the stack, not received. */
function connectionOf(core: StackCore, words: Int32Array, sent: boolean): Connection | null {
  const [local, remote] = sent ? [Word.Source, Word.Destination] : [Word.Destination, Word.Source];
  const [localPort, remotePort] = sent
    ? [Word.SourcePort, Word.DestinationPort]
    : [Word.DestinationPort, Word.SourcePort];
  const { tuples } = core.tcp;
  const tuple = tuples.lookup(
    readAddress(words, local),
    words[localPort],
    readAddress(words, remote),
    words[remotePort],
  );
  if (tuple < 0 || tuples.shape(tuple) !== Shape.Connection) return null;
  return core.tcp.connection(tuples.index(tuple));
}

/** Ends, state and sequence variables of a connection, relative to the first numbers. */
function describe(core: StackCore, c: Connection): string {
  if (c.tuple < 0) return stateName(c.state);
  const { tuples } = core.tcp;
  const ends =
    `${formatAddress(tuples.local(c.tuple))}.${tuples.localPort(c.tuple)} > ` +
    `${formatAddress(tuples.remote(c.tuple))}.${tuples.remotePort(c.tuple)}`;
  const own = (seq: number): number => (seq - c.iss) >>> 0;
  const peer = (seq: number): number => (seq - c.irs) >>> 0;
  return (
    `${ends}, ${stateName(c.state)}: SND.UNA ${own(c.sndUna)}, SND.NXT ${own(c.sndNxt)}, ` +
    `queued ${c.queued}, SND.WND ${c.sndWnd}, ISS ${c.iss >>> 0}; RCV.NXT ${peer(c.rcvNxt)}, ` +
    `RCV.WND ${c.receiveWindow}, IRS ${c.irs >>> 0}`
  );
}
