import { randomInt } from 'node:crypto';
import type { PortAuthority } from '../core/environment';
import { Errno } from '../core/errno';
import {
  ANY4,
  ANY6,
  type IpAddress,
  formatAddress,
  isIpv4,
  isWildcard,
  writeAddress,
} from '../core/ip/address';
import { ephemeralRanges, type PortRange, readKernelPorts, rotate } from './ephemeral-ranges';
import {
  type GuardForm,
  type NativeAddon,
  type NativeDevice,
  type NativePortGuards,
  PORT_RANGE_WORDS,
} from './native';

type Family = 4 | 6;

export interface GuardPortsOptions {
  form: GuardForm;
  /** 6 for TCP, 17 for UDP. */
  protocol: 6 | 17;
  /** Interface that the guards are bound to; '': none. */
  device: string;
  /** Those that the host has. */
  families: readonly Family[];
  /** Ephemeral ports that are guarded at a time. */
  block: number;
  /** Ephemeral ports of a family at most. */
  max: number;
  /** Where they are taken from; null: beside the kernel's. */
  range: PortRange | null;
}

/** A guard on one port, and how often it was reserved. */
interface Guard {
  readonly family: Family;
  readonly address: IpAddress;
  readonly port: number;
  readonly number: number;
  users: number;
}

/** Of the file descriptors that a process may have, this part may become ephemeral guards. */
const DESCRIPTOR_SHARE = 0.5;

/**
 * Local ports on the host's own addresses: each is taken from the kernel by a port guard, and only
 * segments to guarded ports are let in. Ephemeral ports are guarded in blocks, at the first use of
 * their family, and stay so: a connection costs neither a guard nor a change of the filter.
 */
export class GuardPorts implements PortAuthority {
  protected readonly guards: NativePortGuards;
  /** Guards that were reserved one by one, by `keyOf`. */
  private readonly single = new Map<string, Guard>();
  private readonly ephemeral: Record<Family, EphemeralPorts>;
  private readonly ephemeralLimit: number;
  private closed = false;

  constructor(
    addon: NativeAddon,
    private readonly device: Pick<NativeDevice, 'setPorts'>,
    protected readonly options: GuardPortsOptions,
  ) {
    this.guards = new addon.PortGuards(options.form, options.device);
    this.ephemeralLimit = Math.floor(addon.descriptorLimit() * DESCRIPTOR_SHARE);
    const ranges = rangesOf(options);
    this.ephemeral = {
      4: new EphemeralPorts(ranges),
      6: new EphemeralPorts(ranges),
    };
  }

  /** Guards that are open. */
  get count(): number {
    return this.single.size + this.ephemeral[4].ports.length + this.ephemeral[6].ports.length;
  }

  reserve(local: IpAddress, port: number): number {
    const family = familyOf(local);
    if (!this.options.families.includes(family)) return Errno.EAFNOSUPPORT;
    if (port < 1 || port > 0xffff) return Errno.EINVAL;
    if (this.ephemeral[family].has(port)) return 0;
    const known = this.find(local, port);
    if (known !== undefined) {
      known.users++;
      return 0;
    }
    const number = this.guards.open(wordsOf(local), port);
    if (number < 0) return -number;
    const guard = { family, address: local, port, number, users: 1 };
    this.single.set(keyOf(local, port), guard);
    const failed = this.admit(family);
    if (failed !== 0) this.drop(guard);
    return failed;
  }

  release(local: IpAddress, port: number): void {
    if (this.closed || this.ephemeral[familyOf(local)].has(port)) return;
    const guard = this.find(local, port);
    if (guard === undefined) {
      throw new Error(`${formatAddress(local)} port ${port} is released, but was not reserved`);
    }
    if (--guard.users > 0) return;
    // First no segment for it comes in, then the kernel may answer.
    this.single.delete(keyOf(guard.address, port));
    this.admit(guard.family);
    this.guards.close(guard.number);
  }

  ephemeralCount(family: Family): number {
    const { ports, begun } = this.ephemeral[family];
    if (!begun) this.growEphemeral(family);
    return ports.length;
  }

  ephemeralPort(family: Family, index: number): number {
    return this.ephemeral[family].ports[index];
  }

