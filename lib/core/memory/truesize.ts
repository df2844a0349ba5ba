/** Linux's struct sk_buff, and what lies in a packet's memory beside its bytes. */
const BUFFER = 256;
const AROUND = 320 + 64 + 28;

/**
 * What Linux counts against a socket's buffer for a packet of `length` bytes: its memory is of a
 * power of two (skb->truesize).
 */
export function truesize(length: number): number {
  return BUFFER + (1 << (32 - Math.clz32(length + AROUND - 1)));
}
