import { randomBytes } from 'node:crypto';
import { Errno } from '../core/errno';
import {
  isHostHardware,
  readHardware,
  type HardwareAddress,
} from '../core/neighbor/hardware-address';
import { failedCall, invalidArgType, invalidArgValue } from '../errors';
import { DevicePort, NativePort } from './device-port';
import { checkInterfaceName } from './interface-name';
import type { Link, LinkContext, LinkPort } from './link';
import { type NativeAddon, type NativeMonitor, requireNative } from './native';
import { isPermissionErrno, permissionError } from './permission';
import { checkInteger, checkNames } from './validate';

export interface PacketLinkOptions {
  /** The Ethernet interface: a NIC, a veth, a macvlan, a port of a bridge. It has to be there. */
  interface: string;
  /** The host's own hardware address, as '02:00:5e:10:00:01'; not that of the interface, which is
   * the kernel's. Default: a locally administered one (02, 06, 0a, 0e, …), by chance. */
  hardwareAddress?: string;
  /** Largest IP packet, 68 bytes (IPv6 needs 1280) up to the interface's MTU. Default: that. */
  mtu?: number;
  /** Whether checksums, and cutting long segments into packets, are left to the kernel or the NIC.
   * Default: true. */
  offload?: boolean;
  /** Whether an IPv6 address and the default route are taken from routers on the link, as hosts do
   * (RFC 4862; Linux: autoconf and accept_ra). Default: false. */
  autoconf?: boolean;
}

const NAMES: readonly (keyof PacketLinkOptions)[] = [
  'interface',
  'hardwareAddress',
  'mtu',
  'offload',
  'autoconf',
];

/** Largest payload of a super-segment: an IP packet of 65,535 bytes, with all options. */
const GSO_MAX = 65_535 - 20 - 60;
const MAX_MTU = 65_535;

/**
 * A host of its own on a real network, with an own hardware address and own IP addresses, which
 * answers for them by ARP and neighbour discovery: on Ethernet, through a packet socket. The
 * kernel's own addresses on that interface are left alone, and can't be reached from here: what one
 * of both sends doesn't come back to the other (as on a macvlan in mode private).
 *
 * The stack's addresses are those of its options; ways to others lead to the networks that these
 * are in, and where `routes`, or routers (`autoconf`), say. IPv6 addresses are given up, with a
 * warning, where another host turns out to have them.
 *
 * Opening needs CAP_NET_RAW; it rejects with EPERM and what helps, with ENODEV without such an
 * interface, with EPROTOTYPE for one that isn't Ethernet, and with EADDRINUSE for the hardware
 * address of the interface itself. An interface that is set down drops what is sent (counted as
 * `sendENETDOWN`), and the host goes on when it is up again; one that is deleted ends the link.
 *
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function packetLink(options: PacketLinkOptions): Link {
  checkNames('options', options, NAMES);
  const { mtu, offload = true, autoconf = false } = options;
  checkInterfaceName('interface', options.interface);
  if (mtu !== undefined) checkInteger('mtu', mtu, 68, MAX_MTU);
  checkBoolean('offload', offload);
  checkBoolean('autoconf', autoconf);
  const own = options.hardwareAddress;
  const address = own === undefined ? null : parseHardware(own);
  const wanted = { name: options.interface, mtu: mtu ?? 0, offload, autoconf };
  return { kind: 'packet', open: async (context) => openPacket(wanted, address, context) };
}

interface Wanted {
  readonly name: string;
  /** 0: the interface's. */
  readonly mtu: number;
  readonly offload: boolean;
  readonly autoconf: boolean;
}

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalidArgType(`options.${name}`, 'of type boolean', value);
}

/** @throws TypeError ERR_INVALID_ARG_VALUE */
function parseHardware(text: unknown): Uint8Array {
  const isText = typeof text === 'string' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text);
  const bytes = Uint8Array.from(isText ? text.split(':') : [], (part) => parseInt(part, 16));
  if (isText && isHostHardware(readHardware(bytes, 0))) return bytes;
  const expected = "must be an address that a host can have, as '02:00:5e:10:00:01'";
  throw invalidArgValue('options.hardwareAddress', text, expected);
}

/** Locally administered, of one host (IEEE 802). */
function randomHardware({ random }: LinkContext): Uint8Array {
  const bytes =
    random === undefined
      ? Uint8Array.from(randomBytes(6))
      : Uint8Array.from({ length: 6 }, () => random.next() >>> 24);
  bytes[0] = (bytes[0] & 0xfc) | 2;
  return bytes;
}

function openPacket(wanted: Wanted, own: Uint8Array | null, context: LinkContext): LinkPort {
  const { name, offload } = wanted;
  const addon = requireNative('the packet link');
  const index = addon.interfaceIndex(name);
  if (index === 0) throw failedCall(Errno.ENODEV, 'if_nametoindex', name);
  const hardwareAddress = own ?? randomHardware(context);
  const io = new DevicePort(addon, context, false, true);
  try {
    const { high, low }: HardwareAddress = readHardware(hardwareAddress, 0);
    const failed = io.device.openPacket(index, Int32Array.of(high, low), offload);
    if (failed < 0) throw openError(failed, name);
    return new PacketPort(addon, io, wanted, hardwareAddress, () => context.host.changed());
  } catch (error) {
    io.close();
    throw error;
  }
}

function openError(errno: number, name: string): Error {
  if (isPermissionErrno(errno)) {
    return permissionError(errno, 'socket', 'the packet link needs CAP_NET_RAW', ['CAP_NET_RAW']);
  }
  const hints: Record<number, string> = {
    [Errno.EADDRINUSE]: `${name} itself has this hardware address`,
    [Errno.EPROTOTYPE]: `${name} is no Ethernet interface`,
  };
  return failedCall(errno, 'socket', hints[-errno] ?? name);
}

class PacketPort extends NativePort implements LinkPort {
  readonly name: string;
  readonly gsoMax: number;
  readonly autoconf: boolean;
  mtu: number;
  isUp: boolean;
  private readonly monitor: NativeMonitor;

  constructor(
    private readonly addon: NativeAddon,
    io: DevicePort,
    private readonly wanted: Wanted,
    readonly hardwareAddress: Uint8Array,
    private readonly onChange: () => void,
  ) {
    super(io);
    this.name = wanted.name;
    this.gsoMax = wanted.offload ? GSO_MAX : 0;
    this.autoconf = wanted.autoconf;
    this.mtu = this.findMtu() || MAX_MTU;
    this.isUp = addon.interfaceIsUp(wanted.name) === 1;
    this.monitor = new addon.Monitor(() => this.look());
    // Without it (a sandbox, perhaps) all stays as it was.
    this.monitor.open();
  }

  private findMtu(): number {
    const actual = this.addon.interfaceMtu(this.name);
    if (actual <= 0) return 0;
    return this.wanted.mtu === 0 ? actual : Math.min(this.wanted.mtu, actual);
  }

  /** Something has changed, perhaps the interface. */
  private look(): void {
    const mtu = this.findMtu() || this.mtu;
    const isUp = this.addon.interfaceIsUp(this.name) === 1;
    if (mtu === this.mtu && isUp === this.isUp) return;
    this.mtu = mtu;
    this.isUp = isUp;
    this.onChange();
  }

  override close(): void {
    this.monitor.close();
    super.close();
  }
}
