import { Errno } from '../core/errno';
import { DevicePort, NativePort } from './device-port';
import { DatagramPorts } from './datagram-ports';
import { GuardPorts } from './guard-ports';
import { HostPaths } from './host-paths';
import { checkInterfaceName } from './interface-name';
import type { Link, LinkContext, LinkCounters, LinkPort } from './link';
import { GuardForm, type NativeAddon, requireNative } from './native';
import { isPermissionErrno, permissionError } from './permission';
import { failedCall, invalidArgValue } from '../errors';
import { checkInteger } from './validate';

export interface RawLinkOptions {
  /** Interface that everything comes in and goes out through (SO_BINDTODEVICE). Default: any. */
  device?: string;
  /** Through which sockets packets leave. 'packet': where the kernel's routes and neighbour table
   * know the next hop's hardware address, in frames through a packet socket, which takes many
   * segments at once (GSO). These pass by the host's netfilter and IPsec: its output rules don't
   * hold for them, and a stateful firewall drops the answers, whose connections it doesn't know.
   * All else leaves through raw sockets as ever (loopback, what goes to many, interfaces other than
   * Ethernet, neighbours not yet resolved); the counters `viaPacketSocket` and `viaRawSocket` tell.
   * Default: 'raw'. */
  send?: 'raw' | 'packet';
  /** How port guards stay silent: by a socket filter (needs CAP_NET_ADMIN), or by a TCP MD5 key.
   * Default: the first of them that works. */
  guard?: 'filter' | 'md5';
  ports?: {
    /** Ephemeral ports that are guarded at a time, 1 to 4096; each holds a file descriptor.
     * Default: 256. */
    block?: number;
    /** Ephemeral ports of each family at most, 1 to 65535. Default: 16384, and never more than
     * half of the file descriptors that the process may have, both families together. */
    max?: number;
    /** First and last port to choose from. Default: above the kernel's own range, then below it,
     * then in it. */
    range?: readonly [first: number, last: number];
  };
  /** Interfaces from which a segment is taken for right whose checksum field holds only the sum of
   * the pseudo-header, as peers on the same host and NICs with GRO leave it. Default: all. */
  partialChecksums?: readonly string[];
}

const FAMILIES = [4, 6] as const;

type Family = (typeof FAMILIES)[number];

/** The largest IP packet there is: lo's MTU. */
const MAX_PACKET = 65_536;

/** Largest payload of a super-segment: an IP packet of 65,535 bytes, with all options. */
const GSO_MAX = 65_535 - 20 - 60;

const FORMS = { filter: GuardForm.Filter, md5: GuardForm.Md5 } as const;

/**
 * TCP and UDP on the host's own addresses through raw sockets, beside the kernel's. The kernel's
 * own connections, listeners and sockets are left alone: every local port that is used is guarded
 * first, and nothing else comes in, but ICMP errors about what was sent from there. All else of
 * ICMP, and IGMP, is the kernel's. A datagram socket never shares a port with one of the kernel's,
 * whatever its options.
 *
 * Opening needs CAP_NET_RAW (the first datagram socket that is bound needs it once more), and
 * CAP_NET_ADMIN unless the kernel knows TCP MD5 keys; it rejects with EPERM and what helps. Ports
 * below 1024 need CAP_NET_BIND_SERVICE.
 *
 * @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE for wrong options
 */
export function rawLink(options: RawLinkOptions = {}): Link {
  checkOptions(options);
  return { kind: 'raw', open: async (context) => openRaw(options, context) };
}

function checkOptions(options: RawLinkOptions): void {
  const { device, send, guard, ports = {}, partialChecksums = [] } = options;
  if (send !== undefined && send !== 'raw' && send !== 'packet') {
    throw invalidArgValue('options.send', send, "must be 'raw' or 'packet'");
  }
  if (device !== undefined) checkInterfaceName('device', device);
  if (guard !== undefined && !Object.hasOwn(FORMS, guard)) {
    throw invalidArgValue('options.guard', guard, "must be 'filter' or 'md5'");
  }
  if (ports.block !== undefined) checkInteger('ports.block', ports.block, 1, 4096);
  if (ports.max !== undefined) checkInteger('ports.max', ports.max, 1, 0xffff);
  if (ports.range !== undefined) {
    checkInteger('ports.range[0]', ports.range[0], 1, 0xffff);
    checkInteger('ports.range[1]', ports.range[1], ports.range[0], 0xffff);
  }
  for (const name of partialChecksums) checkInterfaceName('partialChecksums', name);
}

