import type { Environment } from '../environment';
import type { Icmp } from '../icmp/icmp';
import { Icmp4, Icmp6 } from '../icmp/icmp-error';
import type { SlabTable } from '../memory/slabs';
import { SegmentBatch } from '../segment/batch';
import { isFragment } from '../segment/kind';
import { Word } from '../segment/layout';
import type { Counters } from '../stack/counters';
import { LIMITS6, Outcome, Reassembly, type ReassemblyLimits } from './reassembly';

/** Time exceeded, code 1: of reassembly. */
const EXPIRED4 = (Icmp4.TimeExceeded << 8) | 1;
const EXPIRED6 = (Icmp6.TimeExceeded << 8) | 1;
const PARAMETER_PROBLEM6 = Icmp6.ParameterProblem << 8;
/** The first fragment lacks headers (RFC 7112 §5). */
const INCOMPLETE_CHAIN = 3;
/** Where IPv6's payload length stands in the header. */
const PAYLOAD_LENGTH = 4;

/** The stack's settings that count for fragments. */
export interface FragmentSettings {
  /** ms */
  readonly ipfragTime: number;
  readonly ipfragHighThresh: number;
  readonly ipfragMaxDist: number;
  /** ms */
  readonly ip6fragTime: number;
  readonly ip6fragHighThresh: number;
}

/** What putting fragments together takes of the stack. */
export interface DefragmenterParts {
  readonly environment: Environment;
  readonly slabs: SlabTable;
  readonly hashKey: Int32Array;
  readonly counters: Counters;
  readonly settings: FragmentSettings;
  readonly icmp: Icmp;
}

/** Fragments of one family on their way to becoming packets: counted, limited, and answered. */
export class Defragmenter {
  private readonly reassembly: Reassembly;
  private readonly batch = new SegmentBatch(1);
  private readonly slabIndex: number;

  constructor(
    private readonly family: 4 | 6,
    private readonly parts: DefragmenterParts,
  ) {
    const { environment, settings } = parts;
    const limits = family === 4 ? limits4(settings) : limits6(settings);
    this.reassembly = new Reassembly(family, limits, environment.random, environment.allocate);
    this.slabIndex = parts.slabs.add(this.reassembly.output());
    this.batch.push();
  }

  /** Memory that waiting fragments take, bytes. */
  get used(): number {
    return this.reassembly.used;
  }

  /** When `onTimer` wants to be called, µs; Infinity: not at all. */
  nextDeadline(): number {
    return this.reassembly.nextDeadline();
  }

  /**
   * Takes a fragment.
   * @param now µs
   * @returns the packet that it completes, as the only one of a batch; null: there is none (yet)
   */
  take(words: Int32Array, base: number, now: number): SegmentBatch | null {
    const { counters, icmp, slabs } = this.parts;
    const { reassembly } = this;
    if (this.family === 4) counters.IpReasmReqds++;
    else counters.Ip6ReasmReqds++;
    const outcome = reassembly.add(words, base, slabs.slabs[words[base + Word.Slab]], now);
    switch (outcome) {
      case Outcome.Kept:
      case Outcome.Duplicate:
        return null;
      case Outcome.Complete:
        return this.read(words[base + Word.Interface]);
      case Outcome.OddLength:
        counters.Ip6InHdrErrors++;
        icmp.complain(words, base, PARAMETER_PROBLEM6, PAYLOAD_LENGTH);
        return null;
      case Outcome.BadOffset:
        counters.Ip6InHdrErrors++;
        icmp.complain(words, base, PARAMETER_PROBLEM6, reassembly.pointer);
        return null;
      case Outcome.HeadersMissing:
        counters.Ip6InHdrErrors++;
        icmp.complain(words, base, PARAMETER_PROBLEM6 | INCOMPLETE_CHAIN);
        return null;
      default:
        this.fail();
        return null;
    }
  }

  /** Gives up what has waited too long, and tells those who have sent the first fragment of it. */
  onTimer(now: number): void {
    const { counters, icmp } = this.parts;
    const { reassembly } = this;
    while (reassembly.expire(now)) {
      this.fail();
      if (this.family === 4) counters.IpReasmTimeout++;
      else counters.Ip6ReasmTimeout++;
      const { quote } = reassembly.expired;
      if (quote !== null) icmp.complainOf(quote, this.family === 4 ? EXPIRED4 : EXPIRED6);
    }
  }

  /** The descriptor of what is whole. Fragments of fragments are none (RFC 8200 §4.1). */
  private read(interfaceIndex: number): SegmentBatch | null {
    const { environment, counters, hashKey } = this.parts;
    const { batch, reassembly, slabIndex } = this;
    const { length } = reassembly.whole;
    const slab = reassembly.output();
    const result = environment.parse?.(slab, slabIndex, 0, length, batch.words, 0, hashKey);
    if (result !== 0 || isFragment(batch.words, 0)) {
      this.fail();
      return null;
    }
    batch.words[Word.Interface] = interfaceIndex;
    if (this.family === 4) counters.IpReasmOKs++;
    else counters.Ip6ReasmOKs++;
    return batch;
  }

  private fail(): void {
    const { counters } = this.parts;
    if (this.family === 4) counters.IpReasmFails++;
    else counters.Ip6ReasmFails++;
  }
}

function limits4(settings: FragmentSettings): ReassemblyLimits {
  const { ipfragTime, ipfragHighThresh, ipfragMaxDist } = settings;
  return { time: ipfragTime, highThresh: ipfragHighThresh, maxDist: ipfragMaxDist };
}

function limits6({ ip6fragTime, ip6fragHighThresh }: FragmentSettings): ReassemblyLimits {
  return { ...LIMITS6, time: ip6fragTime, highThresh: ip6fragHighThresh };
}
