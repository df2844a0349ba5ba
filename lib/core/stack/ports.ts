import type { Environment } from '../environment';
import { Errno } from '../errno';
import { ANY4, isIpv4, isWildcard, sameAddress, type IpAddress } from '../ip/address';
import type { FourTuples } from './four-tuples';
import { PortChoice } from './port-choice';
import { PortHolds, Sharing } from './port-holds';

/** The options of a socket that matter here; 0 or 1. */
export interface BindOptions {
  /** SO_REUSEADDR. */
  readonly reuseAddress: number;
  /** SO_REUSEPORT. */
  readonly reusePort?: number;
  /** IPV6_V6ONLY. */
  readonly ipv6Only: number;
  /** IP_LOCAL_PORT_RANGE: the first ephemeral port, and the last one times 65536; 0: no bound. */
  readonly localPortRange?: number;
}

/** A socket that is bound. */
interface Binding {
  readonly address: IpAddress;
  /** `Sharing` bits. */
  sharing: number;
  readonly families: number;
  listening: boolean;
}

function sharingOf({ reuseAddress, reusePort }: BindOptions): number {
  return (reuseAddress !== 0 ? Sharing.Address : 0) | (reusePort ? Sharing.Port : 0);
}

/** Whether IP_LOCAL_PORT_RANGE has a port; either end may be 0, which is none. */
function isInRange(port: number, range: number): boolean {
  const last = range >>> 16;
  return port >= (range & 0xffff) && (last === 0 || port <= last);
}

/** In place of the port of a socket that has all that no other has. */
const ANY_PORT = 0;

/** Bits of `families`. */
const IPV4 = 1;
const IPV6 = 2;

/** Which families a socket with that address is for. */
function familiesOf(domain: 4 | 6, address: IpAddress, ipv6Only: number): number {
  if (isIpv4(address)) return IPV4;
  return domain === 6 && ipv6Only === 0 && isWildcard(address) ? IPV4 | IPV6 : IPV6;
}

/** What bind(2) asks for; -errno where such a socket can't have that address. */
function makeBinding(domain: 4 | 6, address: IpAddress, options: BindOptions): Binding | number {
  if (domain === 4 && !isIpv4(address)) return -Errno.EAFNOSUPPORT;
  if (domain === 6 && options.ipv6Only !== 0 && isIpv4(address)) return -Errno.EINVAL;
  const families = familiesOf(domain, address, options.ipv6Only);
  return { address, sharing: sharingOf(options), families, listening: false };
}

/** Whether some local address belongs to both. */
function overlap(a: IpAddress, families: number, b: IpAddress, others: number): boolean {
  return (families & others) !== 0 && (isWildcard(a) || isWildcard(b) || sameAddress(a, b));
}

/**
 * The local ports of a stack: which are bound, by Linux's rules (bind(2), ip(7), socket(7)), and
 * which a new connection gets (RFC 6056). What the link shares with others is reserved there, and
 * given back when the last bound socket, connection and TIME-WAIT entry is gone.
 */
export class LocalPorts {
  private readonly bindings = new Map<number, Binding[]>();
  private readonly holds: PortHolds;
  private readonly choice: PortChoice;
  /** The row that `pickEphemeral` has counted and `retain` has not taken over yet. */
  private picked = -1;

  constructor(
    private readonly environment: Environment,
    private readonly tuples: FourTuples,
  ) {
    this.holds = new PortHolds(environment.ports, (address, port) =>
      tuples.hashOfEnd(address, port),
    );
    this.choice = new PortChoice(environment.random);
  }

  /**
   * bind(2). Whether `address` is one of ours is for the caller to know.
   * @param port 0 to 65535; 0 takes an ephemeral one
   * @returns the port, or -errno: EADDRINUSE, EINVAL, or what the link says (EACCES, EPERM)
   */
  bind(domain: 4 | 6, address: IpAddress, port: number, options: BindOptions): number {
    const binding = makeBinding(domain, address, options);
    if (typeof binding === 'number') return binding;
    if (port !== 0) return this.bindTo(binding, port);
    return this.bindEphemeral(binding, options.localPortRange ?? 0);
  }

