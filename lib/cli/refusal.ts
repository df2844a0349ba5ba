import { readFileSync } from 'node:fs';

/** Something that the system doesn't allow, and the command line that would. */
export interface Refusal {
  /** The permission that is missing, and who refuses it. */
  reason: string;
  /** The line to type. */
  remedy: string;
}

/** Bits of a capability set, as <linux/capability.h> numbers them. */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;

function sysctl(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Which of the capabilities that the raw link needs this process doesn't have. */
export function missingCapabilities(status = readFileSync('/proc/self/status', 'utf8')): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => (effective & (1n << BigInt(bit))) === 0n)
    .map(([name]) => name);
}

/**
 * The line that lets an ordinary user, or root in a container, have a network namespace with raw
 * sockets in it. Reads which of the usual switches is off.
 *
 * @param uid the user who typed the command
 */
export function remedy(uid: number): string {
  if (uid === 0) {
    const capabilities = ['SYS_ADMIN', 'NET_ADMIN', 'NET_RAW'].map((name) => `--cap-add=${name}`);
    return `docker run ${capabilities.join(' ')} --security-opt apparmor=unconfined …`;
  }
  if (sysctl('kernel.apparmor_restrict_unprivileged_userns') === '1') {
    return 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  }
  if (sysctl('kernel.unprivileged_userns_clone') === '0') {
    return 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
  }
  if (sysctl('user.max_user_namespaces') === '0') {
    return 'sudo sysctl -w user.max_user_namespaces=10000';
  }
  return 'sudo npm start';
}