  growEphemeral(family: Family): boolean {
    const { block, max, families } = this.options;
    if (!families.includes(family)) return false;
    const ephemeral = this.ephemeral[family];
    ephemeral.begun = true;
    const all = this.ephemeral[4].ports.length + this.ephemeral[6].ports.length;
    const room = Math.min(max - ephemeral.ports.length, this.ephemeralLimit - all);
    const added = ephemeral.grow(Math.min(block, room), (first, out) => {
      this.guards.openRange(wordsOf(family === 4 ? ANY4 : ANY6), first, out);
    });
    return added && this.admit(family) === 0;
  }

  close(): void {
    this.closed = true;
    this.single.clear();
    this.guards.closeAll();
  }

  /** The guard that covers a place: its own, or that of every address. */
  private find(local: IpAddress, port: number): Guard | undefined {
    const wildcard = familyOf(local) === 4 ? ANY4 : ANY6;
    return this.single.get(keyOf(local, port)) ?? this.single.get(keyOf(wildcard, port));
  }

  private drop(guard: Guard): void {
    this.single.delete(keyOf(guard.address, guard.port));
    this.guards.close(guard.number);
  }

  /** Makes the filter of a family anew; 0 or the errno. */
  private admit(family: Family): number {
    const rows: number[] = [];
    for (const { family, address, port } of this.single.values()) {
      addRow(rows, family, port, port, address);
    }
    for (const each of [4, 6] as const) {
      for (const [first, last] of this.ephemeral[each].runs) {
        addRow(rows, each, first, last, each === 4 ? ANY4 : ANY6);
      }
    }
    const { protocol } = this.options;
    const failed = this.device.setPorts(Int32Array.from(rows), family, protocol);
    return failed < 0 ? -failed : 0;
  }
}

/** Where ephemeral ports are taken from. */
export function rangesOf({ range }: GuardPortsOptions): PortRange[] {
  return range === null ? ephemeralRanges(readKernelPorts(), randomInt) : rotate(range, randomInt);
}

/** The ephemeral ports of a family. */
class EphemeralPorts {
  /** In the order in which they were got. */
  readonly ports: number[] = [];
  /** The same as ranges. */
  readonly runs: [first: number, last: number][] = [];
  begun = false;
  private readonly taken = new Uint8Array(0x10000);
  private readonly ranges: PortRange[];

  constructor(ranges: readonly PortRange[]) {
    this.ranges = [...ranges];
  }

  has(port: number): boolean {
    return this.taken[port] === 1;
  }

  /**
   * Takes the next `count` ports of the ranges, without those that can't be guarded.
   * @returns whether there are more than before
   */
  grow(count: number, guard: (first: number, out: Int32Array) => void): boolean {
    const before = this.ports.length;
    const wanted = before + count;
    while (this.ports.length < wanted && this.ranges.length > 0) {
      const [first, last] = this.ranges[0];
      const out = new Int32Array(Math.min(wanted - this.ports.length, last - first + 1));
      guard(first, out);
      const end = out.findIndex(isExhaustion);
      const done = end < 0 ? out.length : end;
      for (let i = 0; i < done; i++) if (out[i] >= 0) this.add(first + i);
      if (first + done > last) this.ranges.shift();
      else this.ranges[0] = [first + done, last];
      if (end >= 0) break;
    }
    return this.ports.length > before;
  }

  private add(port: number): void {
    this.ports.push(port);
    this.taken[port] = 1;
    const run = this.runs.at(-1);
    if (run !== undefined && run[1] === port - 1) run[1] = port;
    else this.runs.push([port, port]);
  }
}

/** Whether it is the process or the machine that can't have more, not the port that is taken. */
function isExhaustion(result: number): boolean {
  return (
    result === -Errno.EMFILE ||
    result === -Errno.ENFILE ||
    result === -Errno.ENOMEM ||
    result === -Errno.ENOBUFS
  );
}

function familyOf(address: IpAddress): Family {
  return isIpv4(address) ? 4 : 6;
}

function keyOf(address: IpAddress, port: number): string {
  const any = isWildcard(address) ? familyOf(address) : formatAddress(address);
  return `${any} ${port}`;
}

function wordsOf(address: IpAddress): Int32Array {
  const words = new Int32Array(4);
  writeAddress(address, words, 0);
  return words;
}

function addRow(rows: number[], family: number, first: number, last: number, at: IpAddress): void {
  const before = rows.length;
  rows.push(family, first, last, at.w0, at.w1, at.w2, at.w3);
  if (rows.length - before !== PORT_RANGE_WORDS) throw new Error('a row has seven words');
}
