import type { Report } from './conversation';
import { patternDigest } from './pattern';
import type { Family, Wire } from './wires';

export type Way = 'kernel to us' | 'us to kernel';
export const WAYS: readonly Way[] = ['kernel to us', 'us to kernel'];

/** Who connects. */
export type Opener = 'ours' | 'kernel';

/** Both ends of a transfer that is over. */
export interface Transfer {
  ours: Report;
  kernel: Report;
}

const CLEAN = ['connect', 'close', 'end', 'finish'];

/**
 * Sends bytes over a connection of its own, closes it in order and checks that the very bytes have
 * arrived.
 */
export async function transfer(
  wire: Wire,
  family: Family,
  way: Way,
  bytes: number,
  opener: Opener = 'ours',
): Promise<Transfer> {
  const toUs = way === 'kernel to us';
  const ourPlan = toUs ? { end: 'peer' as const } : { send: bytes };
  const kernelPlan = toUs ? { send: bytes } : { end: 'peer' as const };
  const weOpen = opener === 'ours';
  const [from, to] = weOpen ? [wire.ours, wire.kernel] : [wire.kernel, wire.ours];
  const address = weOpen ? wire.kernelAddress[family] : wire.ourAddress[family];
  const listener = await to.listen(address, 0, weOpen ? kernelPlan : ourPlan);
  const connected = await from.connect(address, listener.port, weOpen ? ourPlan : kernelPlan);
  const first = await connected.closed();
  const second = await (await listener.accepted(0)).closed();
  await listener.close();

  const [ours, kernel] = weOpen ? [first, second] : [second, first];
  const [sender, receiver] = toUs ? [kernel, ours] : [ours, kernel];
  expect([...sender.events].sort()).toEqual([...CLEAN].sort());
  expect([...receiver.events].sort()).toEqual([...CLEAN].sort());
  expect(receiver.received).toBe(bytes);
  expect(receiver.digest).toBe(patternDigest(1, bytes));
  return { ours, kernel };
}
