import type { StackCore } from '../../lib/core/stack/stack-core';
import type { Host } from '../../lib/testing';
import { leftovers } from '../../lib/testing/check/leftovers';
import { describeWaiting } from '../../lib/testing/trace/waiting';

/** What a host's stack holds, by name. */
function held(core: StackCore): [string, number][] {
  // Local ports, which nobody else is to know of.
  const { holds } = core.tcp.ports as unknown as { holds: { count: number } };
  return Object.entries({ ...leftovers(core), ports: holds.count });
}

/** Nothing is left of any connection. */
export function isEmpty(hosts: readonly Host[]): boolean {
  return hosts.every(({ core }) => held(core).every(([, count]) => count === 0));
}

/** What holds what, for the message of an error. @param now ms */
export function stuck(
  what: string,
  now: number,
  hosts: readonly Host[],
  programs: readonly string[],
): string {
  const left = hosts.map(({ name, core }) => {
    const some = held(core).filter(([, count]) => count !== 0);
    return `${name} has ${some.map(([kind, count]) => `${count} ${kind}`).join(', ')}`;
  });
  const lines = [...programs, ...left, ...describeWaiting(hosts)];
  return [`${what}, at ${now / 1000} s:`, ...lines.map((line) => `  ${line}`)].join('\n');
}