  /**
   * The same for a socket on every port that no other is bound to. For `listen` and the other calls
   * its port is 0.
   * @returns 0, or -errno: EADDRINUSE, EINVAL, EOPNOTSUPP where the link shares its ports
   */
  bindAnyPort(domain: 4 | 6, address: IpAddress, options: BindOptions): number {
    if (this.environment.ports.allowsAnyPort !== true) return -Errno.EOPNOTSUPP;
    const binding = makeBinding(domain, address, options);
    return typeof binding === 'number' ? binding : this.bindTo(binding, ANY_PORT);
  }

  /**
   * listen(2) for a bound socket.
   * @param options as the socket has them now
   * @returns 0, or -EADDRINUSE where another listens already
   */
  listen(domain: 4 | 6, address: IpAddress, port: number, options?: BindOptions): number {
    const sharing = options === undefined ? null : sharingOf(options);
    const idle = ({ listening }: Binding): boolean => !listening;
    const same = (other: Binding): boolean => idle(other) && other.sharing === sharing;
    const binding = this.binding(domain, address, port, same, idle);
    if (sharing !== null) binding.sharing = sharing;
    if (this.isBound(binding, port)) return -Errno.EADDRINUSE;
    binding.listening = true;
    return 0;
  }

  /** The socket listens no more, but is still bound. */
  unlisten(domain: 4 | 6, address: IpAddress, port: number): void {
    const listens = ({ listening }: Binding): boolean => listening;
    this.binding(domain, address, port, listens, listens).listening = false;
  }

  /**
   * The socket is closed. Its connections keep the port.
   * @param address as given to `bind`, or what connect(2) has made of a wildcard
   * @param options likewise; one that has changed since doesn't matter
   */
  unbind(domain: 4 | 6, address: IpAddress, port: number, options: BindOptions): void {
    const families = familiesOf(domain, address, options.ipv6Only);
    const sharing = sharingOf(options);
    const alike = (other: Binding): boolean => !other.listening && other.families === families;
    const same = (other: Binding): boolean => alike(other) && other.sharing === sharing;
    const binding = this.binding(domain, address, port, same, alike);
    const left = this.on(port).filter((other) => other !== binding);
    if (left.length === 0) this.bindings.delete(port);
    else this.bindings.set(port, left);
    this.holds.unbind(binding.address, port);
    if (binding.families === (IPV4 | IPV6)) this.holds.unbind(ANY4, port);
  }

  /**
   * A port for a connection from a socket that isn't bound. It is held until `retain`, which must
   * follow, takes it over.
   * @param reusable whether a four-tuple that is in use, by its row, may be taken over (RFC 6191)
   * @param range IP_LOCAL_PORT_RANGE
   * @returns the port, or -errno: EADDRNOTAVAIL when all are used up, or what the link says
   */
  pickEphemeral(
    local: IpAddress,
    remote: IpAddress,
    remotePort: number,
    reusable?: (row: number) => boolean,
    range = 0,
  ): number {
    const start = this.choice.start(local, remote, remotePort);
    const accept = (port: number, steps: number): number => {
      if (!isInRange(port, range)) return -Errno.EADDRINUSE;
      if (this.bindingFor(local, port) !== undefined) return -Errno.EADDRINUSE;
      const row = this.tuples.lookup(local, port, remote, remotePort);
      if (row >= 0 && reusable?.(row) !== true) return -Errno.EADDRINUSE;
      const held = this.holds.connect(local, port, Sharing.None);
      if (held < 0) return held;
      this.picked = held;
      this.choice.taken(steps);
      return 0;
    };
    const port = this.search(isIpv4(local) ? 4 : 6, start, accept);
    return port === -Errno.EADDRINUSE ? -Errno.EADDRNOTAVAIL : port;
  }

  /**
   * Counts a connection on a local port. The count goes over to the TIME-WAIT entry that takes the
   * connection's place.
   * @returns 0, or -errno of the link where nothing of ours was on the port
   */
  retain(address: IpAddress, port: number): number {
    const row = this.holds.find(address, port);
    if (row >= 0 && row === this.picked) {
      this.picked = -1;
      return 0;
    }
    const binding = this.bindingFor(address, port) ?? this.bindingFor(address, ANY_PORT);
    const sharing = binding?.sharing ?? Sharing.None;
    return Math.min(this.holds.connect(address, port, sharing), 0);
  }

  /** The connection, or the TIME-WAIT entry that took its place, is gone. */
  release(address: IpAddress, port: number): void {
    const row = this.holds.rowOf(address, port);
    if (this.holds.disconnect(row) && this.picked === row) this.picked = -1;
  }

