import {
  formatAddress,
  isIpv4,
  isLoopback,
  isMulticast,
  isWildcard,
  parsePrefix,
  sameAddress,
  type Prefix,
} from '../../core/ip/address';
import { parseAddresses } from '../../driver/paths';
import { invalidArgType, invalidArgValue } from '../../errors';
import type { HostOptions } from './options';

/** The host's number in its default addresses has this many bits. */
const NUMBER_BITS = 24;
/** 255.255.255.255 */
const BROADCAST = -1;

/**
 * The addresses of a new host: those asked for, or the first free ones of 10.0.0.0/8 and fd00::/8.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export function hostPrefixes(
  hosts: readonly { readonly prefixes: readonly Prefix[] }[],
  { address, address6 }: Pick<HostOptions, 'address' | 'address6'>,
): Prefix[] {
  const taken = (prefix: Prefix) =>
    hosts.some((host) => host.prefixes.some((own) => sameAddress(own.address, prefix.address)));
  const asked = [
    address === undefined ? null : parse('address', address, true),
    address6 === undefined ? null : parse('address6', address6, false),
  ];
  for (const prefix of asked) {
    if (prefix === null || !taken(prefix)) continue;
    throw invalidArgValue('options', formatAddress(prefix.address), 'has an address that is taken');
  }
  const free = (make: (number: number) => string): Prefix => {
    for (let number = 1; number < 2 ** NUMBER_BITS; number++) {
      const [prefix] = parseAddresses([make(number)]);
      if (!taken(prefix)) return prefix;
    }
    throw new Error('all addresses are taken');
  };
  return [asked[0] ?? free(defaultAddress), asked[1] ?? free((n) => `fd00::${n.toString(16)}/64`)];
}

function defaultAddress(number: number): string {
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}/8`;
}

function parse(name: string, text: unknown, four: boolean): Prefix {
  if (typeof text !== 'string') {
    throw invalidArgType(`options.${name}`, 'of type string', text);
  }
  const prefix = parsePrefix(text.includes('/') ? text : `${text}/${four ? 32 : 128}`);
  if (prefix === null || isIpv4(prefix.address) !== four) {
    throw invalidArgValue(`options.${name}`, text, `must be an IPv${four ? 4 : 6} address`);
  }
  const { address } = prefix;
  const special = isWildcard(address) || isLoopback(address) || isMulticast(address);
  if (special || (four && address.w3 === BROADCAST)) {
    throw invalidArgValue(`options.${name}`, text, 'must be an address that a host can have');
  }
  return prefix;
}
