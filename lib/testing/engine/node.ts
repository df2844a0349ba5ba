import type { State } from '../../core/tcp/state';
import type { Packet } from './packet';

/** One direction of a cable, as its sender sees it. */
export interface Wire {
  /** Largest IP packet that it carries, bytes. */
  readonly mtu: number;
  /** It has no carrier. */
  readonly isCut?: boolean;
  /** Puts a packet on the wire, which has it from then on. */
  send(packet: Packet): void;
}

/** What cables connect: a host or a router. */
export interface NetworkNode {
  /** One word; appears in traces. */
  readonly name: string;
  /** A packet comes off the wire from `from`; the node has it from then on. */
  arrive(packet: Packet, from?: NetworkNode): void;
  /**
   * A cable is connected.
   * @param out the wire to the other end
   * @throws Error when the node has no place for another one
   */
  attach(out: Wire, other: NetworkNode): void;
  /** The MTU of what it sends on is another. */
  wireChanged?(): void;
}

/** Why a packet did not get any further. */
export type LossReason =
  | 'lost'
  | 'cut'
  | 'queue'
  | 'mtu'
  | 'filter'
  | 'firewall'
  | 'down'
  | 'paused'
  | 'ttl'
  | 'unroutable'
  | 'invalid';

/** What the parts of a network tell of what happens to packets. */
export interface Witness {
  /** A packet did not get any further; `where`: a node's name, or a cable's with its direction. */
  lost(packet: Packet, where: string, reason: LossReason): void;
  /** A router sends a packet of its own, or a part of one that it forwards. */
  told(router: { readonly name: string }, packet: Packet): void;
  /** A fault begins or ends, or something is changed in the network: `crash server`. */
  noted(text: string): void;
}

/** What hosts tell of their segments. */
export interface HostWitness {
  /** A segment leaves a host; the state of its connection then. */
  sent(host: NetworkNode, packet: Packet, state: State): void;
  /** A host's stack has processed a segment; the state of its connection after that. */
  received(host: NetworkNode, packet: Packet, state: State): void;
}
