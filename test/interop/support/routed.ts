import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { Namespace, NamespacePair } from '../../support/netns';
import type { PeerOptions } from './peer';
import { Side } from './side';
import type { Wire } from './wires';

const exec = promisify(execFile);

/** Two hosts, and a third between them, whose kernel forwards. */
export interface RoutedWire extends Wire {
  readonly router: Namespace;
  /** The router's device on the way to the kernel's host. */
  readonly far: string;
}

const OURS = { 4: '10.9.0.1', 6: 'fd09::1' } as const;
const KERNEL = { 4: '10.10.0.2', 6: 'fd10::2' } as const;

/** Our stack is on a raw link: `va` of its host; the kernel's is behind the router. */
export async function openRouted(options: Omit<PeerOptions, 'link'> = {}): Promise<RoutedWire> {
  const [pair, host] = await Promise.all([NamespacePair.create(), Namespace.create()]);
  const close = async () => void (await Promise.all([pair.close(), host.close()]));
  try {
    const { a, b } = pair;
    await layFarCable(b.namespace, host);
    await Promise.all([
      a.namespace.run('ip', 'route', 'add', '10.10.0.0/24', 'via', b.address4),
      a.namespace.run('ip', 'route', 'add', 'fd10::/64', 'via', b.address6),
      host.run('ip', 'route', 'add', '10.9.0.0/24', 'via', '10.10.0.1'),
      host.run('ip', 'route', 'add', 'fd09::/64', 'via', 'fd10::1'),
    ]);
    const [ours, kernel] = await Promise.all([
      Side.start(a.namespace, { ...options, link: 'raw' }),
      Side.start(host, { link: 'kernel' }),
    ]);
    return {
      ours,
      kernel,
      oursIn: a.namespace,
      kernelIn: host,
      router: b.namespace,
      device: 'vd',
      far: 'vc',
      ourAddress: OURS,
      kernelAddress: KERNEL,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** From the router, `vc`, to another host, `vd`: 10.10.0.1 and 2, fd10::1 and 2. */
export async function layFarCable(router: Namespace, host: Namespace): Promise<void> {
  const forward = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
  // Each error is told, however soon it follows another.
  const talkative = ['net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0'];
  await router.run('sysctl', '-qw', ...forward, ...talkative);
  await host.run('sysctl', '-qw', ...talkative);
  const cable = ['link', 'add', 'vc', 'netns', router.name, 'type', 'veth'];
  await exec('ip', [...cable, 'peer', 'name', 'vd', 'netns', host.name]);
  await Promise.all([setUp(router, 'vc', '1'), setUp(host, 'vd', '2')]);
  await host.useCubic();
}

async function setUp(namespace: Namespace, device: string, number: string): Promise<void> {
  // A router solicits from its link-local address alone: it is to be usable at once.
  const dad = ['all', 'default', device].map((name) => `net.ipv6.conf.${name}.accept_dad=0`);
  await namespace.run('sysctl', '-qw', ...dad);
  await namespace.run('ip', 'addr', 'add', `10.10.0.${number}/24`, 'dev', device);
  await namespace.run('ip', 'addr', 'add', `fd10::${number}/64`, 'dev', device, 'nodad');
  await namespace.run('ip', 'link', 'set', device, 'up');
}
