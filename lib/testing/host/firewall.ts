import { packetLength } from '../../codec/build';
import { icmpError } from '../../codec/build-icmp';
import { Icmp4, Icmp6, Unreachable4, Unreachable6 } from '../../core/icmp/icmp-error';
import { isUnicast, readAddress } from '../../core/ip/address';
import { isUdp } from '../../core/segment/kind';
import { Checksum, Direction, Flag, Word } from '../../core/segment/layout';
import { invalidArgValue } from '../../errors';
import { readPort } from '../../net/arguments';
import { Packet } from '../engine/packet';

/**
 * What becomes of segments for a blocked port: silence, or a RST in answer, or an ICMP error, port
 * unreachable.
 */
export type BlockAction = 'drop' | 'reject' | 'unreachable';

const ACTIONS: readonly BlockAction[] = ['drop', 'reject', 'unreachable'];
const oneOf = ([a, b, c]: readonly string[]): string => `'${a}', '${b}' or '${c}'`;

/** Linux's net.ipv4.ip_default_ttl. */
const TTL = 64;

/** Stands before a host's TCP and UDP, as the input chain of nftables does. */
export class Firewall {
  private readonly rules = new Map<number, BlockAction>();

  /**
   * Blocks a local port for all that comes to it, connections that there are included.
   * @throws RangeError ERR_SOCKET_BAD_PORT, TypeError ERR_INVALID_ARG_VALUE
   */
  block(port: number, action: BlockAction): void {
    const number = readPort(port, 'port');
    if (!ACTIONS.includes(action)) {
      throw invalidArgValue('action', action, `must be ${oneOf(ACTIONS)}`);
    }
    this.rules.set(number, action);
  }

  /**
   * Lets all pass again.
   * @returns whether the port was blocked
   * @throws RangeError ERR_SOCKET_BAD_PORT
   */
  unblock(port: number): boolean {
    return this.rules.delete(readPort(port, 'port'));
  }

  /** What happens to a packet that has arrived. */
  judge(packet: Packet): 'accept' | BlockAction {
    if (this.rules.size === 0) return 'accept';
    if (!packet.isSegment && !isUdp(packet.words, 0)) return 'accept';
    return this.rules.get(packet.words[Word.DestinationPort]) ?? 'accept';
  }
}

/**
 * The RST that a rejected segment is answered with (RFC 9293 §3.10.7.1), as that of nftables'
 * `reject with tcp reset`.
 * @returns null where there is none: for a RST, and for a packet whose checksum is wrong
 */
export function resetFor(packet: Packet): Packet | null {
  const { words } = packet;
  const flags = words[Word.Flags];
  if ((flags & Flag.RST) !== 0 || packet.spoilt !== null) return null;
  const reset = new Packet();
  const to = reset.words;
  to[Word.Family] = words[Word.Family];
  to[Word.Protocol] = words[Word.Protocol];
  to[Word.Checksum] = Checksum.Verified;
  to[Word.Direction] = Direction.In;
  to[Word.HopLimit] = TTL;
  for (let i = 0; i < 4; i++) {
    to[Word.Source + i] = words[Word.Destination + i];
    to[Word.Destination + i] = words[Word.Source + i];
  }
  to[Word.SourcePort] = words[Word.DestinationPort];
  to[Word.DestinationPort] = words[Word.SourcePort];
  if ((flags & Flag.ACK) !== 0) {
    to[Word.Sequence] = words[Word.Acknowledgment];
    to[Word.Flags] = Flag.RST;
  } else {
    const numbers = ((flags & Flag.SYN) >> 1) + (flags & Flag.FIN);
    const end = words[Word.Sequence] + words[Word.PayloadLength] + numbers;
    to[Word.Acknowledgment] = end;
    to[Word.Flags] = Flag.RST | Flag.ACK;
  }
  reset.length = packetLength(to, 0);
  to[Word.PacketLength] = reset.length;
  return reset;
}

/**
 * The ICMP error that it is answered with instead, as that of nftables' `reject`.
 * @returns null where there is none: for a RST, and for a packet whose checksum is wrong
 */
export function unreachableFor(packet: Packet): Packet | null {
  const { words } = packet;
  if (packet.spoilt !== null || !isUnicast(readAddress(words, Word.Destination))) return null;
  if (packet.isSegment && (words[Word.Flags] & Flag.RST) !== 0) return null;
  const is4 = words[Word.Family] === 4;
  const message = is4
    ? { type: Icmp4.Unreachable, code: Unreachable4.Port }
    : { type: Icmp6.Unreachable, code: Unreachable6.Port };
  return Packet.ofIcmp(icmpError(readAddress(words, Word.Destination), packet.bytes(), message));
}
