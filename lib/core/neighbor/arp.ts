import { isLoopback, isMulticast, isWildcard, readAddress, sameAddress } from '../ip/address';
import { ArpWord, IcmpWord, Option, Word } from '../segment/layout';
import { isHostHardware, sameHardware, type HardwareAddress } from './hardware-address';
import type { Host } from './host';
import { ArpOperation, sendArp } from './messages';
import { NeighborState } from './neighbor';
import type { NeighborNews } from './neighbor-table';
import type { OwnHostAddresses } from './own-addresses';

/** µs */
const MS = 1000;

/**
 * An ARP packet has arrived (RFC 826; RFC 1122 §2.3.2; Linux: arp_process). A neighbour is made of
 * who asks for us; of others only what is known already is corrected.
 */
export function arpArrives(
  host: Host,
  addresses: OwnHostAddresses,
  words: Int32Array,
  base: number,
  now: number,
): void {
  const operation: ArpOperation = words[base + IcmpWord.Kind];
  if (operation !== ArpOperation.Request && operation !== ArpOperation.Reply) return;
  const hardware = {
    high: words[base + ArpWord.SenderHigh],
    low: words[base + ArpWord.SenderLow],
  };
  if (!isHostHardware(hardware) || sameHardware(hardware, host.hardware)) return;
  const sender = readAddress(words, base + Word.Source);
  const target = readAddress(words, base + Word.Destination);
  if (isMulticast(target) || isLoopback(target)) return;
  const isForUs = operation === ArpOperation.Request && host.paths.isLocal(target);
  if (isWildcard(sender)) {
    // Somebody wants to know whether the address is free (RFC 5227 §2.1.1).
    if (isForUs) sendArp(host, ArpOperation.Reply, target, sender, hardware);
    return;
  }
  const own = addresses.find(sender);
  if (own !== null) {
    addresses.duplicate(own, now);
    return;
  }
  if (!isUnicastSender(host, words, base)) return;
  const { arp, settings } = host;
  if (isForUs) {
    const asking = arp.make(sender, now);
    if (asking !== null) arp.learn(asking, heard(hardware), now);
    sendArp(host, ArpOperation.Reply, target, sender, hardware);
    return;
  }
  const known = arp.find(sender);
  if (known === null) return;
  const isGratuitous = sameAddress(sender, target);
  const isToUs = (words[base + Word.Options] & Option.LinkMulticast) === 0;
  const isAnswer = operation === ArpOperation.Reply && isToUs && !isGratuitous;
  arp.learn(
    known,
    {
      hardware,
      state: isAnswer ? NeighborState.Reachable : NeighborState.Stale,
      override: isGratuitous || now > known.updated + settings.lockTime * MS,
      weakOverride: false,
    },
    now,
  );
}

/** It has spoken, which doesn't say that it hears. */
function heard(hardware: HardwareAddress): NeighborNews {
  return { hardware, state: NeighborState.Stale, override: true, weakOverride: false };
}

function isUnicastSender({ paths }: Host, words: Int32Array, base: number): boolean {
  const sender = readAddress(words, base + Word.Source);
  if (isMulticast(sender) || isLoopback(sender) || sender.w3 === -1) return false;
  return !paths.isBroadcast(sender);
}