  private bindTo(binding: Binding, port: number): number {
    if (this.isBound(binding, port) || this.isConnected(binding, port, binding.sharing)) {
      return -Errno.EADDRINUSE;
    }
    const refused = this.hold(binding, port);
    if (refused < 0) return refused;
    const others = this.bindings.get(port);
    if (others === undefined) this.bindings.set(port, [binding]);
    else others.push(binding);
    return port;
  }

  /** Any port on which nothing is that overlaps, from a random one on (RFC 6056 §3.3.1). */
  private bindEphemeral(binding: Binding, range: number): number {
    const family = binding.families === IPV4 ? 4 : 6;
    return this.search(family, this.environment.random.next() >>> 0, (port) => {
      const strict: Binding = { ...binding, sharing: Sharing.None };
      if (!isInRange(port, range)) return -Errno.EADDRINUSE;
      if (this.isBound(strict, port) || this.isConnected(binding, port, Sharing.None)) {
        return -Errno.EADDRINUSE;
      }
      return Math.min(this.bindTo(binding, port), 0);
    });
  }

  /**
   * Tries one ephemeral port after another, cyclically, until `accept` takes one (0) or fails with
   * an errno that isn't EADDRINUSE. When all are refused, the authority is asked for more.
   */
  private search(
    family: 4 | 6,
    start: number,
    accept: (port: number, steps: number) => number,
  ): number {
    const { ports } = this.environment;
    let from = 0;
    do {
      const count = ports.ephemeralCount(family) - from;
      for (let i = 0; i < count; i++) {
        const port = ports.ephemeralPort(family, from + ((start + i) % count));
        const outcome = accept(port, i);
        if (outcome === 0) return port;
        if (outcome !== -Errno.EADDRINUSE) return outcome;
      }
      from += count;
    } while (ports.growEphemeral(family) && ports.ephemeralCount(family) > from);
    return -Errno.EADDRINUSE;
  }

  /**
   * Whether another bound socket stands in the way of one that is bound or is to listen. With
   * SO_REUSEADDR on both they share the port while the other doesn't listen, with SO_REUSEPORT on
   * both always (Linux: inet_bind_conflict).
   */
  private isBound(binding: Binding, port: number): boolean {
    return this.on(port).some((other) => {
      if (other === binding) return false;
      if (!overlap(binding.address, binding.families, other.address, other.families)) return false;
      const shared = binding.sharing & other.sharing;
      return (shared & (other.listening ? Sharing.Port : Sharing.Both)) === 0;
    });
  }

  /** Whether connections or what is left of them stand in the way. */
  private isConnected(binding: Binding, port: number, sharing: number): boolean {
    const { holds } = this;
    for (let row = holds.first(port); row >= 0; row = holds.next(row)) {
      const address = holds.address(row);
      const families = isIpv4(address) ? IPV4 : IPV6;
      if (overlap(binding.address, binding.families, address, families)) {
        if (holds.blocks(row, sharing)) return true;
      }
    }
    return false;
  }

  private hold(binding: Binding, port: number): number {
    const refused = this.holds.bind(binding.address, port);
    if (refused < 0 || binding.families !== (IPV4 | IPV6)) return refused;
    // A dual-stack wildcard needs the port in both families.
    const second = this.holds.bind(ANY4, port);
    if (second < 0) this.holds.unbind(binding.address, port);
    return second;
  }

  private on(port: number): readonly Binding[] {
    return this.bindings.get(port) ?? [];
  }

  /** A bound socket that a connection on that address and port can belong to. */
  private bindingFor(local: IpAddress, port: number): Binding | undefined {
    const family = isIpv4(local) ? IPV4 : IPV6;
    return this.bindings.get(port)?.find((b) => overlap(b.address, b.families, local, family));
  }

  /** The bound socket in question; one that `best` accepts comes first, then `good`. */
  private binding(
    domain: 4 | 6,
    address: IpAddress,
    port: number,
    best: (binding: Binding) => boolean,
    good: (binding: Binding) => boolean,
  ): Binding {
    const exact = this.on(port).filter((binding) => sameAddress(binding.address, address));
    const found =
      exact.find(best) ?? exact.find(good) ?? exact.at(0) ?? this.bindingFor(address, port);
    if (found === undefined) throw new Error(`no socket of domain ${domain} is on port ${port}`);
    return found;
  }
}
