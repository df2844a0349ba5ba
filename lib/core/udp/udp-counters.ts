import type { Counters } from '../stack/counters';

/** What is counted of UDP, by Linux's names, for each family. */
interface UdpNames {
  readonly inDatagrams: keyof Counters;
  readonly noPorts: keyof Counters;
  readonly inErrors: keyof Counters;
  readonly outDatagrams: keyof Counters;
  readonly rcvbufErrors: keyof Counters;
  readonly sndbufErrors: keyof Counters;
  readonly csumErrors: keyof Counters;
  readonly ignoredMulti: keyof Counters;
}

const NAMES4: UdpNames = {
  inDatagrams: 'UdpInDatagrams',
  noPorts: 'UdpNoPorts',
  inErrors: 'UdpInErrors',
  outDatagrams: 'UdpOutDatagrams',
  rcvbufErrors: 'UdpRcvbufErrors',
  sndbufErrors: 'UdpSndbufErrors',
  csumErrors: 'UdpInCsumErrors',
  ignoredMulti: 'UdpIgnoredMulti',
};

const NAMES6: UdpNames = {
  inDatagrams: 'Udp6InDatagrams',
  noPorts: 'Udp6NoPorts',
  inErrors: 'Udp6InErrors',
  outDatagrams: 'Udp6OutDatagrams',
  rcvbufErrors: 'Udp6RcvbufErrors',
  sndbufErrors: 'Udp6SndbufErrors',
  csumErrors: 'Udp6InCsumErrors',
  ignoredMulti: 'Udp6IgnoredMulti',
};

export function countUdp(counters: Counters, is4: boolean, what: keyof UdpNames): void {
  counters[(is4 ? NAMES4 : NAMES6)[what]]++;
}
