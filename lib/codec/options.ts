/** TCP options (RFC 9293 §3.1, 7323, 2018), read and laid out as Linux does. */
import { Option, Word } from '../core/segment/layout';
import { load16, load32, store16, store32 } from './bytes';

/** Option kinds (IANA). */
const enum Kind {
  End = 0,
  NoOperation = 1,
  Mss = 2,
  WindowScale = 3,
  SackPermitted = 4,
  Sack = 5,
  Timestamps = 8,
}

const MAX_LENGTH = 40;
const MAX_SACK_BLOCKS = 4;
/** RFC 7323 §2.3: a larger shift count is taken as 14. */
const MAX_WINDOW_SCALE = 14;

/**
 * Reads the options from `at` to `end` into the option words, which the caller has cleared. The
 * reading ends at the first option that is not whole; what came before it counts.
 */
export function parseOptions(
  bytes: Uint8Array,
  at: number,
  end: number,
  words: Int32Array,
  base: number,
): void {
  while (at < end) {
    const kind = bytes[at];
    if (kind === Kind.End) return;
    if (kind === Kind.NoOperation) {
      at += 1;
      continue;
    }
    if (at + 2 > end) return;
    const length = bytes[at + 1];
    if (length < 2 || at + length > end) return;
    parseOption(bytes, at, kind, length, words, base);
    at += length;
  }
}

/** One option that is whole; skipped where the kind is unknown or has another length. */
function parseOption(
  bytes: Uint8Array,
  at: number,
  kind: Kind,
  length: number,
  words: Int32Array,
  base: number,
): void {
  if (kind === Kind.Mss && length === 4) {
    words[base + Word.Options] |= Option.Mss;
    words[base + Word.Mss] = load16(bytes, at + 2);
  } else if (kind === Kind.WindowScale && length === 3) {
    words[base + Word.Options] |= Option.WindowScale;
    words[base + Word.WindowScale] = Math.min(bytes[at + 2], MAX_WINDOW_SCALE);
  } else if (kind === Kind.SackPermitted && length === 2) {
    words[base + Word.Options] |= Option.SackPermitted;
  } else if (kind === Kind.Timestamps && length === 10) {
    words[base + Word.Options] |= Option.Timestamps;
    words[base + Word.TsVal] = load32(bytes, at + 2);
    words[base + Word.TsEcr] = load32(bytes, at + 6);
  } else if (kind === Kind.Sack && length >= 10 && length <= 34 && (length - 2) % 8 === 0) {
    words[base + Word.Options] |= Option.Sack;
    words[base + Word.SackCount] = (length - 2) >> 3;
    words.fill(0, base + Word.Sack, base + Word.Sack + 2 * MAX_SACK_BLOCKS);
    for (let i = 0; i < (length - 2) >> 2; i++) {
      words[base + Word.Sack + i] = load32(bytes, at + 2 + 4 * i);
    }
  }
}

/** SACK blocks of the descriptor that fit behind `before` bytes of other options. */
function sackBlocks(words: Int32Array, base: number, before: number): number {
  if ((words[base + Word.Options] & Option.Sack) === 0) return 0;
  const room = (MAX_LENGTH - before - 4) >> 3;
  return Math.max(0, Math.min(words[base + Word.SackCount], room, MAX_SACK_BLOCKS));
}

/** Bytes that the options of the descriptor take: a multiple of 4, at most 40. */
export function optionsLength(words: Int32Array, base: number): number {
  const options = words[base + Word.Options];
  let length = 0;
  if ((options & Option.Mss) !== 0) length += 4;
  if ((options & Option.Timestamps) !== 0) length += 12;
  else if ((options & Option.SackPermitted) !== 0) length += 4;
  if ((options & Option.WindowScale) !== 0) length += 4;
  const blocks = sackBlocks(words, base, length);
  return blocks === 0 ? length : length + 4 + 8 * blocks;
}

/**
 * Writes the options at `at`, which has room for `optionsLength` bytes: MSS, SACK-permitted with
 * the timestamps (in the place of two NOPs), window scale, SACK, each with NOPs in front.
 * @returns where they end
 */
export function writeOptions(
  words: Int32Array,
  base: number,
  bytes: Uint8Array,
  at: number,
): number {
  const start = at;
  const options = words[base + Word.Options];
  const sackPermitted = (options & Option.SackPermitted) !== 0;
  if ((options & Option.Mss) !== 0) {
    at = writeHead(bytes, at, Kind.Mss, 4);
    store16(bytes, at, words[base + Word.Mss]);
    at += 2;
  }
  if ((options & Option.Timestamps) !== 0) {
    at = sackPermitted ? writeHead(bytes, at, Kind.SackPermitted, 2) : pad(bytes, at, 2);
    at = writeHead(bytes, at, Kind.Timestamps, 10);
    store32(bytes, at, words[base + Word.TsVal]);
    store32(bytes, at + 4, words[base + Word.TsEcr]);
    at += 8;
  } else if (sackPermitted) {
    at = writeHead(bytes, pad(bytes, at, 2), Kind.SackPermitted, 2);
  }
  if ((options & Option.WindowScale) !== 0) {
    at = writeHead(bytes, pad(bytes, at, 1), Kind.WindowScale, 3);
    bytes[at++] = words[base + Word.WindowScale];
  }
  const blocks = sackBlocks(words, base, at - start);
  if (blocks === 0) return at;
  at = writeHead(bytes, pad(bytes, at, 2), Kind.Sack, 2 + 8 * blocks);
  for (let i = 0; i < 2 * blocks; i++) {
    store32(bytes, at, words[base + Word.Sack + i]);
    at += 4;
  }
  return at;
}

/** Kind and length; returns where the option's data goes. */
function writeHead(bytes: Uint8Array, at: number, kind: Kind, length: number): number {
  bytes[at] = kind;
  bytes[at + 1] = length;
  return at + 2;
}

/** `count` NOPs; returns where they end. */
function pad(bytes: Uint8Array, at: number, count: number): number {
  bytes.fill(Kind.NoOperation, at, at + count);
  return at + count;
}
