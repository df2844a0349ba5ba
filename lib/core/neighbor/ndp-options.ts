import { readAddress, type IpAddress } from '../ip/address';
import { HARDWARE_LENGTH, readHardware, type HardwareAddress } from './hardware-address';

/** Options of neighbour discovery (RFC 4861 §4.6). */
export const enum NdpOption {
  SourceHardware = 1,
  TargetHardware = 2,
  Prefix = 3,
  Mtu = 5,
}

/** Bytes that an option's length counts in. */
const UNIT = 8;
const PREFIX_BYTES = 32;

/** A prefix that a router announces (RFC 4861 §4.6.2); times in seconds, 2^32 - 1 is forever. */
export interface PrefixInformation {
  readonly prefix: IpAddress;
  readonly length: number;
  readonly onLink: boolean;
  readonly autonomous: boolean;
  readonly validLifetime: number;
  readonly preferredLifetime: number;
}

/** What the options of a message say; of one that comes twice the first counts. */
export interface NdpOptions {
  source: HardwareAddress | null;
  target: HardwareAddress | null;
  /** 0: none. */
  mtu: number;
  prefixes: PrefixInformation[];
}

/**
 * Reads the options in `bytes` from `at` to its end. Unknown ones are skipped, as those whose
 * length isn't that of their kind.
 * @returns null where one has no length, or reaches beyond the end: the message is to be dropped
 *   (RFC 4861 §7.1)
 */
export function readNdpOptions(bytes: Uint8Array, at: number): NdpOptions | null {
  const options: NdpOptions = { source: null, target: null, mtu: 0, prefixes: [] };
  while (at < bytes.length) {
    const length = at + 1 < bytes.length ? bytes[at + 1] * UNIT : 0;
    if (length === 0 || at + length > bytes.length) return null;
    readOption(options, bytes, at, length);
    at += length;
  }
  return options;
}

function readOption(options: NdpOptions, bytes: Uint8Array, at: number, length: number): void {
  const type: NdpOption = bytes[at];
  if (type === NdpOption.SourceHardware && length === UNIT) {
    options.source ??= readHardware(bytes, at + 2);
  } else if (type === NdpOption.TargetHardware && length === UNIT) {
    options.target ??= readHardware(bytes, at + 2);
  } else if (type === NdpOption.Mtu && length === UNIT) {
    options.mtu ||= word(bytes, at + 4);
  } else if (type === NdpOption.Prefix && length === PREFIX_BYTES && bytes[at + 2] <= 128) {
    options.prefixes.push({
      prefix: addressAt(bytes, at + 16),
      length: bytes[at + 2],
      onLink: (bytes[at + 3] & 0x80) !== 0,
      autonomous: (bytes[at + 3] & 0x40) !== 0,
      validLifetime: word(bytes, at + 4),
      preferredLifetime: word(bytes, at + 8),
    });
  }
}

/** An option with a hardware address. */
export function hardwareOption(type: NdpOption, bytes: Uint8Array, at: number): void {
  bytes[at] = type;
  bytes[at + 1] = (2 + HARDWARE_LENGTH) / UNIT;
}

const words = new Int32Array(4);

/** The IPv6 address in the 16 bytes from `at`, which must be there. */
export function addressAt(bytes: Uint8Array, at: number): IpAddress {
  for (let i = 0; i < 4; i++) words[i] = word(bytes, at + 4 * i);
  return readAddress(words, 0);
}

/** Unsigned. */
export function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
