import { inspect } from 'node:util';
import { formatAddress, readAddress } from '../core/ip/address';
import { messageMtu } from '../core/icmp/icmp-error';
import { FRAGMENT_MASK } from '../codec/headers';
import { isFragment, isIcmp, isTcp } from '../core/segment/kind';
import { Flag, IcmpWord, IpProtocol, MORE_FRAGMENTS, Option, Word } from '../core/segment/layout';
import { type SegmentReference, formatFlags, formatSegment } from './tcpdump';

/** ECN field of the IP header (RFC 3168 §5). */
export type EcnCodepoint = 'not-ect' | 'ect(1)' | 'ect(0)' | 'ce';

/** By the value of the two bits. */
export const ECN_CODEPOINTS: readonly EcnCodepoint[] = ['not-ect', 'ect(1)', 'ect(0)', 'ce'];

/** What an IP packet carries: a name, or the number of any other protocol. */
export type ProtocolName = 'tcp' | 'udp' | 'icmp' | number;

/**
 * A TCP segment in its IP packet, or another packet (`protocol`), as it was when somebody looked at
 * it. What a packet of its protocol doesn't have is 0, false or undefined. Read-only: nothing done
 * to it changes the packet.
 */
export abstract class SegmentView {
  /** The descriptor, a copy. */
  protected readonly words: Int32Array;
  private readonly reference: SegmentReference;

  /**
   * @internal
   * @param words a copy that is the view's
   * @param reference what its numbers are relative to
   */
  constructor(words: Int32Array, reference: SegmentReference) {
    this.words = words;
    this.reference = reference;
  }

  /** Bytes of the IP packet, headers included. */
  abstract get packetLength(): number;

  /** A copy of the payload. */
  abstract get payload(): Buffer;

  /** What of the payload is at hand to be printed, where a message says more there. */
  protected get printed(): Uint8Array | undefined {
    return undefined;
  }

  /** Address of the sender. */
  get source(): string {
    return formatAddress(readAddress(this.words, Word.Source));
  }

  /** Address of the receiver. */
  get destination(): string {
    return formatAddress(readAddress(this.words, Word.Destination));
  }

  get sourcePort(): number {
    return this.words[Word.SourcePort];
  }

  get destinationPort(): number {
    return this.words[Word.DestinationPort];
  }

  /** Of the IP packet. */
  get family(): 4 | 6 {
    return this.words[Word.Family] === 6 ? 6 : 4;
  }

  /** 'icmp' is the ICMP of the packet's own family. A fragment is of the protocol of its whole. */
  get protocol(): ProtocolName {
    const protocol = this.words[Word.Protocol];
    if (protocol === IpProtocol.Tcp) return 'tcp';
    if (protocol === IpProtocol.Udp) return 'udp';
    const own = this.family === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
    return protocol === own ? 'icmp' : protocol;
  }

  /**
   * Of a fragment the place of its payload in that of the whole, bytes, and whether more follow; of
   * any other packet undefined. Ports, flags and all else of the transport header are not known of
   * a fragment: it is among the payload of the first one.
   */
  get fragment(): { offset: number; more: boolean } | undefined {
    if (!isFragment(this.words, 0)) return undefined;
    const field = this.words[Word.Fragment] & FRAGMENT_MASK;
    return { offset: field & ~MORE_FRAGMENTS, more: (field & MORE_FRAGMENTS) !== 0 };
  }

  /** TTL or hop limit. */
  get ttl(): number {
    return this.words[Word.HopLimit];
  }

  get ecn(): EcnCodepoint {
    return ECN_CODEPOINTS[this.words[Word.TrafficClass] & 3];
  }

  /** Sequence number as it stands in the header, 0 to 2^32 - 1. */
  get seq(): number {
    return this.words[Word.Sequence] >>> 0;
  }

  /** Acknowledgment number as it stands in the header, 0 to 2^32 - 1. */
  get ack(): number {
    return this.words[Word.Acknowledgment] >>> 0;
  }

  /** Sequence number counted from the sender's SYN, which is 0; the first byte is 1. */
  get relativeSeq(): number {
    return (this.words[Word.Sequence] - this.reference.sequence) >>> 0;
  }

