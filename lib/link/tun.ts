import { Errno } from '../core/errno';
import {
  type IpAddress,
  type Prefix,
  isIpv4,
  isMulticast,
  isWildcard,
  parsePrefix,
  writeAddress,
} from '../core/ip/address';
import { DevicePort, NativePort } from './device-port';
import { checkInterfaceName } from './interface-name';
import type { Link, LinkContext, LinkPort } from './link';
import { type NativeAddon, type NativeMonitor, requireNative } from './native';
import { isPermissionErrno, permissionError } from './permission';
import { failedCall, invalidArgType, invalidArgValue } from '../errors';
import { checkInteger } from './validate';

export interface TunLinkOptions {
  /** Name of the device; one that exists is attached to. `%d` in it becomes the first free number.
   * Default: 'nl%d'. */
  name?: string;
  /**
   * A file descriptor that is attached to a TUN device, in place of `name`: inherited, say, from a
   * helper that has the privileges. It must have been attached with IFF_NO_PI; without IFF_VNET_HDR
   * there is no offload. It is made non-blocking. Opening takes it over: it is closed with the
   * link; where opening rejects, it stays the program's.
   */
  fd?: number;
  /** The kernel's addresses on the device, as CIDR text; the stack gets others of these networks.
   * Default: none, or what the device has. */
  hostAddresses?: readonly string[];
  /** Networks that the kernel is to reach through the device, as CIDR text, beside those of its
   * addresses. Default: none, or what there is. */
  routes?: readonly string[];
  /** Largest IP packet, 68 to 65535 bytes (IPv6 needs 1280). Default: as it is; a new device has
   * 1500. */
  mtu?: number;
  /**
   * Whether checksums and cutting what is longer than the MTU are left to the kernel, and the same
   * is taken from it: packets of up to 64 KiB pass in both directions. What the kernel doesn't know
   * of it isn't used. Default: true.
   */
  offload?: boolean;
}

/** Largest payload of a super-segment: an IP packet of 65,535 bytes, with all options. */
const GSO_MAX = 65_535 - 20 - 60;

/** Of a device that nothing more is known of. */
const USUAL_MTU = 1500;

/** What a TUN link was made with. */
interface Plan {
  /** A name, or a descriptor. */
  device: string | number;
  addresses: readonly Prefix[];
  routes: readonly Prefix[];
  /** 0: as it is. */
  mtu: number;
  offload: boolean;
}

/**
 * A TUN device: what the kernel routes to it comes to the stack, and the other way round. The
 * device goes away with the link unless it was there before.
 *
 * Making one needs CAP_NET_ADMIN; attaching to one that exists, is up and belongs to the user, or
 * taking over a descriptor, needs nothing, if neither addresses, routes nor an MTU are to be set.
 * Opening rejects with EPERM and what helps.
 *
 * A device that is set down drops what is sent (counted as `sendENETDOWN`) and goes on when it is
 * up again; one that is deleted ends the link.
 *
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function tunLink(options: TunLinkOptions = {}): Link {
  const plan: Plan = {
    device: checkDevice(options),
    addresses: (options.hostAddresses ?? []).map(parseHostAddress),
    routes: (options.routes ?? []).map(parseNetwork),
    mtu: options.mtu ?? 0,
    offload: options.offload ?? true,
  };
  if (options.mtu !== undefined) checkInteger('mtu', options.mtu, 68, 65_535);
  if (typeof plan.offload !== 'boolean') {
    throw invalidArgType('options.offload', 'of type boolean', options.offload);
  }
  let taken = false;
  return {
    kind: 'tun',
    open: async (context) => {
      // The number may be another file's by now.
      if (taken) throw failedCall(Errno.EBADF, 'open', `descriptor ${plan.device} is used up`);
      const port = openTun(plan, context);
      taken = typeof plan.device === 'number';
      return port;
    },
  };
}

/** @throws TypeError ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE */
function checkDevice({ name, fd }: TunLinkOptions): string | number {
  if (fd === undefined) {
    const wanted = name ?? 'nl%d';
    checkInterfaceName('name', wanted);
    return wanted;
  }
  checkInteger('fd', fd, 0, 0x7fff_ffff);
  if (name !== undefined) {
    throw invalidArgValue('options.name', name, "can't be given beside options.fd");
  }
  return fd;
}

/** @throws TypeError ERR_INVALID_ARG_VALUE */
function parseHostAddress(text: string): Prefix {
  const prefix = typeof text === 'string' ? parsePrefix(text) : null;
  if (prefix === null || isWildcard(prefix.address) || isMulticast(prefix.address)) {
    const expected = "must hold addresses with prefix, as '10.0.0.1/24'";
    throw invalidArgValue('options.hostAddresses', text, expected);
  }
  return prefix;
}

