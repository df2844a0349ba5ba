import { lookup as systemLookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import type { IpAddress } from '../core/ip/address';
import { parseAddress } from '../core/ip/address';
import type { Lookup } from './types';

type Found = (error: Error | null, address: string) => void;

/** RFC 6761 §6.3: localhost is the loopback address, and no name server is asked. */
export const LOCALHOST = { 4: '127.0.0.1', 6: '::1' } as const;

/**
 * An address as a socket of that domain takes it; null for one of the other family, too.
 * @param text as a program's `lookup` may have found it
 */
export function addressFor(domain: 4 | 6, text: unknown): IpAddress | null {
  if (typeof text !== 'string') return null;
  return (domain === 6) === isIPv6(text) ? parseAddress(text) : null;
}

/**
 * The address that a name stands for, as text. It is told at once where nobody is asked, else when
 * `lookup` tells.
 */
export function findAddress(
  text: string,
  domain: 4 | 6,
  lookup: Lookup | undefined,
  callback: Found,
): void {
  if (lookup !== undefined) lookup(text, domain, callback);
  else if (isIP(text) !== 0) callback(null, text);
  else if (text.toLowerCase() === 'localhost') callback(null, LOCALHOST[domain]);
  else systemLookup(text, domain, callback);
}