  /** Acknowledgment number counted from the receiver's SYN; 0 without ACK. */
  get relativeAck(): number {
    if (!this.isAck) return 0;
    return (this.words[Word.Acknowledgment] - this.reference.acknowledgment) >>> 0;
  }

  /** In tcpdump's letters: `S`, `S.`, `P.`, `F.`, `R`, `.`, `none`. */
  get flags(): string {
    return formatFlags(this.flagBits);
  }

  get isSyn(): boolean {
    return this.has(Flag.SYN);
  }

  get isAck(): boolean {
    return this.has(Flag.ACK);
  }

  get isFin(): boolean {
    return this.has(Flag.FIN);
  }

  get isRst(): boolean {
    return this.has(Flag.RST);
  }

  get isPsh(): boolean {
    return this.has(Flag.PSH);
  }

  get isUrg(): boolean {
    return this.has(Flag.URG);
  }

  get isEce(): boolean {
    return this.has(Flag.ECE);
  }

  get isCwr(): boolean {
    return this.has(Flag.CWR);
  }

  /** The window field, not scaled. */
  get window(): number {
    return isTcp(this.words, 0) ? this.words[Word.Window] : 0;
  }

  /** Urgent pointer. */
  get urgent(): number {
    return isTcp(this.words, 0) ? this.words[Word.Urgent] : 0;
  }

  /** Bytes of payload: behind the header of TCP, UDP or ICMP, else behind the IP headers. */
  get length(): number {
    return this.words[Word.PayloadLength];
  }

  /** Maximum segment size option; undefined: not there. */
  get mss(): number | undefined {
    return this.option(Option.Mss, Word.Mss);
  }

  /** Shift count of the window scale option (RFC 7323 §2.2). */
  get windowScale(): number | undefined {
    return this.option(Option.WindowScale, Word.WindowScale);
  }

  /** Whether the SACK-permitted option is there (RFC 2018 §2). */
  get sackPermitted(): boolean {
    return (this.words[Word.Options] & Option.SackPermitted) !== 0;
  }

  /** Edges of the SACK blocks, absolute: the first byte and the one behind the last. */
  get sack(): [left: number, right: number][] {
    const { words } = this;
    if ((words[Word.Options] & Option.Sack) === 0) return [];
    return Array.from({ length: words[Word.SackCount] }, (_, i) => [
      words[Word.Sack + 2 * i] >>> 0,
      words[Word.Sack + 2 * i + 1] >>> 0,
    ]);
  }

  /** Timestamps option: TSval and TSecr (RFC 7323 §3.2). */
  get timestamps(): { value: number; echo: number } | undefined {
    const { words } = this;
    if ((words[Word.Options] & Option.Timestamps) === 0) return undefined;
    return { value: words[Word.TsVal] >>> 0, echo: words[Word.TsEcr] >>> 0 };
  }

  /**
   * Of an ICMP message what it says, and else undefined. Of an error that quotes a segment `seq`
   * and the ports are that one's, `destinationPort` that of its sender; it has no flags.
   */
  get icmp(): { type: number; code: number; mtu?: number } | undefined {
    const { words } = this;
    if (!isIcmp(words, 0)) return undefined;
    const kind = words[IcmpWord.Kind];
    const mtu = messageMtu(words, 0);
    return { type: kind >>> 8, code: kind & 0xff, ...(mtu > 0 && { mtu }) };
  }

  /** As `tcpdump -n -S` prints it: `IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq …`. */
  toString(): string {
    return formatSegment(this.words, 0, { payload: this.printed });
  }

  /** As `tcpdump -n` prints it, its numbers counted from the SYNs. */
  toRelativeString(): string {
    return formatSegment(this.words, 0, { payload: this.printed, relativeTo: this.reference });
  }

  [inspect.custom](): string {
    return `SegmentView <${this.toString()}>`;
  }

  private has(flag: Flag): boolean {
    return (this.flagBits & flag) !== 0;
  }

  /** In another packet than a segment the word means something else. */
  private get flagBits(): number {
    return isTcp(this.words, 0) ? this.words[Word.Flags] : 0;
  }

  private option(option: Option, word: Word): number | undefined {
    return (this.words[Word.Options] & option) === 0 ? undefined : this.words[word];
  }
}
