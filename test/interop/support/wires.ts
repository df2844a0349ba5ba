import { hasNamespaces, hasTun, Namespace, NamespacePair } from '../../support/netns';
import type { ScriptOptions } from '../../support/script';
import type { PeerOptions } from './peer';
import { Side } from './side';

export type Family = 4 | 6;

/** What is told to the stack beside its link. */
export interface OurOptions extends Omit<PeerOptions, 'link' | 'tun' | 'addresses'> {
  tunMtu?: number;
  tunOffload?: boolean;
}

/** Our stack and the kernel's, and what is between them. */
export interface Wire {
  readonly ours: Side;
  readonly kernel: Side;
  readonly oursIn: Namespace;
  readonly kernelIn: Namespace;
  /** The interface on the kernel's side. */
  readonly device: string;
  readonly ourAddress: Readonly<Record<Family, string>>;
  readonly kernelAddress: Readonly<Record<Family, string>>;
  close(): Promise<void>;
}

export interface WireKind {
  readonly name: string;
  open(options?: OurOptions, how?: ScriptOptions): Promise<Wire>;
}

/** Our stack on the host's own addresses, the peer on another host. */
export const RAW_VETH: WireKind = {
  name: 'raw over veth',
  async open(options = {}, how = {}) {
    const pair = await NamespacePair.create();
    return {
      ...(await sides(pair.a.namespace, pair.b.namespace, { ...options, link: 'raw' }, how)),
      device: pair.b.device,
      ourAddress: { 4: pair.a.address4, 6: pair.a.address6 },
      kernelAddress: { 4: pair.b.address4, 6: pair.b.address6 },
      close: () => pair.close(),
    };
  },
};

/** Both on one host. */
export const RAW_LOOPBACK: WireKind = {
  name: 'raw over loopback',
  async open(options = {}, how = {}) {
    const namespace = await Namespace.create();
    const address = { 4: '127.0.0.1', 6: '::1' };
    return {
      ...(await sides(namespace, namespace, { ...options, link: 'raw' }, how)),
      device: 'lo',
      ourAddress: address,
      kernelAddress: address,
      close: () => namespace.close(),
    };
  },
};

/** Our stack on addresses of its own, the host on the other end. */
export const TUN: WireKind = {
  name: 'TUN',
  async open(options = {}, how = {}) {
    const namespace = await Namespace.create();
    const hostAddresses = ['10.78.0.1/24', 'fd78::1/64'];
    const tun = { name: 'nl0', hostAddresses, mtu: options.tunMtu, offload: options.tunOffload };
    const addresses = ['10.78.0.2/24', 'fd78::2/64'];
    const made = await sides(
      namespace,
      namespace,
      { ...options, link: 'tun', tun, addresses },
      how,
    );
    await namespace.useCubic();
    return {
      ...made,
      device: tun.name,
      ourAddress: { 4: '10.78.0.2', 6: 'fd78::2' },
      kernelAddress: { 4: '10.78.0.1', 6: 'fd78::1' },
      close: () => namespace.close(),
    };
  },
};

export const WIRES = [RAW_VETH, RAW_LOOPBACK, TUN];
export const FAMILIES = [4, 6] as const;

/** For `needs`: all kinds of wire. */
export const canWire = (): boolean => hasNamespaces() && hasTun();
export const WIRE_NEEDS = 'root, network namespaces and /dev/net/tun';

async function sides(
  oursIn: Namespace,
  kernelIn: Namespace,
  options: PeerOptions,
  how: ScriptOptions,
) {
  const [ours, kernel] = await Promise.all([
    Side.start(oursIn, options, how),
    Side.start(kernelIn, { link: 'kernel' }),
  ]);
  return { ours, kernel, oursIn, kernelIn };
}

/** Brackets for IPv6. */
export function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
