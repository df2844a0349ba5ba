import { load16, load32 } from '../codec/bytes';

/** What the edges of SACK blocks are counted from. */
export interface SackReference {
  sack: number;
}

const END = 0;
const NO_OPERATION = 1;
const SACK = 5;

interface Kind {
  name: string;
  /** Bytes, kind and length included. */
  length: number;
  /** The value of the option that starts at `at`. */
  value?: (bytes: Uint8Array, at: number) => string;
}

const KINDS: Readonly<Record<number, Kind>> = {
  2: { name: 'mss', length: 4, value: (bytes, at) => ` ${load16(bytes, at + 2)}` },
  3: { name: 'wscale', length: 3, value: (bytes, at) => ` ${bytes[at + 2]}` },
  4: { name: 'sackOK', length: 2 },
  8: {
    name: 'TS',
    length: 10,
    value: (bytes, at) => ` val ${load32(bytes, at + 2) >>> 0} ecr ${load32(bytes, at + 6) >>> 0}`,
  },
};

/**
 * TCP options as tcpdump prints them between `options [` and `]`: those of the wire in their order.
 * Ends with `[bad opt]` where an option is not whole.
 * @param sack what the edges of SACK blocks are counted from, int32
 */
export function formatOptions(bytes: Uint8Array, sack: number): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at];
    if (kind === END) {
      parts.push('eol');
      break;
    }
    if (kind === NO_OPERATION) {
      parts.push('nop');
      at += 1;
      continue;
    }
    const length = at + 1 < bytes.length ? bytes[at + 1] : 0;
    if (length < 2 || at + length > bytes.length) {
      parts.push('[bad opt]');
      break;
    }
    parts.push(formatOption(bytes, at, length, sack));
    at += length;
  }
  return parts.join(',');
}

function formatOption(bytes: Uint8Array, at: number, length: number, sack: number): string {
  if (bytes[at] === SACK) return formatSack(bytes, at, length, sack);
  const kind = KINDS[bytes[at]];
  if (kind === undefined) return `unknown-${bytes[at]}${hexValue(bytes, at, length)}`;
  if (kind.length !== length) return `${kind.name}${hexValue(bytes, at, length)}[len ${length}]`;
  return kind.name + (kind.value?.(bytes, at) ?? '');
}

function formatSack(bytes: Uint8Array, at: number, length: number, sack: number): string {
  if ((length - 2) % 8 !== 0) return 'sack invalid sack';
  let text = `sack ${(length - 2) / 8} `;
  for (let i = at + 2; i < at + length; i += 8) {
    const left = (load32(bytes, i) - sack) >>> 0;
    const right = (load32(bytes, i + 4) - sack) >>> 0;
    text += `{${left}:${right}}`;
  }
  return text;
}

function hexValue(bytes: Uint8Array, at: number, length: number): string {
  let hex = '';
  for (let i = at + 2; i < at + length; i++) hex += bytes[i].toString(16).padStart(2, '0');
  return hex === '' ? '' : ` 0x${hex}`;
}
