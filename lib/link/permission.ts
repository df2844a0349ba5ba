import { readFileSync } from 'node:fs';
import { Errno } from '../core/errno';
import { failedCall } from '../errors';

/** Bits of a capability set, as <linux/capability.h> numbers them. */
const CAPABILITIES = { CAP_NET_BIND_SERVICE: 10, CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;

export type Capability = keyof typeof CAPABILITIES;

/** What /proc says of this process's permissions; null where it can't be read. */
export interface PermissionFacts {
  status: string | null;
  uidMap: string | null;
  /** kernel.apparmor_restrict_unprivileged_userns */
  appArmorRestricts: string | null;
}

export function readPermissionFacts(): PermissionFacts {
  return {
    status: read('/proc/self/status'),
    uidMap: read('/proc/self/uid_map'),
    appArmorRestricts: read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
  };
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Whether a capability is effective; true where that can't be known. */
export function hasCapability(capability: Capability, facts = readPermissionFacts()): boolean {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(facts.status ?? '');
  if (match === null) return true;
  return (BigInt(`0x${match[1]}`) & (1n << BigInt(CAPABILITIES[capability]))) !== 0n;
}

/** A user namespace other than the machine's own: its map isn't all of the ids to themselves. */
function inUserNamespace({ uidMap }: PermissionFacts): boolean {
  return uidMap !== null && !/^0\s+0\s+4294967295$/.test(uidMap);
}

function isRoot({ status }: PermissionFacts): boolean {
  return /^Uid:\s+\d+\s+0\s/m.test(status ?? '');
}

/** The lines that give a process the capabilities, for the situation that it is in. */
export function remedyFor(capabilities: readonly Capability[], facts: PermissionFacts): string {
  const missing = capabilities.filter((capability) => !hasCapability(capability, facts));
  const names = (missing.length > 0 ? missing : capabilities).join(' and ');
  const flags = capabilities.map((name) => name.toLowerCase()).join(',');
  const setcap = `sudo setcap ${flags}+ep "$(readlink -f "$(command -v node)")"`;
  if (inUserNamespace(facts) && isRoot(facts)) {
    // Ubuntu 24.04 lets `unshare` succeed and strips what it should give.
    const restricted = facts.appArmorRestricts === '1';
    const line = restricted
      ? 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
      : setcap;
    const by = restricted ? 'AppArmor has taken it away' : 'it was taken away';
    return `this user namespace ought to give ${names}, but ${by}: ${line}`;
  }
  if (isRoot(facts)) {
    const added = capabilities.map((name) => `--cap-add=${name.slice('CAP_'.length)}`);
    const flagsLine = added.join(' ');
    return `${names} is missing though this is root, as in a container: run it with ${flagsLine}`;
  }
  return `${names} is missing: ${setcap}, or in a network of its own: unshare -Urn node …`;
}

/**
 * EPERM or EACCES as Node makes it, with what helps in its message.
 * @param errno Linux's number, of either sign
 */
export function permissionError(
  errno: number,
  syscall: string,
  what: string,
  capabilities: readonly Capability[],
  facts = readPermissionFacts(),
): NodeJS.ErrnoException {
  return failedCall(errno, syscall, `${what}; ${remedyFor(capabilities, facts)}`);
}

export function isPermissionErrno(errno: number): boolean {
  const number = Math.abs(errno);
  return number === Errno.EPERM || number === Errno.EACCES;
}
