import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPacket, packetLength } from '../../lib/codec/build';
import { parseAddress, type IpAddress } from '../../lib/core/ip/address';
import { SlabTable } from '../../lib/core/memory/slabs';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction } from '../../lib/core/segment/layout';
import { PcapngWriter } from '../../lib/observe/pcapng';
import { type Fields, hex, pattern, pushSegment } from '../support/segments';
import { hasCommand, needs } from '../support/skip';

interface Block {
  type: number;
  body: Buffer;
}

/** The blocks of a capture; fails where they don't fit together. */
function blocksOf(bytes: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(at + length).toBeLessThanOrEqual(bytes.length);
    expect(bytes.readUInt32LE(at + length - 4)).toBe(length);
    blocks.push({
      type: bytes.readUInt32LE(at),
      body: bytes.subarray(at + 8, at + length - 4),
    });
    at += length;
  }
  return blocks;
}

/** Options by their code. */
function optionsOf(bytes: Buffer): Record<number, Buffer> {
  const options: Record<number, Buffer> = {};
  for (let at = 0; ;) {
    const [code, length] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)];
    if (code === 0) {
      expect(at + 4).toBe(bytes.length);
      return options;
    }
    options[code] = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + Math.ceil(length / 4) * 4;
  }
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === null) throw new Error(`no address: ${text}`);
  return parsed;
}

const NAMES: [IpAddress, string][] = [
  [address('10.0.0.1'), 'client'],
  [address('fd00::2'), 'größer'],
];

function written(action: (writer: PcapngWriter) => void): { blocks: Block[]; writes: number } {
  const pieces: Buffer[] = [];
  const writer = new PcapngWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) });
  action(writer);
  writer.flush();
  writer.flush();
  return { blocks: blocksOf(Buffer.concat(pieces)), writes: pieces.length };
}

describe('a pcapng section', () => {
  test('begins with its header', () => {
    const { blocks } = written(() => undefined);
    expect(blocks).toHaveLength(1);
    const [{ type, body }] = blocks;
    expect(type).toBe(0x0a0d0d0a);
    expect(body.readUInt32LE(0)).toBe(0x1a2b3c4d);
    expect([body.readUInt16LE(4), body.readUInt16LE(6)]).toEqual([1, 0]);
    expect(body.readBigInt64LE(8)).toBe(-1n);
    expect(optionsOf(body.subarray(16))[4].toString()).toBe('netland');
  });

  test('has an interface for raw IP with times in µs', () => {
    const { blocks } = written((writer) => {
      expect(writer.addInterface('nl0')).toBe(0);
      expect(writer.addInterface('größer')).toBe(1);
    });
    expect(blocks.map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 1]);
    const { body } = blocks[1];
    expect(body.readUInt16LE(0)).toBe(101);
    expect(body.readUInt32LE(4)).toBe(0);
    const options = optionsOf(body.subarray(8));
    expect(options[2].toString()).toBe('nl0');
    expect([...options[9]]).toEqual([6]);
    expect(optionsOf(blocks[2].body.subarray(8))[2].toString()).toBe('größer');
  });

  test.each([0, 1, 2, 3, 4, 1500, 65_575])('holds a packet of %i bytes', (length) => {
    const packet = pattern(length);
    const time = 1_732_104_000_123_457;
    const { blocks } = written((writer) => {
      const first = writer.addInterface('a');
      const second = writer.addInterface('b');
      writer.packet(second, Direction.Out, time, packet);
      writer.packet(first, Direction.In, time + 1, packet);
    });
    const [out, back] = blocks.slice(3).map(({ type, body }) => {
      expect(type).toBe(6);
      const data = body.subarray(20, 20 + length);
      expect([body.readUInt32LE(12), body.readUInt32LE(16)]).toEqual([length, length]);
      expect(Buffer.compare(data, packet)).toBe(0);
      const end = 20 + Math.ceil(length / 4) * 4;
      expect(body.subarray(20 + length, end).every((byte) => byte === 0)).toBe(true);
      return {
        port: body.readUInt32LE(0),
        time: body.readUInt32LE(4) * 2 ** 32 + body.readUInt32LE(8),
        flags: optionsOf(body.subarray(end))[2].readUInt32LE(0),
      };
    });
    expect(out).toEqual({ port: 1, time, flags: 2 });
    expect(back).toEqual({ port: 0, time: time + 1, flags: 1 });
  });

  test('is handed over in pieces of bounded size, none lost', () => {
    const { blocks, writes } = written((writer) => {
      const port = writer.addInterface('a');
      for (let i = 0; i < 1000; i++) writer.packet(port, Direction.In, i, pattern(1000, i));
    });
    expect(blocks).toHaveLength(1002);
    expect(writes).toBeGreaterThan(10);
    expect(blocks.slice(2).map(({ body }) => body[20])).toEqual(
      Array.from({ length: 1000 }, (_, i) => i & 0xff),
    );
  });

  test('names addresses of both families', () => {
    const { blocks } = written((writer) => writer.addNames(NAMES));
    expect(blocks.map(({ type }) => type)).toEqual([0x0a0d0d0a, 4]);
    const { body } = blocks[1];
    // Records, their end, and the end of the options.
    expect(body).toEqual(
      Buffer.concat([
        hex('0100 0b00 0a000001'),
        Buffer.from('client\0\0'),
        hex('0200 1900 fd000000000000000000000000000002'),
        Buffer.from('größer\0\0\0\0'),
        hex('00000000 00000000'),
      ]),
    );
  });

  test('says something of a packet', () => {
    const { blocks } = written((writer) => {
      const port = writer.addInterface('a');
      writer.packet(port, Direction.Out, 0, pattern(5), 'verloren: Gewölbe');
      writer.packet(port, Direction.Out, 0, pattern(5), '');
    });
    const [said, silent] = blocks.slice(2).map(({ body }) => optionsOf(body.subarray(28)));
    expect(said[1].toString()).toBe('verloren: Gewölbe');
    expect(said[2].readUInt32LE(0)).toBe(2);
    expect(1 in silent).toBe(false);
  });
});

