import type { Paths, PortAuthority } from '../core/environment';
import { formatAddress, type IpAddress } from '../core/ip/address';
import { AddressPaths } from '../core/ip/paths';
import type { NeighborhoodOptions } from '../core/neighbor/neighborhood';
import { FreePorts } from '../core/stack/free-ports';
import type { LinkContext, LinkHost, LinkPort } from '../link/link';
import { memoryLink } from '../link/memory';
import { invalidArgValue } from '../errors';
import type { DriverOptions } from './driver';
import { LoopbackSwitch } from './loopback-switch';
import { parseAddresses, parseRoutes } from './paths';

/** Every stack has these, unless its link brings the host's own. */
const LOOPBACK = ['127.0.0.1/8', '::1/128'];

/** A stack's way to the world, and what its core must know of it. */
export interface OpenedPort {
  port: LinkPort;
  paths: Paths;
  ports: PortAuthority;
  /** Where there is a loopback beside the link: what is inside of it. */
  own?: AddressPaths;
  /** Where the link has hardware addresses. */
  neighborhood?: NeighborhoodOptions;
}

/**
 * Opens the link, and beside it a loopback for what goes to own addresses, unless the link itself
 * knows addresses and ways. Without a link the loopback is all there is.
 *
 * @param outside whom the link tells of what arrives, where it isn't the host of the context
 * @param capacity of the batches that the port is to send, descriptors
 * @throws TypeError ERR_INVALID_ARG_VALUE for a wrong address or route; what the link rejects with
 */
export async function openPort(
  options: DriverOptions,
  context: Omit<LinkContext, 'addresses'>,
  capacity: number,
  outside: LinkHost = context.host,
): Promise<OpenedPort> {
  const { addresses = [], anyAddress = false } = options;
  const prefixes = parseAddresses(addresses);
  const routes = options.routes && parseRoutes(options.routes, prefixes);
  const ports = new FreePorts(...(options.localPortRange ?? []));
  const openLoopback = () =>
    memoryLink().open({ ...context, addresses: [...LOOPBACK, ...addresses] });
  if (options.link === undefined) {
    const port = await openLoopback();
    const paths = new AddressPaths(prefixes, port.mtu, port.mtu, routes, anyAddress);
    return { port, paths, ports };
  }
  const wire = await options.link.open({ ...context, host: outside, addresses, anyAddress });
  try {
    if (wire.paths !== undefined) {
      const reason = `is not for a ${options.link.kind} link, which has the host's`;
      if (addresses.length > 0) throw invalidArgValue('options.addresses', addresses, reason);
      if (routes !== undefined) throw invalidArgValue('options.routes', options.routes, reason);
      if (anyAddress) throw invalidArgValue('options.anyAddress', anyAddress, reason);
      return { port: wire, paths: wire.paths, ports: wire.ports ?? ports };
    }
    const loopback = await openLoopback();
    const { hardwareAddress, autoconf = false } = wire;
    // Where everybody has to be asked for, nobody is taken to be near without a reason.
    const ways = routes ?? (hardwareAddress === undefined ? undefined : []);
    const paths = new AddressPaths(prefixes, wire.mtu, loopback.mtu, ways, anyAddress);
    const port = new LoopbackSwitch(wire, loopback, paths, capacity);
    const opened = { port, paths, ports: wire.ports ?? ports, own: paths };
    if (hardwareAddress === undefined) return opened;
    const onDuplicate = warnOfDuplicate;
    const neighborhood = { hardwareAddress, autoconf, paths, addresses: prefixes, onDuplicate };
    return { ...opened, neighborhood };
  } catch (error) {
    wire.close();
    throw error;
  }
}

function warnOfDuplicate(address: IpAddress): void {
  process.emitWarning(
    `Another host on the link has the stack's address ${formatAddress(address)}.`,
    {
      type: 'NetlandWarning',
      code: 'NETLAND_DUPLICATE_ADDRESS',
    },
  );
}
