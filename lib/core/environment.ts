import type { IpAddress } from './ip/address';

/** Where random words come from: a seed in tests and simulation, the system's source in life. */
export interface Random {
  /** A uniformly distributed int32. */
  next(): number;
}

/** How a remote address is reached. It may be one object for many: nobody changes it. */
export interface Path {
  /** Our address on it. */
  readonly source: IpAddress;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** The next hop, a gateway; null or absent: the remote address itself, or nobody knows. */
  readonly via?: IpAddress | null;
}

/** Which addresses are ours, and the way to others. */
export interface Paths {
  /** Whether a packet to `address` is for this stack. */
  isLocal(address: IpAddress): boolean;
  /** `isLocal` of the address in four words from `at`, where that can be had without making one. */
  isLocalAt?(words: Int32Array, at: number): boolean;
  /**
   * Packets to every address of a host are for this stack, beside those to its own, and answers
   * leave from there. What it sends to such an address goes out all the same.
   */
  readonly anyAddress?: boolean;
  /** Whether all hosts of a network that we are in are meant by it, where that is known. */
  isBroadcast?(address: IpAddress): boolean;
  /**
   * The way to `remote`, from `local` if that is given (and not a wildcard); otherwise the errno
   * (positive, Linux's number) that says why there is none.
   */
  route(remote: IpAddress, local: IpAddress | null): Path | number;
  /** The same to a multicast group, or to a broadcast address, for which `route` has none. */
  routeToMany?(group: IpAddress, local: IpAddress | null): Path | number;
  /** `remote` doesn't answer: what is remembered of the way there may be out of date. */
  doubt?(remote: IpAddress): void;
}

/**
 * Who may use a local port. A link on the host's own addresses shares them with the kernel and
 * takes a port by guarding it; on any other link everything is allowed.
 */
export interface PortAuthority {
  /** Takes `port` for `local` (may be a wildcard); 0, or the errno (EADDRINUSE, EACCES, EPERM). */
  reserve(local: IpAddress, port: number): number;
  /** Gives back what `reserve` took: nothing of ours is left on it, TIME-WAIT included. */
  release(local: IpAddress, port: number): void;
  /** How many ephemeral ports there are for this family (4 or 6), without asking for more. */
  ephemeralCount(family: number): number;
  /** The ephemeral port at `index`, 0 to `ephemeralCount - 1`. Stable while the stack lives. */
  ephemeralPort(family: number, index: number): number;
  /** Asks for more ephemeral ports; false when there are none to be had. */
  growEphemeral(family: number): boolean;
  /** Nobody else has ports here: a socket may be bound to all that no other is bound to. */
  readonly allowsAnyPort?: boolean;
}

/**
 * Who joins multicast groups for a link on the host's own addresses: the system, which then
 * receives what is for them and tells the routers.
 */
export interface GroupAuthority {
  /**
   * Joins once more.
   * @param local the address of ours whose interface is meant; null: the system's choice
   * @returns 0, or the errno (ENODEV, ENOBUFS, EADDRNOTAVAIL, …)
   */
  join(group: IpAddress, local: IpAddress | null): number;
  /** Takes back one `join` of the same arguments. */
  leave(group: IpAddress, local: IpAddress | null): void;
}

/** What the pure core is given instead of an operating system. */
export interface Environment {
  random: Random;
  paths: Paths;
  ports: PortAuthority;
  /** The same for UDP, where those are for TCP alone. */
  udpPorts?: PortAuthority;
  /** Absent where the stack itself tells the routers of its groups. */
  groups?: GroupAuthority;
  /** Memory for payload, uninitialised where that is cheaper. */
  allocate(bytes: number): Uint8Array;
  /**
   * Reads a packet that was put together from fragments, as links read what arrives: writes its
   * descriptor to `base` of `words`, and returns 0 if it is sound. Without it there are none.
   */
  parse?(
    slab: Uint8Array,
    slabIndex: number,
    offset: number,
    length: number,
    words: Int32Array,
    base: number,
    hashKey: Int32Array,
  ): number;
  /** Takes what the program's own code has thrown, to throw it again when the stack is at rest. */
  report?(error: unknown): void;
}
