import {
  isIpv4,
  isLoopback,
  isMulticast,
  isUnicast,
  isWildcard,
  parseAddress,
  parsePrefix,
  sameAddress,
  type IpAddress,
  type Prefix,
} from '../core/ip/address';
import { MAPPED_BITS } from '../core/ip/addresses';
import { AddressPaths } from '../core/ip/paths';
import { Route, RouteTable, type RouteOptions } from '../core/ip/routes';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { checkNames } from '../link/validate';

/** A way to other hosts, as `ip route` has it. */
export interface StackRoute {
  /** Whom it leads to, in CIDR notation: '0.0.0.0/0' and '::/0' are everybody. */
  to: string;
  /** The gateway, an address on the link. Default: they are on the link themselves. */
  via?: string;
  /** Largest IP packet, bytes: 68 (IPv6: 1280) to 65535. Default: the link's. */
  mtu?: number;
  /** Which of the stack's addresses is used, unless the program binds another one. */
  source?: string;
  /** Of two to the same range the smaller one counts; 0 to 4294967295. Default: 0. */
  metric?: number;
}

const NAMES: readonly (keyof StackRoute)[] = ['to', 'via', 'mtu', 'source', 'metric'];

/** Every host has to take so much (RFC 791 §3.2, RFC 8200 §5), bytes. */
const MIN_MTU4 = 68;
const MIN_MTU6 = 1280;
const MAX_MTU = 65_535;

/** A prefix of IPv4 written as IPv6 must leave what says that it is one. */
function shortest(address: IpAddress): number {
  return isIpv4(address) ? MAPPED_BITS : 0;
}

/**
 * Reads a stack's addresses.
 * @param texts in CIDR notation
 * @throws TypeError ERR_INVALID_ARG_VALUE for what is not an address that a host can have
 */
export function parseAddresses(texts: readonly string[]): Prefix[] {
  return texts.map((text, index) => {
    const prefix = typeof text === 'string' ? parsePrefix(text) : null;
    const name = `options.addresses[${index}]`;
    if (prefix === null) {
      throw invalidArgValue(name, text, "must be an address with prefix, as '10.0.0.2/24'");
    }
    const { address, length } = prefix;
    if (isWildcard(address) || isMulticast(address) || length < shortest(address)) {
      throw invalidArgValue(name, text, 'must be an address that a host can have');
    }
    return prefix;
  });
}

/**
 * Reads a stack's routes.
 * @param own the stack's addresses
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE; RangeError ERR_OUT_OF_RANGE
 */
export function parseRoutes(routes: readonly StackRoute[], own: readonly Prefix[]): RouteOptions[] {
  const nameOf = (index: number): string => `options.routes[${index}]`;
  const parsed = routes.map((route, index) => parseRoute(nameOf(index), route, own));
  // A gateway may be reached by a route that comes later.
  const direct = parsed.filter(({ via }) => via === null);
  const link = new AddressPaths(own, MAX_MTU, MAX_MTU, direct).routes;
  const given = new RouteTable();
  for (const [index, options] of parsed.entries()) {
    const { via } = options;
    if (via && link.find(via) === null) {
      const name = `${nameOf(index)}.via`;
      throw invalidArgValue(name, routes[index].via, 'must be an address on the link');
    }
    if (!given.add(new Route(options))) {
      throw invalidArgValue(nameOf(index), routes[index], 'is there twice: give another metric');
    }
  }
  return parsed;
}

function parseRoute(name: string, route: StackRoute, own: readonly Prefix[]): RouteOptions {
  checkNames(name, route, NAMES);
  const to = typeof route.to === 'string' ? parsePrefix(route.to) : null;
  if (to === null || to.length < shortest(to.address)) {
    throw invalidArgValue(`${name}.to`, route.to, "must be a network, as '10.1.0.0/16'");
  }
  if (isLoopback(to.address)) {
    throw invalidArgValue(`${name}.to`, route.to, 'must not be the loopback');
  }
  const is4 = isIpv4(to.address);
  const via = parseOptional(`${name}.via`, route.via, is4);
  if (via !== null && (!isUnicast(via) || own.some(({ address }) => sameAddress(address, via)))) {
    throw invalidArgValue(`${name}.via`, route.via, "must be another host's address");
  }
  const source = parseOptional(`${name}.source`, route.source, is4);
  if (source !== null && !own.some(({ address }) => sameAddress(address, source))) {
    throw invalidArgValue(`${name}.source`, route.source, 'must be one of options.addresses');
  }
  const mtu = checked(`${name}.mtu`, route.mtu, is4 ? MIN_MTU4 : MIN_MTU6, MAX_MTU);
  return { to, via, source, mtu, metric: checked(`${name}.metric`, route.metric, 0, 0xffff_ffff) };
}

/** An address of the family of the network that the route leads to. */
function parseOptional(name: string, text: string | undefined, is4: boolean): IpAddress | null {
  if (text === undefined) return null;
  const address = typeof text === 'string' ? parseAddress(text) : null;
  if (address === null || isIpv4(address) !== is4) {
    throw invalidArgValue(name, text, `must be an IPv${is4 ? 4 : 6} address, as its route`);
  }
  return address;
}

function checked(name: string, value: number | undefined, min: number, max: number): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} and <= ${max}`, value);
  return value;
}
