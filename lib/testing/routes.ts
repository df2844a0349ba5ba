import { isIpv4, isMulticast, readAddress, type IpAddress, type Prefix } from '../core/ip/address';
import { MAPPED_BITS } from '../core/ip/addresses';
import { codeError } from '../errors';
import type { NetworkNode, Wire } from './engine/node';

/** A host, which has addresses, or a router or switch, which forwards. */
export interface RoutedNode extends NetworkNode {
  readonly prefixes?: readonly Prefix[];
}

/** A cable as routes see it. */
export interface Connection {
  readonly ends: readonly [RoutedNode, RoutedNode];
  /** What the ends send on, in the same order. */
  readonly wires: readonly [Wire, Wire];
}

interface Neighbour {
  node: RoutedNode;
  out: Wire;
}

interface Owner {
  address: IpAddress;
  node: RoutedNode;
}

/** Which host has which address, and the shortest ways between them. */
export class Routes {
  private readonly neighbours = new Map<RoutedNode, Neighbour[]>();
  /** By a hash of the address. */
  private readonly owners = new Map<number, Owner[]>();
  /** Last addresses of the hosts' IPv4 networks, and 255.255.255.255. */
  private readonly broadcasts = new Set<number>([-1]);
  /** By destination: the wire that each node sends on. Made when first asked for. */
  private readonly tables = new Map<RoutedNode, Map<RoutedNode, Wire>>();

  /** Adds a host with its addresses, or a router, which may have some, too. */
  add(node: RoutedNode, addresses: readonly IpAddress[] = addressesOf(node)): void {
    this.neighbours.set(node, []);
    for (const { address, length } of node.prefixes ?? []) {
      if (!isIpv4(address) || length >= MAPPED_BITS + 31) continue;
      this.broadcasts.add(address.w3 | (-1 >>> (length - MAPPED_BITS)));
    }
    for (const address of addresses) {
      const { w0, w1, w2, w3 } = address;
      const key = hash(w0, w1, w2, w3);
      const same = this.owners.get(key);
      if (same === undefined) this.owners.set(key, [{ address, node }]);
      else same.push({ address, node });
    }
  }

  has(node: RoutedNode): boolean {
    return this.neighbours.has(node);
  }

  /**
   * Adds a cable and attaches it to both ends; the ways change where it makes them shorter.
   * @throws Error ERR_NETLAND_TOPOLOGY for a second cable of a host, or between the same two
   */
  connect({ ends: [a, b], wires: [toB, toA] }: Connection): void {
    const [ofA, ofB] = [this.neighboursOf(a), this.neighboursOf(b)];
    if (ofA.some(({ node }) => node === b)) {
      throw topologyError(`${a.name} and ${b.name} are linked already`);
    }
    for (const [node, others] of [[a, ofA] as const, [b, ofB] as const]) {
      if (node.prefixes === undefined || others.length === 0) continue;
      const advice = 'put a router between it and the others';
      throw topologyError(`${node.name} has a cable already: ${advice}`);
    }
    a.attach(toB, b);
    b.attach(toA, a);
    ofA.push({ node: b, out: toB });
    ofB.push({ node: a, out: toA });
    this.tables.clear();
  }

  /**
   * What `node` sends on to reach the address in four words from `at`: the first step of the way
   * with the fewest steps; of several such that of the cable that was added first. Null: there is
   * none. A cut cable and a crashed router change nothing.
   */
  next(node: RoutedNode, words: Int32Array, at: number): Wire | null {
    const owner = this.ownerAt(words, at);
    if (owner === null) return null;
    let table = this.tables.get(owner);
    if (table === undefined) {
      table = this.tableTo(owner);
      this.tables.set(owner, table);
    }
    return table.get(node) ?? null;
  }

  /** Whether the address in four words from `at` is a group's, or means all hosts of a network. */
  isToMany(words: Int32Array, at: number): boolean {
    const address = readAddress(words, at);
    return isMulticast(address) || (isIpv4(address) && this.broadcasts.has(address.w3));
  }

  /** Name of who has the address in four words from `at`; null: nobody has it. */
  nameAt(words: Int32Array, at: number): string | null {
    return this.ownerAt(words, at)?.name ?? null;
  }

  private ownerAt(words: Int32Array, at: number): RoutedNode | null {
    const [w0, w1, w2, w3] = [words[at], words[at + 1], words[at + 2], words[at + 3]];
    const owners = this.owners.get(hash(w0, w1, w2, w3));
    if (owners === undefined) return null;
    for (const { address, node } of owners) {
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        return node;
      }
    }
    return null;
  }

  private neighboursOf(node: RoutedNode): Neighbour[] {
    const neighbours = this.neighbours.get(node);
    if (neighbours === undefined) throw topologyError(`${node.name} is not in this network`);
    return neighbours;
  }

  /** From the destination outwards, breadth first; hosts on the way don't forward. */
  private tableTo(destination: RoutedNode): Map<RoutedNode, Wire> {
    const steps = new Map<RoutedNode, number>([[destination, 0]]);
    const queue = [destination];
    for (const node of queue) {
      if (node !== destination && node.prefixes !== undefined) continue;
      for (const { node: other } of this.neighboursOf(node)) {
        if (steps.has(other)) continue;
        steps.set(other, (steps.get(node) as number) + 1);
        queue.push(other);
      }
    }
    const table = new Map<RoutedNode, Wire>();
    for (const [node, count] of steps) {
      const nearer = this.neighboursOf(node).find(
        (other) =>
          steps.get(other.node) === count - 1 &&
          (other.node === destination || other.node.prefixes === undefined),
      );
      if (nearer !== undefined) table.set(node, nearer.out);
    }
    return table;
  }
}

function addressesOf({ prefixes = [] }: RoutedNode): IpAddress[] {
  return prefixes.map(({ address }) => address);
}

/** Cables can't be linked like that. */
export function topologyError(message: string): Error {
  return codeError(Error, 'ERR_NETLAND_TOPOLOGY', message);
}

function hash(w0: number, w1: number, w2: number, w3: number): number {
  return (Math.imul(Math.imul(Math.imul(w0, 31) + w1, 31) + w2, 31) + w3) | 0;
}
