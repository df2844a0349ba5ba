import type { Listener, Side } from '../../interop/support/side';
import { until } from '../../support/until';
import type { End } from '../../interop/support/side';
import type { Plan } from '../../interop/support/conversation';
import { type Family, RAW_VETH, type Wire } from '../../interop/support/wires';
import { hasNamespaces, type Namespace } from '../../support/netns';
import { hasCommand } from '../../support/skip';

/** Our stack and the kernel's are on the two ends of a veth cable. */
export const canTell = (): boolean =>
  hasNamespaces() &&
  hasCommand('nft') &&
  hasCommand('ss') &&
  hasCommand('nstat') &&
  hasCommand('python3');
export const NEEDS = 'root, network namespaces, nft, ss, nstat and python3';

/** TIME-WAIT of ours is short, so that ports don't wait for a minute. */
export const openWire = (): Promise<Wire> => RAW_VETH.open({ trace: true, tcp: { msl: 500 } });

const TABLE = 'inet netland_story';

/**
 * Sets a rule of nftables for all that comes to a namespace or leaves it.
 * @returns takes it away
 */
export async function filter(
  namespace: Namespace,
  hook: 'input' | 'output',
  rule: string,
): Promise<() => Promise<void>> {
  const chain = `add chain ${TABLE} ${hook} { type filter hook ${hook} priority 0; }`;
  await namespace.run('nft', `add table ${TABLE}; ${chain}; add rule ${TABLE} ${hook} ${rule}`);
  return async () => void (await namespace.run('nft', `delete table ${TABLE}`));
}

/** States that the kernel's `ss` has for sockets on one of its ports, listeners apart. */
export async function kernelStates({ kernelIn }: Wire, port: number): Promise<string[]> {
  const { stdout } = await kernelIn.run('ss', '-Htan', 'sport', String(port));
  const states = stdout.split('\n').map((line) => line.split(' ')[0]);
  return states.filter((state) => state !== '' && state !== 'LISTEN');
}

/** Waits until the kernel has just these. */
export async function kernelComesTo(wire: Wire, port: number, expected: string[]): Promise<void> {
  await until(
    () => kernelStates(wire, port),
    (states) => states.join() === expected.join(),
  );
}

/** Lines of our trace for the peer's port: a segment, and our state with it. */
export async function linesOf(side: Side, port: number): Promise<string[]> {
  const trace = await side.trace();
  return trace.filter((line) => new RegExp(`\\.${port}[ :]`).test(line));
}

/** The states that our connection has gone through, until it has come to the last one. */
export async function statesTo(side: Side, port: number, last: string): Promise<string[]> {
  const lines = await until(
    () => linesOf(side, port),
    (all) => all.at(-1)?.endsWith(` ${last}`) === true,
  );
  const states = lines.map((line) => line.slice(line.lastIndexOf(' ') + 1));
  return states.filter((state, i) => state !== states[i - 1]);
}

/** Flags of the segments of a connection in their order: `ours S`, `kernel S.`, `ours .`. */
export async function flagsOf(side: Side, port: number): Promise<string[]> {
  return (await linesOf(side, port)).map((line) => {
    const from = new RegExp(`\\.${port} >`).test(line) ? 'kernel' : 'ours';
    return `${from} ${/Flags \[(.*?)\]/.exec(line)?.[1]}`;
  });
}

/** Both ends of a connection that we have opened to a listener of the kernel's. */
export interface Pair {
  ours: End;
  kernels: End;
  listener: Listener;
  port: number;
}

/** Opens one; whose side ends is told by the story, unless a plan says otherwise. */
export async function connectPair(
  wire: Wire,
  { family = 4, side = wire.ours, peer = wire.kernel, plan = {} }: PairOptions = {},
): Promise<Pair> {
  const address = wire.kernelAddress[family];
  const listener = await peer.listen(address, 0, { end: 'told', ...plan });
  const ours = await side.connect(address, listener.port, { end: 'told' });
  await ours.opened();
  return { ours, kernels: await listener.accepted(0), listener, port: listener.port };
}

export interface PairOptions {
  family?: Family;
  /** Instead of `wire.ours`. */
  side?: Side;
  /** Instead of `wire.kernel`. */
  peer?: Side;
  /** The peer's. */
  plan?: Plan;
}

/** Waits until an end has received so many bytes. */
export async function has(end: End, bytes: number): Promise<void> {
  await until(
    () => end.report(),
    ({ received }) => received >= bytes,
  );
}

/** Waits until an end has seen an event. */
export async function sees(end: End, event: string): Promise<void> {
  await until(
    () => end.report(),
    ({ events }) => events.includes(event),
  );
}
