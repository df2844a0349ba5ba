import { Errno } from '../core/errno';
import {
  type Prefix,
  isIpv4,
  isMulticast,
  isWildcard,
  parsePrefix,
  writeAddress,
} from '../core/ip/address';
import type { SegmentBatch } from '../core/segment/batch';
import { DevicePort } from './device-port';
import { checkInterfaceName } from './interface-name';
import type { Link, LinkContext, LinkCounters, LinkPort } from './link';
import { type NativeAddon, type NativeMonitor, requireNative } from './native';
import { isPermissionErrno, permissionError } from './permission';
import { failedCall, invalidArgType, invalidArgValue } from '../errors';
import { checkInteger } from './validate';

export interface TunLinkOptions {
  /** Name of the device; one that exists is attached to. `%d` in it becomes the first free number.
   * Default: 'nl%d'. */
  name?: string;
  /** The kernel's addresses on the device, as CIDR text; the stack gets others of these networks.
   * Default: none, or what the device has. */
  hostAddresses?: readonly string[];
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

/**
 * A TUN device: what the kernel routes to it comes to the stack, and the other way round. The
 * device goes away with the link unless it was there before.
 *
 * Making one needs CAP_NET_ADMIN; attaching to one that exists, is up and belongs to the user
 * needs nothing, if neither addresses nor an MTU are to be set. Opening rejects with EPERM and
 * what helps.
 *
 * A device that is set down drops what is sent (counted as `sendENETDOWN`) and goes on when it is
 * up again; one that is deleted ends the link.
 *
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function tunLink(options: TunLinkOptions = {}): Link {
  const name = options.name ?? 'nl%d';
  checkInterfaceName('name', name);
  if (options.mtu !== undefined) checkInteger('mtu', options.mtu, 68, 65_535);
  const offload = options.offload ?? true;
  if (typeof offload !== 'boolean')
    throw invalidArgType('options.offload', 'of type boolean', offload);
  const addresses = (options.hostAddresses ?? []).map(parseHostAddress);
  return {
    kind: 'tun',
    open: async (context) => openTun(name, addresses, options.mtu ?? 0, offload, context),
  };
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

function openTun(
  wanted: string,
  addresses: readonly Prefix[],
  mtu: number,
  offload: boolean,
  context: LinkContext,
): LinkPort {
  const addon = requireNative('the TUN link');
  const io = new DevicePort(addon, context, false);
  try {
    const opened = io.device.openTun(wanted, offload);
    if (typeof opened === 'number') throw openError(opened, wanted);
    const [name, offloads] = opened;
    configure(addon, name, addresses, mtu);
    const actual = addon.interfaceMtu(name);
    if (actual < 0) throw failedCall(actual, 'ioctl', name);
    const gsoMax = offloads ? GSO_MAX : 0;
    return new TunPort(addon, io, name, actual, gsoMax, () => context.host.changed());
  } catch (error) {
    io.close();
    throw error;
  }
}

function configure(
  addon: NativeAddon,
  name: string,
  addresses: readonly Prefix[],
  mtu: number,
): void {
  // Up first: with the addresses come their routes. Nothing is touched that is as it should be.
  if (mtu > 0 || addon.interfaceIsUp(name) !== 1) {
    check(addon.setUpInterface(name, mtu), `setting up ${name}`);
  }
  const words = new Int32Array(4);
  for (const { address, length } of addresses) {
    writeAddress(address, words, 0);
    const bits = isIpv4(address) ? length - 96 : length;
    check(addon.addAddress(name, words, bits), `an address for ${name}`);
  }
}

function check(result: number, what: string): void {
  if (result >= 0) return;
  if (isPermissionErrno(result)) throw permissionError(result, 'netlink', what, ['CAP_NET_ADMIN']);
  throw failedCall(result, 'netlink', what);
}

function openError(errno: number, name: string): Error {
  if (errno === -Errno.EPERM) {
    return permissionError(errno, 'open', `the TUN device ${name}`, ['CAP_NET_ADMIN']);
  }
  const hints: Record<number, string> = {
    [Errno.EACCES]: 'this user may not open /dev/net/tun: sudo chmod 0666 /dev/net/tun',
    [Errno.ENOENT]:
      '/dev/net/tun is not there: sudo modprobe tun, or docker run --device /dev/net/tun',
    [Errno.ENODEV]: '/dev/net/tun has no driver: sudo modprobe tun',
    [Errno.EBUSY]: `the device ${name} is in use`,
    [Errno.EINVAL]: `${name} is an interface of another kind`,
  };
  return failedCall(errno, 'open', hints[-errno] ?? name);
}

class TunPort implements LinkPort {
  private readonly monitor: NativeMonitor;

  constructor(
    private readonly addon: NativeAddon,
    private readonly io: DevicePort,
    readonly name: string,
    public mtu: number,
    readonly gsoMax: number,
    private readonly onChange: () => void,
  ) {
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

  /** Packets by what became of them. */
  get counters(): LinkCounters {
    return this.io.counters();
  }

  transmit(batch: SegmentBatch): boolean {
    return this.io.transmit(batch);
  }

  ref(): void {
    this.io.device.keepAlive(true);
  }

  unref(): void {
    this.io.device.keepAlive(false);
  }

  close(): void {
    this.monitor.close();
    this.io.close();
  }
}
