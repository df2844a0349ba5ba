/** What IPv4's options (RFC 791 §3.1) mean to a host, as Linux has it. */

const HEADER = 20;

const enum Kind {
  End = 0,
  Nop = 1,
  RecordRoute = 7,
  Timestamp = 68,
  LooseRoute = 131,
  RouterAlert = 148,
  StrictRoute = 137,
}

/** The options are sound, and ask for nothing. */
export const SOUND = -1;
/** There is a source route: such a packet is dropped (Linux: accept_source_route 0). */
export const SOURCE_ROUTE = -2;

/**
 * Reads the options of a header (Linux: ip_options_compile).
 * @param at where the header begins in `bytes`; `length`: of the header
 * @returns `SOUND`, `SOURCE_ROUTE`, or where in the header the byte is that is wrong
 */
export function readOptions(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  let route = SOUND;
  for (let place = at + HEADER; place < end;) {
    const kind = bytes[place] as Kind;
    if (kind === Kind.End) break;
    if (kind === Kind.Nop) {
      place++;
      continue;
    }
    const size = place + 1 < end ? bytes[place + 1] : 0;
    if (size < 2 || place + size > end) return place - at;
    const wrong = problemOf(bytes, place, size);
    if (wrong > 0) return place + wrong - at;
    if (kind === Kind.LooseRoute || kind === Kind.StrictRoute) {
      // There may be one of them.
      if (route !== SOUND) return place - at;
      route = SOURCE_ROUTE;
    }
    place += size;
  }
  return route;
}

/** Which byte of an option that has its whole length is wrong; 0: none. */
function problemOf(bytes: Uint8Array, place: number, size: number): number {
  const pointer = bytes[place + 2];
  switch (bytes[place] as Kind) {
    case Kind.LooseRoute:
    case Kind.StrictRoute:
      if (size < 3) return 1;
      return pointer < 4 ? 2 : 0;
    case Kind.RecordRoute:
      if (size < 3) return 1;
      return pointer < 4 || (pointer <= size && pointer + 3 > size) ? 2 : 0;
    case Kind.Timestamp:
      if (size < 4) return 1;
      return pointer < 5 || (pointer <= size && pointer + 3 > size) ? 2 : 0;
    case Kind.RouterAlert:
      return size < 4 ? 1 : 0;
    default:
      return 0;
  }
}
