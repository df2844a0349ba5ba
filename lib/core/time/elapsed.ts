/** From `then` to `now`, ms modulo 2^32 as int32: right for what lies up to 49 days back. */
export function elapsedMs(now: number, then: number): number {
  return (now - then) >>> 0;
}
