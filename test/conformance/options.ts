import { isIpv4, parsePrefix, type Prefix } from '../../lib/core/ip/address';
import type { HostOptions } from './host';
import { CallError } from './request';

const LEAST_MTU = 68;
const MOST_MTU = 65_535;
/** Where packetdrill has its addresses when nobody says otherwise, and their networks. */
const LOCAL = ['192.168.0.1/16', 'fd3d:fa7b:d17d::1/48'];

/** The words behind `npm run conformance:server --`, or in the `flags` of hello. */
export interface Words {
  local?: string;
  local6?: string;
  remote?: string;
  remote6?: string;
  mtu?: string;
}

const DEFAULTS: HostOptions = {
  local: LOCAL.map((text) => prefix(text)),
  remote: [],
  mtu: 1500,
};

/**
 * Where the stack is. A remote network with its length (`192.0.2.0/24`) is all that there is a way
 * to; an address alone says nothing, since by default everything is reached.
 * @throws CallError EINVAL
 */
export function hostOptions(words: Words, base: HostOptions = DEFAULTS): HostOptions {
  const local = [...base.local];
  for (const text of [words.local, words.local6]) {
    if (text === undefined) continue;
    const own = prefix(text);
    const is4 = isIpv4(own.address);
    const same = local.findIndex(({ address }) => isIpv4(address) === is4);
    if (same >= 0) local.splice(same, 1);
    local.push(own);
  }
  const given = [words.remote, words.remote6].filter((text) => text !== undefined);
  const networks = given.map((text) => ({ text, network: prefix(text) }));
  const remote = networks.filter(({ text }) => text.includes('/')).map(({ network }) => network);
  const mtu = words.mtu === undefined ? base.mtu : Number(words.mtu);
  if (!Number.isInteger(mtu) || mtu < LEAST_MTU || mtu > MOST_MTU) throw new CallError('EINVAL');
  return { local, remote: remote.length > 0 ? remote : base.remote, mtu };
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === null) throw new CallError('EINVAL');
  return parsed;
}

/** `local=`, `local6=`, `remote=`, `remote6=` and `mtu=` in the driver's option string. */
export function flagWords(flags: string): Words {
  const words: Record<string, string> = {};
  for (const [, name, value] of flags.matchAll(/\b(local6?|remote6?|mtu)=([^\s,;]+)/g)) {
    words[name] = value;
  }
  return words;
}
