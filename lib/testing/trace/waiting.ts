import type { Host } from '../host/host';

export function describeWaiting(hosts: readonly Host[]): string[] {
  return hosts.map((host) => `${host.name} ${host.state} ${JSON.stringify(host.connections())}`);
}
