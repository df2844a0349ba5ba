import type { Counters } from '../stack/counters';

/** Linux's counters of ICMPv4 messages that have arrived, by type (RFC 2011). */
const IN4: Readonly<Record<number, keyof Counters>> = {
  0: 'IcmpInEchoReps',
  3: 'IcmpInDestUnreachs',
  4: 'IcmpInSrcQuenchs',
  5: 'IcmpInRedirects',
  8: 'IcmpInEchos',
  11: 'IcmpInTimeExcds',
  12: 'IcmpInParmProbs',
  13: 'IcmpInTimestamps',
  14: 'IcmpInTimestampReps',
  17: 'IcmpInAddrMasks',
  18: 'IcmpInAddrMaskReps',
};

/** Of ICMPv6 messages (RFC 4293). */
const IN6: Readonly<Record<number, keyof Counters>> = {
  1: 'Icmp6InDestUnreachs',
  2: 'Icmp6InPktTooBigs',
  3: 'Icmp6InTimeExcds',
  4: 'Icmp6InParmProblems',
  128: 'Icmp6InEchos',
  129: 'Icmp6InEchoReplies',
  130: 'Icmp6InGroupMembQueries',
  131: 'Icmp6InGroupMembResponses',
  132: 'Icmp6InGroupMembReductions',
  133: 'Icmp6InRouterSolicits',
  134: 'Icmp6InRouterAdvertisements',
  135: 'Icmp6InNeighborSolicits',
  136: 'Icmp6InNeighborAdvertisements',
  137: 'Icmp6InRedirects',
  143: 'Icmp6InMLDv2Reports',
};

/** Linux's counters of ICMPv4 messages that are sent, by type. */
const OUT4: Readonly<Record<number, keyof Counters>> = {
  0: 'IcmpOutEchoReps',
  3: 'IcmpOutDestUnreachs',
  11: 'IcmpOutTimeExcds',
  12: 'IcmpOutParmProbs',
  14: 'IcmpOutTimestampReps',
};

/** Of ICMPv6 messages. */
const OUT6: Readonly<Record<number, keyof Counters>> = {
  1: 'Icmp6OutDestUnreachs',
  2: 'Icmp6OutPktTooBigs',
  3: 'Icmp6OutTimeExcds',
  4: 'Icmp6OutParmProblems',
  129: 'Icmp6OutEchoReplies',
  131: 'Icmp6OutGroupMembResponses',
  132: 'Icmp6OutGroupMembReductions',
  133: 'Icmp6OutRouterSolicits',
  135: 'Icmp6OutNeighborSolicits',
  136: 'Icmp6OutNeighborAdvertisements',
  143: 'Icmp6OutMLDv2Reports',
};

/** Counts a message that the stack sends. */
export function countIcmpOut(counters: Counters, family: 4 | 6, type: number): void {
  if (family === 4) counters.IcmpOutMsgs++;
  else counters.Icmp6OutMsgs++;
  const name = (family === 4 ? OUT4 : OUT6)[type];
  if (name !== undefined) counters[name]++;
}

/**
 * Counts a message that has arrived.
 * @param intact its checksum is right
 * @returns `intact`
 */
export function countIcmp(
  counters: Counters,
  family: 4 | 6,
  type: number,
  intact: boolean,
): boolean {
  const is4 = family === 4;
  if (is4) counters.IcmpInMsgs++;
  else counters.Icmp6InMsgs++;
  if (intact) {
    const name = (is4 ? IN4 : IN6)[type];
    if (name !== undefined) counters[name]++;
  } else if (is4) {
    counters.IcmpInCsumErrors++;
    counters.IcmpInErrors++;
  } else {
    counters.Icmp6InCsumErrors++;
    counters.Icmp6InErrors++;
  }
  return intact;
}