needs(hasCommand('tshark'), 'tshark installed')('read by tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), `netland-pcapng-${process.pid}-`));
  afterAll(() => rmSync(folder, { recursive: true }));

  function packetOf(fields: Fields): Uint8Array {
    const slabs = new SlabTable();
    const batch = new SegmentBatch(1);
    const base = pushSegment(batch, slabs, fields);
    const bytes = new Uint8Array(packetLength(batch.words, base));
    buildPacket(batch.words, base, batch.slices, 0, slabs.slabs, bytes, 0);
    return bytes;
  }

  test('names, interface, time and comment', () => {
    const file = join(folder, 'named.pcapng');
    const pieces: Buffer[] = [];
    const writer = new PcapngWriter({ write: (bytes) => pieces.push(Buffer.from(bytes)) });
    writer.addNames(NAMES);
    const port = writer.addInterface('uplink');
    const time = 946_684_800_000_000;
    writer.packet(port, Direction.Out, time, packetOf({ from: '10.0.0.1' }), 'first, of two');
    writer.packet(port, Direction.In, time + 20_001, packetOf({ from: 'fd00::1', to: 'fd00::2' }));
    writer.flush();
    writeFileSync(file, Buffer.concat(pieces));
    const fields = ['ip.src_host', 'ipv6.dst_host', 'frame.interface_name', 'frame.time_epoch'];
    const wanted = [...fields, 'frame.comment', 'tcp.checksum.status'].flatMap((f) => ['-e', f]);
    const check = ['-o', 'tcp.check_checksum:TRUE'];
    const output = execFileSync(
      'tshark',
      ['-r', file, '-N', 'n', ...check, '-T', 'fields', '-E', 'separator=|', ...wanted],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 },
    );
    expect(output.trimEnd().split('\n')).toEqual([
      'client||uplink|946684800.000000000|first, of two|1',
      '|größer|uplink|946684800.020001000||1',
    ]);
  });
});
