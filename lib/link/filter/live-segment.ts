import { packetLength } from '../../codec/build';
import { mostQuoted } from '../../codec/build-icmp';
import { Icmp4, Icmp6, isErrorType } from '../../core/icmp/icmp-error';
import { isMulticast, readAddress } from '../../core/ip/address';
import type { SegmentBatch } from '../../core/segment/batch';
import { isIcmp } from '../../core/segment/kind';
import {
  Direction,
  Flag,
  IcmpWord,
  IpProtocol,
  SLICE_WORDS,
  Word,
} from '../../core/segment/layout';
import { codeError, invalidArgValue } from '../../errors';
import type { PacketBytes } from '../../observe/packet-bytes';
import { SegmentView } from '../../observe/segment-view';
import type { SegmentReference } from '../../observe/tcpdump';
import { type SegmentFields, writeFields } from './fields';

/** Of the packets that a filter sends. */
const HOP_LIMIT = 64;
/** Words of the two addresses, which an answer has the other way round. */
const ADDRESS = 4;

/** Why a packet is rejected: code of "unreachable" in ICMPv4 and ICMPv6 (RFC 1812, RFC 4443). */
const REASONS = { port: [3, 4], host: [1, 3], prohibited: [13, 1] } as const;

export type RejectReason = keyof typeof REASONS;

/** A packet to be sent in the place of another one, or as an answer. */
export interface Draft {
  /** Its descriptor, but for the place of the payload. */
  readonly words: Int32Array;
  /** Null: the payload of the segment that the filter has seen. */
  readonly payload: Uint8Array | null;
}

/**
 * A packet that passes a live link, as it was when it came to the filter, or has been changed to: a
 * TCP segment, a datagram, an ICMP message, any other (`protocol`). It may be kept, but only within
 * the call it can be changed and answered, and its payload be read.
 */
export class LiveSegment extends SegmentView {
  /** @internal */
  readonly answers: Draft[] = [];
  private changedPayload: Uint8Array | null = null;
  private isChanged = false;
  private batch: SegmentBatch | null;

  /** @internal */
  constructor(
    batch: SegmentBatch,
    private readonly index: number,
    private readonly direction: Direction,
    private readonly slabs: readonly Uint8Array[],
    private readonly bytes: PacketBytes,
    reference: SegmentReference,
  ) {
    const base = batch.base(index);
    super(batch.words.slice(base, base + Word.Stride), reference);
    this.batch = batch;
  }

  /** Bytes of the IP packet, headers included. */
  override get packetLength(): number {
    const { words } = this;
    const received = this.direction === Direction.In && !this.isChanged;
    return received ? words[Word.PacketLength] : packetLength(words, 0);
  }

  /**
   * A copy of the payload.
   * @throws Error ERR_INVALID_STATE when the call of the filter is over
   */
  override get payload(): Buffer {
    const { words, slabs } = this;
    const batch = this.within();
    if (this.changedPayload !== null) return Buffer.from(this.changedPayload);
    if (this.direction === Direction.In) {
      const start = words[Word.PayloadOffset];
      const bytes = slabs[words[Word.Slab]];
      return Buffer.from(bytes.subarray(start, start + words[Word.PayloadLength]));
    }
    const parts: Uint8Array[] = [];
    let at = batch.sliceBase(batch.base(this.index));
    for (let n = words[Word.SliceCount]; n > 0; n--, at += SLICE_WORDS) {
      const offset = batch.slices[at + 1];
      const bytes = slabs[batch.slices[at]];
      parts.push(bytes.subarray(offset, offset + batch.slices[at + 2]));
    }
    return Buffer.concat(parts);
  }

  /**
   * Sets fields: what passes is a packet with these, and the right checksums (of UDP over IPv4 none
   * where there was none). One that is received loses IP options and extension headers, and options
   * of TCP that the names don't cover, but for SACK. Of an ICMP message the payload is what follows
   * the first 8 bytes: of an error, the packet that it quotes.
   *
   * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE (also for what packets of this
   *   protocol don't have); RangeError ERR_OUT_OF_RANGE; Error ERR_INVALID_STATE when the call of
   *   the filter is over, and of a fragment or an IPv6 packet that can't be read to its end
   */
  change(fields: SegmentFields): void {
    this.checkIsWhole();
    const words = this.words.slice();
    writeFields(words, fields);
    this.words.set(words);
    if (fields.payload !== undefined) this.changedPayload = Uint8Array.from(fields.payload);
    this.isChanged = true;
  }