function openRaw(options: RawLinkOptions, context: LinkContext): LinkPort {
  const addon = requireNative('the raw link');
  const io = new DevicePort(addon, context, true);
  try {
    const families = FAMILIES.filter((family) => openSocket(io, family, options.device ?? ''));
    if (families.length === 0) throw failedCall(Errno.EAFNOSUPPORT, 'socket');
    if (options.send === 'packet') openFrames(addon, io, options.device);
    const form = chooseForm(addon, families, options.guard);
    if (options.partialChecksums !== undefined) {
      const indexes = options.partialChecksums.map((name) => interfaceIndex(addon, name));
      io.device.allowPartial(Int32Array.from(indexes));
    }
    return new RawPort(addon, io, options, families, form, () => context.host.changed());
  } catch (error) {
    io.close();
    throw error;
  }
}

/** False where the host has no such family. */
function openSocket(io: DevicePort, family: Family, device: string): boolean {
  const failed = io.device.openRaw(family, device);
  if (failed === 0) return true;
  if (failed === -Errno.EAFNOSUPPORT) return false;
  if (isPermissionErrno(failed)) {
    const what = 'the raw link needs CAP_NET_RAW';
    throw permissionError(failed, 'socket', what, ['CAP_NET_RAW', 'CAP_NET_ADMIN']);
  }
  throw failedCall(failed, 'socket', device);
}

function openFrames(addon: NativeAddon, io: DevicePort, device: string | undefined): void {
  const failed = io.device.openFrames(device === undefined ? 0 : interfaceIndex(addon, device));
  if (failed === 0) return;
  if (isPermissionErrno(failed)) {
    const what = 'a packet socket needs CAP_NET_RAW';
    throw permissionError(failed, 'socket', what, ['CAP_NET_RAW']);
  }
  throw failedCall(failed, 'socket', 'AF_PACKET');
}

/** The form of guard that works in every family. */
function chooseForm(
  addon: NativeAddon,
  families: readonly Family[],
  wanted: RawLinkOptions['guard'],
): GuardForm {
  const candidates = wanted === undefined ? Object.values(FORMS) : [FORMS[wanted]];
  let failure = 0;
  for (const form of candidates) {
    const failed = families
      .map((family) => addon.probeGuard(family, form))
      .find((each) => each < 0);
    if (failed === undefined) return form;
    if (failed === -Errno.EMFILE || failed === -Errno.ENFILE) throw failedCall(failed, 'socket');
    // What the filter wants is the better remedy than what MD5 keys want.
    failure ||= failed;
  }
  const what = 'port guards are not possible';
  if (isPermissionErrno(failure)) {
    throw permissionError(failure, 'setsockopt', what, ['CAP_NET_ADMIN', 'CAP_NET_RAW']);
  }
  throw failedCall(failure, 'setsockopt', what);
}

function interfaceIndex(addon: NativeAddon, name: string): number {
  const index = addon.interfaceIndex(name);
  if (index === 0) throw failedCall(Errno.ENODEV, 'if_nametoindex', name);
  return index;
}

class RawPort extends NativePort implements LinkPort {
  readonly name: string;
  readonly mtu = MAX_PACKET;
  readonly gsoMax: number;
  readonly paths: HostPaths;
  readonly ports: GuardPorts;
  readonly udpPorts: DatagramPorts;
  readonly groups: DatagramPorts;

  constructor(
    private readonly addon: NativeAddon,
    io: DevicePort,
    options: RawLinkOptions,
    families: readonly Family[],
    form: GuardForm,
    onChange: () => void,
  ) {
    super(io);
    const device = options.device ?? '';
    this.name = device === '' ? 'raw' : device;
    this.gsoMax = options.send === 'packet' ? GSO_MAX : 0;
    this.ports = new GuardPorts(addon, io.device, {
      form,
      protocol: 6,
      device,
      families,
      block: options.ports?.block ?? 256,
      max: options.ports?.max ?? 16_384,
      range: options.ports?.range ?? null,
    });
    this.paths = new HostPaths(addon, device, onChange);
    this.udpPorts = this.groups = new DatagramPorts(
      addon,
      io.device,
      { device, families, range: options.ports?.range ?? null },
      (words) => this.paths.interfaceOf(words),
    );
  }

  /** Packets by what became of them; `guards` are the port guards that are open, `hostChanges` how
   * often links, addresses or routes of the host have changed. */
  override get counters(): LinkCounters {
    const counters = super.counters;
    counters.guards = this.ports.count + this.udpPorts.count;
    counters.hostChanges = this.paths.changes;
    const seen = this.io.device.partialSeen();
    for (let i = 0; i < seen.length; i += 2) {
      const name = this.addon.interfaceName(seen[i]) || String(seen[i]);
      counters[`partialChecksum.${name}`] = seen[i + 1];
    }
    return counters;
  }

  override close(): void {
    // First nothing comes in, then the kernel may answer.
    super.close();
    this.ports.close();
    this.udpPorts.close();
    this.paths.close();
  }
}
