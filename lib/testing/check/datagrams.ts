import { load16 } from '../../codec/bytes';
import { isErrorType } from '../../core/icmp/icmp-error';
import { truesize } from '../../core/memory/truesize';
import { isIcmp } from '../../core/segment/kind';
import { IcmpWord, IpProtocol, Word } from '../../core/segment/layout';
import type { DatagramSocket } from '../../core/socket/datagram-socket';
import type { StackCore } from '../../core/stack/stack-core';
import { check } from './violation';

/** The longest packet counts for so much. */
const ONE_MORE = truesize(65_535);
const IPV6_HEADER = 40;
const TOO_BIG = 2;
const PARAMETER_PROBLEM = 4;
const UNKNOWN_OPTION = 2;

/** The largest buffers that sockets have had: what is in them may outlive a smaller option. */
type Limits = WeakMap<DatagramSocket, { receive: number; send: number }>;

/** What a stack holds for UDP, and of fragments, within its limits. */
export class DatagramChecks {
  private readonly limits: Limits = new WeakMap();

  constructor(private readonly core: StackCore) {}

  check(): void {
    const { tcp, ip, counters, datagramSockets, datagramMemory } = this.core;
    for (const socket of datagramSockets) this.socket(socket);
    check(datagramMemory === 0, 'datagrams that have not left');
    const { ipfragHighThresh, ip6fragHighThresh } = tcp.settings;
    const most = ipfragHighThresh + ip6fragHighThresh + 2 * ONE_MORE;
    check(ip.fragmentMemory <= most, 'more fragments than there is room for');
    const { UdpInErrors, UdpRcvbufErrors, UdpInCsumErrors } = counters;
    check(UdpInErrors === UdpRcvbufErrors + UdpInCsumErrors, 'UdpInErrors');
    const { Udp6InErrors, Udp6RcvbufErrors, Udp6InCsumErrors } = counters;
    check(Udp6InErrors === Udp6RcvbufErrors + Udp6InCsumErrors, 'Udp6InErrors');
  }

  private socket(socket: DatagramSocket): void {
    const { receiveBuffer, sendBuffer } = socket.options;
    let limit = this.limits.get(socket);
    if (limit === undefined) this.limits.set(socket, (limit = { receive: 0, send: 0 }));
    limit.receive = Math.max(limit.receive, receiveBuffer);
    limit.send = Math.max(limit.send, sendBuffer);
    check(socket.receiveMemory <= limit.receive + ONE_MORE, 'more unread than SO_RCVBUF');
    check(socket.outgoing.held <= limit.send + ONE_MORE, 'more unsent than SO_SNDBUF');
    check((socket.waiting === 0) === (socket.receiveMemory === 0), 'memory of nothing to be read');
  }
}

/**
 * An ICMP error is never about an ICMP error, nor any fragment but the first, nor what is for many
 * (RFC 1122 §3.2.2; RFC 4443 §2.4 (e), with what is allowed there).
 */
export function checkIcmp(words: Int32Array, quoted: Uint8Array): void {
  if (!isIcmp(words, 0)) return;
  const family = words[Word.Family];
  const kind = words[IcmpWord.Kind];
  if (!isErrorType(family, kind >>> 8)) return;
  const is4 = family === 4;
  const header = is4 ? (quoted[0] & 15) * 4 : IPV6_HEADER;
  check(quoted[0] >> 4 === family && quoted.length >= header, 'an error without what it is about');
  const protocol = quoted[is4 ? 9 : 6];
  const own = is4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
  const isAboutIcmp = protocol === (own as number) && quoted.length > header;
  check(!isAboutIcmp || !isErrorType(family, quoted[header]), 'an ICMP error about an ICMP error');
  if (is4) {
    check((load16(quoted, 6) & 0x1fff) === 0, 'an ICMP error about a later fragment');
    check(quoted[16] >> 4 < 14, 'an ICMP error about what is for many');
    return;
  }
  const isAllowed = kind >>> 8 === TOO_BIG || kind === ((PARAMETER_PROBLEM << 8) | UNKNOWN_OPTION);
  check(isAllowed || quoted[24] !== 0xff, 'an ICMP error about what is for many');
}