/** @throws TypeError ERR_INVALID_ARG_VALUE */
function parseNetwork(text: string): Prefix {
  const prefix = typeof text === 'string' ? parsePrefix(text) : null;
  if (prefix === null || prefix.length < (isIpv4(prefix.address) ? 96 : 0)) {
    throw invalidArgValue('options.routes', text, "must hold networks, as '10.9.0.0/16'");
  }
  return prefix;
}

function openTun(plan: Plan, context: LinkContext): LinkPort {
  const addon = requireNative('the TUN link');
  const io = new DevicePort(addon, context, false);
  try {
    const opened = io.device.openTun(plan.device, plan.offload);
    if (typeof opened === 'number') throw openError(opened, plan.device);
    const [name, offloads] = opened;
    // The device of a descriptor may be in another network namespace: then it is as it is.
    const isHere = typeof plan.device === 'string' || addon.interfaceIndex(name) > 0;
    if (isHere) configure(addon, name, plan);
    const mtu = isHere ? addon.interfaceMtu(name) : plan.mtu || USUAL_MTU;
    if (mtu < 0) throw failedCall(mtu, 'ioctl', name);
    const gsoMax = offloads ? GSO_MAX : 0;
    return new TunPort(addon, io, name, mtu, gsoMax, () => context.host.changed());
  } catch (error) {
    io.close(typeof plan.device === 'number');
    throw error;
  }
}

function configure(addon: NativeAddon, name: string, { addresses, routes, mtu }: Plan): void {
  // Up first: with the addresses come their routes. Nothing is touched that is as it should be.
  const isUp = addon.interfaceIsUp(name) === 1;
  if (!isUp || (mtu > 0 && addon.interfaceMtu(name) !== mtu)) {
    check(addon.setUpInterface(name, mtu), `setting up ${name}`);
  }
  const words = new Int32Array(4);
  for (const { address, length } of addresses) {
    writeAddress(address, words, 0);
    check(addon.addAddress(name, words, bitsOf(address, length)), `an address for ${name}`);
  }
  for (const { address, length } of routes) {
    writeAddress(address, words, 0);
    check(addon.addRoute(name, words, bitsOf(address, length)), `a route through ${name}`);
  }
}

/** The length of a prefix within its family. */
function bitsOf(address: IpAddress, length: number): number {
  return isIpv4(address) ? length - 96 : length;
}

function check(result: number, what: string): void {
  if (result >= 0) return;
  if (isPermissionErrno(result)) throw permissionError(result, 'netlink', what, ['CAP_NET_ADMIN']);
  throw failedCall(result, 'netlink', what);
}

function openError(errno: number, device: string | number): Error {
  if (typeof device === 'number') return descriptorError(errno, device);
  if (errno === -Errno.EPERM) {
    return permissionError(errno, 'open', `the TUN device ${device}`, ['CAP_NET_ADMIN']);
  }
  const hints: Record<number, string> = {
    [Errno.EACCES]: 'this user may not open /dev/net/tun: sudo chmod 0666 /dev/net/tun',
    [Errno.ENOENT]:
      '/dev/net/tun is not there: sudo modprobe tun, or docker run --device /dev/net/tun',
    [Errno.ENODEV]: '/dev/net/tun has no driver: sudo modprobe tun',
    [Errno.EBUSY]: `the device ${device} is in use`,
    [Errno.EINVAL]: `${device} is an interface of another kind`,
  };
  return failedCall(errno, 'open', hints[-errno] ?? device);
}

function descriptorError(errno: number, fd: number): Error {
  const reasons: Record<number, string> = {
    [Errno.EBADF]: 'is not open',
    [Errno.EINVAL]: 'is not attached to a TUN device',
    [Errno.EPROTOTYPE]: 'is a TAP device, which carries Ethernet frames',
    [Errno.EPROTO]: 'was attached without IFF_NO_PI',
  };
  const reason = reasons[-errno] ?? 'cannot be used';
  return failedCall(errno, 'ioctl', `descriptor ${fd} ${reason}`);
}

class TunPort extends NativePort implements LinkPort {
  private readonly monitor: NativeMonitor;

  constructor(
    private readonly addon: NativeAddon,
    io: DevicePort,
    readonly name: string,
    public mtu: number,
    readonly gsoMax: number,
    private readonly onChange: () => void,
  ) {
    super(io);
    this.monitor = new addon.Monitor(() => this.look());
    // Without it (a sandbox, perhaps) the MTU is what it was.
    this.monitor.open();
  }

  /** Something has changed, perhaps the device's MTU. */
  private look(): void {
    const mtu = this.addon.interfaceMtu(this.name);
    if (mtu <= 0 || mtu === this.mtu) return;
    this.mtu = mtu;
    this.onChange();
  }

  override close(): void {
    this.monitor.close();
    super.close();
  }
}
