import * as fc from 'fast-check';
import { Flag, SLICE_WORDS, Word } from '../../../lib/core/segment/layout';
import { formatFlags } from '../../../lib/observe/tcpdump';
import { pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const MSS = 1000;

interface Sent {
  flags: number;
  seq: number;
  size: number;
  data: Buffer;
}

/** What the stack sends at once. */
function leave(peer: Peer): Sent[] {
  const { core, toSend, slabs } = peer.host;
  const { words, slices } = toSend;
  toSend.count = 0;
  core.transmit(toSend, peer.now);
  return Array.from({ length: toSend.count }, (_, index) => {
    const base = toSend.base(index);
    const at = toSend.sliceBase(base);
    const data = Buffer.concat(
      Array.from({ length: words[base + Word.SliceCount] }, (_none, i) => {
        const [slab, from, length] = slices.slice(at + i * SLICE_WORDS);
        return slabs.slabs[slab].subarray(from, from + length);
      }),
    );
    expect(data).toHaveLength(words[base + Word.PayloadLength]);
    const size = words[base + Word.GsoSize];
    return { flags: words[base + Word.Flags], seq: words[base + Word.Sequence], size, data };
  });
}

/** The segments that a device makes of one. */
function cut({ flags, seq, size, data }: Sent): Sent[] {
  if (size === 0) return [{ flags, seq, size, data }];
  const count = Math.ceil(data.length / size);
  expect(count).toBeGreaterThan(1);
  return Array.from({ length: count }, (_, i) => {
    const last = i === count - 1 ? flags : flags & ~(Flag.PSH | Flag.FIN);
    const piece = data.subarray(i * size, (i + 1) * size);
    return { flags: i === 0 ? last : last & ~Flag.CWR, seq: seq + i * size, size: 0, data: piece };
  });
}

const show = ({ flags, size, data }: Sent) => `${formatFlags(flags)} ${data.length}/${size}`;

/** A connection to a near peer, over a link that cuts super-segments of `gsoMax` bytes. */
function dial(gsoMax: number, mss = MSS) {
  const peer = new Peer({ syn: { mss, sackPermitted: true } });
  peer.window = 65_535;
  peer.host.toSend.gsoMax = gsoMax;
  const socket = peer.dial();
  peer.pass(100);
  peer.answer(socket);
  return { peer, socket };
}

describe('a burst leaves as one super-segment where the link cuts it', () => {
  test('PSH and FIN at its end', () => {
    const { peer, socket } = dial(65_455);
    socket.send(pattern(9500), 0, 9500);
    socket.shutdown(1);
    expect(leave(peer).map(show)).toEqual(['P. 5000/1000', 'FP. 4500/1000']);
    const { TcpOutSegs } = peer.host.core.counters;
    expect(TcpOutSegs).toBe(2 + 10);
  });

  test('as long as the link takes it', () => {
    const { peer, socket } = dial(3999);
    socket.send(pattern(8000), 0, 8000);
    expect(leave(peer).map(show)).toEqual(['. 3000/1000', 'P. 2000/1000', 'P. 3000/1000']);
  });

  test('one segment is none, nor what is sent again', () => {
    const { peer, socket } = dial(65_455);
    socket.send(pattern(1000), 0, 1000);
    expect(leave(peer).map(show)).toEqual(['P. 1000/0']);
    socket.send(pattern(5000), 0, 5000);
    expect(leave(peer).map(show)).toEqual(['P. 5000/1000']);
    peer.say('.', { ack: 1001, sack: [[4001, 6001]] });
    peer.pass(1000);
    for (const { size, data } of leave(peer)) expect([size, data.length]).toEqual([0, 1000]);
  });

  test('none with SACK blocks, which would be in each of its segments', () => {
    const { peer, socket } = dial(65_455);
    peer.say('P.', { seq: 2001, data: 100 });
    peer.listen();
    socket.send(pattern(4000), 0, 4000);
    expect(leave(peer).map(({ size }) => size)).not.toContain(MSS);
  });

  test('cut again it is what would have left without, byte by byte', () => {
    const writes = fc.array(fc.integer({ min: 1, max: 7000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(writes, fc.integer({ min: 200, max: 1400 }), (lengths, mss) => {
        const run = (gsoMax: number) => {
          const { peer, socket } = dial(gsoMax, mss);
          const segments: Sent[] = [];
          for (const length of lengths) {
            socket.send(pattern(length), 0, length);
            segments.push(...leave(peer).flatMap(cut));
          }
          return segments;
        };
        expect(run(65_455)).toEqual(run(0));
      }),
      { numRuns: 30 },
    );
  });
});