  /**
   * Sends a segment or a datagram back, as if it came from whom this one is for; this filter
   * doesn't see it. What is not named: addresses and ports are those of this one the other way
   * round, `ttl` is 64, `flags` is `.`, `seq` what this one acknowledges, `ack` what comes after
   * it, all else 0 or nothing.
   *
   * @throws as `change`; ERR_INVALID_STATE also of what is neither TCP nor UDP
   */
  answer(fields: SegmentFields = {}): void {
    this.checkIsWhole();
    const { words, protocol } = this;
    if (protocol !== 'tcp' && protocol !== 'udp')
      throw invalidState('Only TCP and UDP have answers');
    const back = this.turnedRound(words[Word.Protocol]);
    back[Word.SourcePort] = words[Word.DestinationPort];
    back[Word.DestinationPort] = words[Word.SourcePort];
    if (protocol === 'tcp') this.acknowledge(back);
    writeFields(back, fields);
    if ((back[Word.Flags] & Flag.ACK) === 0 && fields.ack === undefined) {
      back[Word.Acknowledgment] = 0;
    }
    const payload = Uint8Array.from(fields.payload ?? []);
    this.answers.push({ words: back, payload });
  }

  /**
   * Answers with the ICMP error "unreachable", as a host or a firewall does that takes no such
   * packet; it comes from whom this one is for, and this filter doesn't see it.
   *
   * @throws TypeError ERR_INVALID_ARG_VALUE; Error ERR_INVALID_STATE when the call of the filter is
   *   over, and of what no error is sent about: an error, a fragment that isn't the first, a packet
   *   to many (RFC 1122 §3.2.2, RFC 4443 §2.4 (e))
   */
  reject(reason: RejectReason = 'port'): void {
    if (!Object.hasOwn(REASONS, reason)) {
      throw invalidArgValue('reason', reason, `must be one of ${Object.keys(REASONS).join(', ')}`);
    }
    const batch = this.within();
    const packet = this.bytes.of(batch, this.index, this.direction);
    if (packet === null || !this.mayBeRejected())
      throw invalidState('No error is about this packet');
    const is4 = this.family === 4;
    const back = this.turnedRound(is4 ? IpProtocol.Icmp : IpProtocol.Icmp6);
    const [code4, code6] = REASONS[reason];
    back[IcmpWord.Kind] = is4 ? (Icmp4.Unreachable << 8) | code4 : (Icmp6.Unreachable << 8) | code6;
    const payload = packet.slice(0, mostQuoted(is4));
    back[Word.PayloadLength] = payload.length;
    this.answers.push({ words: back, payload });
  }

  /**
   * Answers as a host that knows no such connection: with a RST (RFC 9293 §3.10.7.1), and a RST
   * with nothing.
   *
   * @throws Error ERR_INVALID_STATE as `answer`, and of what isn't TCP
   */
  reset(): void {
    this.checkIsWhole();
    if (this.protocol !== 'tcp') throw invalidState('Only a TCP segment can be reset');
    if (!this.isRst) this.answer({ flags: this.isAck ? 'R' : 'R.' });
  }

  /** @internal What is to pass instead; null: the segment itself. */
  get draft(): Draft | null {
    return this.isChanged ? { words: this.words, payload: this.changedPayload } : null;
  }

  /** @internal The call of the filter is over. */
  release(): void {
    this.batch = null;
  }

  private within(): SegmentBatch {
    if (this.batch !== null) return this.batch;
    throw invalidState('The filter has returned already');
  }

  private checkIsWhole(): void {
    this.within();
    const { words } = this;
    const unread = words[Word.Protocol] === IpProtocol.None && words[IcmpWord.Kind] !== 0;
    if (this.fragment !== undefined || unread) throw invalidState('Only whole packets are changed');
  }

  private mayBeRejected(): boolean {
    const { words } = this;
    if ((this.fragment?.offset ?? 0) > 0) return false;
    if (isMulticast(readAddress(words, Word.Destination))) return false;
    return !isIcmp(words, 0) || !isErrorType(this.family, words[IcmpWord.Kind] >>> 8);
  }

  /** The descriptor of a packet of this protocol from the receiver to the sender. */
  private turnedRound(protocol: number): Int32Array {
    const { words } = this;
    const back = new Int32Array(Word.Stride);
    back[Word.Family] = words[Word.Family];
    back[Word.Protocol] = protocol;
    back[Word.HopLimit] = HOP_LIMIT;
    for (let i = 0; i < ADDRESS; i++) {
      back[Word.Source + i] = words[Word.Destination + i];
      back[Word.Destination + i] = words[Word.Source + i];
    }
    return back;
  }

  private acknowledge(back: Int32Array): void {
    const { words } = this;
    back[Word.Flags] = Flag.ACK;
    if (this.isAck) back[Word.Sequence] = words[Word.Acknowledgment];
    const ends = (this.isSyn ? 1 : 0) + (this.isFin ? 1 : 0);
    back[Word.Acknowledgment] = words[Word.Sequence] + words[Word.PayloadLength] + ends;
  }
}

function invalidState(message: string): Error {
  return codeError(Error, 'ERR_INVALID_STATE', message);
}
