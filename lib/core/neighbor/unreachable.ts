import { Icmp4, Icmp6, Unreachable4, Unreachable6, type IcmpError } from '../icmp/icmp-error';
import { readAddress } from '../ip/address';
import { Word } from '../segment/layout';

/** A TCP header without options. */
const TRANSPORT = 20;

/**
 * What the sender of a packet is told whose next hop doesn't answer: that the host is unreachable,
 * as Linux tells itself (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2).
 * @param words the descriptor of the packet, from `base`
 */
export function hostUnreachable(words: Int32Array, base: number): IcmpError {
  const is4 = words[base + Word.Family] === 4;
  const local = readAddress(words, base + Word.Source);
  return {
    kind: 'icmp',
    family: is4 ? 4 : 6,
    protocol: words[base + Word.Protocol],
    type: is4 ? Icmp4.Unreachable : Icmp6.Unreachable,
    code: is4 ? Unreachable4.Host : Unreachable6.Address,
    mtu: 0,
    info: 0,
    offender: local,
    intact: true,
    local,
    localPort: words[base + Word.SourcePort],
    remote: readAddress(words, base + Word.Destination),
    remotePort: words[base + Word.DestinationPort],
    sequence: words[base + Word.Sequence],
    quoted: quote(words, base, is4),
  };
}

/** As much as is read of what is quoted: where the headers are, the ports and the number. */
function quote(words: Int32Array, base: number, is4: boolean): Uint8Array {
  const start = is4 ? 20 : 40;
  const bytes = new Uint8Array(start + TRANSPORT);
  bytes[0] = is4 ? 0x45 : 0x60;
  const fields = [words[base + Word.SourcePort], words[base + Word.DestinationPort]];
  fields.forEach((port, i) => {
    bytes[start + 2 * i] = port >>> 8;
    bytes[start + 2 * i + 1] = port;
  });
  const sequence = words[base + Word.Sequence];
  for (let i = 0; i < 4; i++) bytes[start + 4 + i] = sequence >>> (24 - 8 * i);
  bytes[start + 12] = (TRANSPORT / 4) << 4;
  return bytes;
}
