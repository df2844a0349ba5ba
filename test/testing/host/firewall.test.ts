import { Flag, Word } from '../../../lib/core/segment/layout';
import { Firewall, resetFor } from '../../../lib/testing/host/firewall';
import { Lab, type Shape } from '../link/lab';

function segment(shape: Shape = {}) {
  const lab = new Lab();
  return lab.packet(lab.station('client'), lab.station('server'), shape);
}

/** What the RST says: its flags, numbers and length. */
function answer(shape: Shape) {
  const reset = resetFor(segment(shape));
  if (reset === null) return null;
  const { words, length } = reset;
  const [flags, seq, ack] = [words[Word.Flags], words[Word.Sequence], words[Word.Acknowledgment]];
  expect(reset.bytes()).toHaveLength(length);
  return { flags, seq, ack, length };
}

describe('a firewall', () => {
  test('judges by the local port', () => {
    const firewall = new Firewall();
    expect(firewall.judge(segment({ destinationPort: 80 }))).toBe('accept');
    firewall.block(80, 'drop');
    firewall.block(81, 'reject');
    const judge = (shape: Shape) => firewall.judge(segment(shape));
    expect(judge({ destinationPort: 80, flags: Flag.SYN })).toBe('drop');
    expect(judge({ destinationPort: 80, size: 500, family: 6 })).toBe('drop');
    expect(judge({ destinationPort: 81, flags: Flag.RST })).toBe('reject');
    expect(judge({ destinationPort: 82, sourcePort: 80 })).toBe('accept');
    firewall.block(80, 'reject');
    expect(judge({ destinationPort: 80 })).toBe('reject');
    expect([firewall.unblock(80), firewall.unblock(80)]).toEqual([true, false]);
    expect(judge({ destinationPort: 80 })).toBe('accept');
  });

  test('knows a port by the name of its service', () => {
    const firewall = new Firewall();
    firewall.block('http' as unknown as number, 'drop');
    expect(firewall.judge(segment({ destinationPort: 80 }))).toBe('drop');
    expect(firewall.unblock(80)).toBe(true);
  });

  test('refuses bad arguments', () => {
    const firewall = new Firewall();
    const port = { code: 'ERR_SOCKET_BAD_PORT' };
    for (const wrong of [-1, 65_536, 1.5, NaN, null, undefined, 'nonsense']) {
      expect(() => firewall.block(wrong as number, 'drop')).toThrow(expect.objectContaining(port));
      expect(() => firewall.unblock(wrong as number)).toThrow(expect.objectContaining(port));
    }
    const action = { code: 'ERR_INVALID_ARG_VALUE' };
    for (const wrong of ['accept', '', undefined]) {
      expect(() => firewall.block(80, wrong as 'drop')).toThrow(expect.objectContaining(action));
    }
    expect(firewall.judge(segment())).toBe('accept');
  });
});

describe('the RST of a rejected segment (RFC 9293 §3.10.7.1)', () => {
  test('has the number that the segment acknowledges', () => {
    const numbers = { sequence: 1000, acknowledgment: 5000 };
    const expected = { flags: Flag.RST, seq: 5000, ack: 0, length: 40 };
    expect(answer({ ...numbers, flags: Flag.ACK | Flag.PSH, size: 140 })).toEqual(expected);
    expect(answer({ ...numbers, flags: Flag.ACK | Flag.FIN })).toEqual(expected);
    expect(answer({ ...numbers, flags: Flag.ACK | Flag.SYN })).toEqual(expected);
  });

  test.each([
    ['a SYN', Flag.SYN, 40, 1001],
    ['a SYN with data', Flag.SYN, 50, 1011],
    ['a FIN with data', Flag.FIN, 50, 1011],
    ['nothing', 0, 40, 1000],
  ])('or acknowledges %s', (_, flags, size, ack) => {
    const expected = { flags: Flag.RST | Flag.ACK, seq: 0, ack, length: 40 };
    expect(answer({ sequence: 1000, acknowledgment: 77, flags, size })).toEqual(expected);
  });

  test('across the wrap of sequence numbers', () => {
    const flags = Flag.SYN;
    expect(answer({ sequence: -1, flags })).toMatchObject({ ack: 0 });
  });

  test('goes back where the segment came from', () => {
    const packet = segment({ family: 6, sourcePort: 1234, destinationPort: 80 });
    const { words } = resetFor(packet) ?? { words: new Int32Array(Word.Stride) };
    const ends = (of: Int32Array) => [
      [...of.subarray(Word.Source, Word.Source + 4), of[Word.SourcePort]],
      [...of.subarray(Word.Destination, Word.Destination + 4), of[Word.DestinationPort]],
    ];
    expect(ends(words)).toEqual(ends(packet.words).reverse());
    expect([words[Word.Window], words[Word.HopLimit], words[Word.PacketLength]]).toEqual([
      0, 64, 60,
    ]);
  });

  test('there is none for a RST, nor for a packet that is not what was sent', () => {
    expect(answer({ flags: Flag.RST })).toBeNull();
    expect(answer({ flags: Flag.RST | Flag.ACK })).toBeNull();
    const packet = segment({ size: 60 });
    const bytes = packet.bytes();
    bytes[50] ^= 1;
    packet.spoil(bytes);
    expect(resetFor(packet)).toBeNull();
  });
});
