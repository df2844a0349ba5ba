import { inspect } from 'node:util';
import { invalidArgType, invalidArgValue } from '../../errors';
import { checkNames } from '../../link/validate';
import type { NetworkNode, Wire } from '../engine/node';
import type { WireCounters } from './counters';
import { type CableContext, Line } from './line';
import { type LinkOptions, type WireOptions, checkOptions, splitOptions } from './options';

/** Which directions of a cable are meant: the one from this end; both without. */
export interface DirectionOptions {
  /** The host or router that sends in this direction, or its name. */
  from?: { readonly name: string } | string;
}

/**
 * A cable between two hosts or routers. What happens to packets on it can be changed at any time.
 */
export class Cable {
  /** `client-server`. */
  readonly name: string;
  private readonly lines: readonly [Line, Line];
  private readonly context: CableContext;

  /** @internal Made by `network.link`. @throws as `network.link` */
  constructor(context: CableContext, a: NetworkNode, b: NetworkNode, options: LinkOptions = {}) {
    if (a === b) throw invalidArgValue('b', b.name, 'must be another one than a');
    const [ofA, ofB] = splitOptions(options, [a.name, b.name]);
    this.context = context;
    this.name = `${a.name}-${b.name}`;
    const line = (from: NetworkNode, to: NetworkNode, own: WireOptions) =>
      new Line(context, `${this.name} from ${from.name}`, from, to, own);
    this.lines = [line(a, b, ofA), line(b, a, ofB)];
  }

  /** @internal */
  get ends(): readonly [NetworkNode, NetworkNode] {
    return [this.lines[0].from, this.lines[0].to];
  }

  /** @internal What the ends send on, in the order of `ends`. */
  get wires(): readonly [Wire, Wire] {
    return this.lines;
  }

  /** Packets that are on it, wait in its queues, or are held back. */
  get inFlight(): number {
    return this.lines[0].inFlight + this.lines[1].inFlight;
  }

  /** Copies of what was counted, by the name of the sending end: `cable.counters.client.lost`. */
  get counters(): Record<string, WireCounters> {
    const copy = ({ from, counters }: Line): [string, WireCounters] => [
      from.name,
      { ...counters, lost: { ...counters.lost } },
    ];
    return Object.fromEntries(this.lines.map(copy));
  }

  /**
   * Pulls it out, in both directions or one. What is on it, and what waits in the sender's queue,
   * is lost, as with a network interface that loses its carrier; so is all that is sent until it
   * is whole again. No end is told.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  cut(direction: DirectionOptions = {}): void {
    const whole = this.select(direction).filter((line) => !line.isCut);
    this.note('cut', whole);
    for (const line of whole) line.cut();
  }

  /**
   * Makes it whole again, in both directions or one.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
   */
  heal(direction: DirectionOptions = {}): void {
    const cut = this.select(direction).filter((line) => line.isCut);
    this.note('heal', cut);
    for (const line of cut) line.heal();
  }

  /**
   * Changes options, in both directions or one; those that are not named stay what they are, and
   * `undefined` gives the default back. Packets that are under way keep the time at which they will
   * arrive; those that wait in the queue leave at the new rate.
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
   */
  set(changes: WireOptions, direction: DirectionOptions = {}): void {
    checkOptions(changes, 'changes');
    const text = inspect(changes, { breakLength: Infinity, depth: 3 });
    const lines = this.select(direction);
    this.note('set', lines, ` ${text}`);
    for (const line of lines) {
      const { mtu } = line;
      line.set(changes);
      if (line.mtu !== mtu) line.from.wireChanged?.();
    }
  }

  /** Tells what is about to be done to these directions. */
  private note(what: string, lines: readonly Line[], details = ''): void {
    if (lines.length === 0) return;
    const where = lines.length === 1 ? lines[0].where : this.name;
    this.context.witness.noted(`${what} ${where}${details}`);
  }

  private select(direction: DirectionOptions): readonly Line[] {
    checkNames('direction', direction, ['from']);
    const { from } = direction;
    if (from === undefined) return this.lines;
    const name = typeof from === 'object' && from !== null ? from.name : from;
    if (typeof name !== 'string') {
      throw invalidArgType('direction.from', 'a host, a router or its name', from);
    }
    const line = this.lines.find((one) => one.from.name === name);
    if (line !== undefined) return [line];
    const ends = this.ends.map((end) => `'${end.name}'`).join(' or ');
    throw invalidArgValue('direction.from', name, `must be ${ends}`);
  }
}
