import { getDefaultResultOrder, lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { Destination } from './arguments';
import { invalidAddressFamily, invalidIpAddress } from './errors';

/** One of the addresses that a name stands for. */
export interface Resolved {
  address: string;
  family: 4 | 6;
}

export type Query = Pick<Destination, 'host' | 'port' | 'family' | 'hints' | 'lookup'>;

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/** RFC 6761 §6.3: localhost is the loopback address, and no name server is asked. */
function localhost(family: 0 | 4 | 6): Resolved[] {
  const both: Resolved[] = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  if (getDefaultResultOrder() === 'ipv4first') both.reverse();
  return family === 0 ? both : both.filter((found) => found.family === family);
}

function check(found: LookupAddress, query: Query): Resolved {
  const family = isIP(found.address);
  if (family === 0) throw invalidIpAddress(found.address);
  if (found.family !== 4 && found.family !== 6) {
    throw invalidAddressFamily(found.family, query.host, query.port);
  }
  return { address: found.address, family: found.family };
}

/**
 * The addresses of a name, at least one.
 * @param all whether more than the first is wanted
 * @param callback called in a later turn; gets the error that `dns.lookup` or the program's own
 *   lookup gives
 */
export function resolve(
  query: Query,
  all: boolean,
  callback: (error: Error | null, found: Resolved[]) => void,
): void {
  const { host, family, hints, lookup } = query;
  if (lookup === undefined && host.toLowerCase() === 'localhost') {
    const found = localhost(family);
    nextTick(callback, null, all ? found : found.slice(0, 1));
    return;
  }
  let later = false;
  const finish = (error: Error | null, address: string | LookupAddress[], kind?: number) => {
    if (!later) {
      nextTick(finish, error, address, kind);
      return;
    }
    if (error) return callback(error, []);
    const list = Array.isArray(address) ? address : [{ address, family: kind ?? isIP(address) }];
    let found: Resolved[];
    try {
      if (list.length === 0) throw invalidIpAddress(undefined);
      found = list.map((entry) => check(entry, query));
    } catch (invalid) {
      return callback(invalid as Error, []);
    }
    callback(null, found);
  };
  (lookup ?? systemLookup)(host, { family, hints, all }, finish);
  later = true;
}
