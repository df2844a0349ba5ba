/**
 * Sequence numbers: int32, modulo 2^32 (RFC 9293 §3.4). Each comparison holds as long as the two
 * numbers are less than 2^31 apart.
 */

/** a < b */
export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** a =< b */
export function seqLeq(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

/** a > b */
export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

/** a >= b */
export function seqGeq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

/** The earlier of the two. */
export function seqMin(a: number, b: number): number {
  return seqLt(a, b) ? a : b;
}

/** The later of the two. */
export function seqMax(a: number, b: number): number {
  return seqGt(a, b) ? a : b;
}
