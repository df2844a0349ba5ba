/** What a descriptor stands for. */
import { Direction, IcmpWord, IpProtocol, Word } from './layout';

/** Whether it is a fragment. (Of a whole packet that is to be built the same word is a limit.) */
export function isFragment(words: Int32Array, base: number): boolean {
  const field = words[base + Word.Fragment];
  return field < 0 || (field !== 0 && words[base + Word.Direction] === Direction.In);
}

/** Whether it is a TCP segment; of a fragment of one nothing is known. */
export function isTcp(words: Int32Array, base: number): boolean {
  return words[base + Word.Protocol] === IpProtocol.Tcp && !isFragment(words, base);
}

/** Whether it is a UDP datagram, whole. */
export function isUdp(words: Int32Array, base: number): boolean {
  return words[base + Word.Protocol] === IpProtocol.Udp && !isFragment(words, base);
}

/** Whether it is a message of the ICMP of its own family, whole. */
export function isIcmp(words: Int32Array, base: number): boolean {
  const own = words[base + Word.Family] === 4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
  return words[base + Word.Protocol] === own && !isFragment(words, base);
}

/** Whether it is an ICMP error that quotes a TCP segment of the receiver's. */
export function quotesTcp(words: Int32Array, base: number): boolean {
  return words[base + IcmpWord.Quoted] === (IpProtocol.Tcp as number) && isIcmp(words, base);
}

/** The same of a UDP datagram. */
export function quotesUdp(words: Int32Array, base: number): boolean {
  return words[base + IcmpWord.Quoted] === (IpProtocol.Udp as number) && isIcmp(words, base);
}
