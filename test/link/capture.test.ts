import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Flag, Word } from '../../lib/core/segment/layout';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { capture } from '../../lib/link/capture';
import type { Link, LinkContext, LinkPort } from '../../lib/link/link';
import { memoryLink } from '../../lib/link/memory';
import { RecordingHost, settle } from '../support/recording-host';
import { type Fields, hex, pattern, pushSegment } from '../support/segments';
import { hasCommand, needs } from '../support/skip';

const A = '10.0.0.1';
const B = '10.0.0.2';
const TO_B: Fields = { from: A, to: B };
const TO_A: Fields = { from: B, to: A, sourcePort: 50000, destinationPort: 40000 };

const folder = mkdtempSync(join(tmpdir(), `netland-capture-${process.pid}-`));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.pcapng`);

/** Two hosts on a wire; what passes the port of the first is captured. */
async function captured(target: string | Writable) {
  const wire = memoryLink();
  const link = capture(wire, target);
  const a = await RecordingHost.open(link, A, 'fd00::1');
  const b = await RecordingHost.open(wire, B, 'fd00::2');
  return { link, wire, a, b };
}

/** A link that hands over, as a raw IPv6 socket does, packets without their IP header. */
function headless(packet: Uint8Array): { link: Link; deliver: () => void } {
  let context: LinkContext;
  const link: Link = {
    kind: 'raw',
    open: async (given) => {
      context = given;
      return { name: 'bare' } as LinkPort;
    },
  };
  const deliver = () => {
    const batch = new SegmentBatch(1);
    const base = batch.push();
    const { words } = batch;
    const slab = context.slabs.add(packet);
    const result = parsePacket(packet, slab, 0, packet.length, words, base, context.hashKey);
    expect(result).toBe(ParseResult.Ok);
    words[base + Word.PacketOffset] = words[base + Word.TransportOffset];
    words[base + Word.PacketLength] -= 40;
    context.host.receive(batch);
  };
  return { link, deliver };
}

describe('a capture', () => {
  test('passes everything through and counts it', async () => {
    const { a, b } = await captured(newFile());
    expect(a.port.name).toBe('memory0');
    expect(a.port.mtu).toBe(65_536);
    expect(a.send({ ...TO_B, payload: [pattern(10)] }, TO_B)).toBe(true);
    b.send(TO_A);
    await settle(a, b);
    expect(b.arrivals.map(({ payload }) => payload.length)).toEqual([10, 0]);
    expect(a.arrivals).toHaveLength(1);
    expect(a.port.counters).toMatchObject({ sent: 2, received: 1, captured: 3, captureDropped: 0 });
  });

  test('is in the file when the call that passed the packets returns', async () => {
    const file = newFile();
    const { a, b } = await captured(file);
    expect(statSync(file).size).toBe(0);
    a.send({ ...TO_B, payload: [pattern(1000)] });
    const { size } = statSync(file);
    expect(size).toBeGreaterThan(1040);
    b.send(TO_A);
    await settle(a, b);
    expect(statSync(file).size).toBeGreaterThan(size);
  });

  test('what cannot be built is left out and counted', async () => {
    const { a } = await captured(newFile());
    a.send(TO_B, { ...TO_B, payload: [pattern(65_500)] });
    expect(a.port.counters).toMatchObject({ captured: 1, captureDropped: 1 });
  });

  test('tells what the link tells', async () => {
    const { link, deliver } = headless(new Uint8Array(0));
    let host: LinkContext['host'] | undefined;
    const outer: Link = {
      kind: link.kind,
      open: (context) => {
        ({ host } = context);
        return link.open(context);
      },
    };
    const stack = await RecordingHost.open(capture(outer, newFile()));
    expect(deliver).toThrow();
    host?.writable();
    const error = new Error('gone');
    host?.down(error);
    expect(stack.writables).toBe(1);
    expect(stack.downs).toEqual([error]);
  });

  test.each([
    ['ENOENT', () => join(folder, 'none', 'x.pcapng')],
    ['EISDIR', () => folder],
    [
      'ENOTDIR',
      () => {
        const file = newFile();
        writeFileSync(file, '');
        return join(file, 'x.pcapng');
      },
    ],
  ])('open rejects with %s', async (code, path) => {
    const link = capture(memoryLink(), path());
    await expect(RecordingHost.open(link, A)).rejects.toMatchObject({ code, syscall: 'open' });
  });

  test('when the link cannot be opened the file is closed, and can be opened again', async () => {
    const file = newFile();
    const link = capture(memoryLink(), file);
    await expect(RecordingHost.open(link, 'nonsense')).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    const open = () => openFiles().includes(file);
    expect(open()).toBe(false);
    const a = await RecordingHost.open(link, A);
    expect(open()).toBe(true);
    a.port.close();
    expect(open()).toBe(false);
  });

  test('a full disk ends the capture with a warning, and nothing else', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    try {
      const { a, b } = await captured('/dev/full');
      for (let i = 0; i < 3; i++) a.send({ ...TO_B, sequence: i });
      await settle(a, b);
      expect(b.sequences).toEqual([0, 1, 2]);
      expect(a.port.counters.captureDropped).toBeGreaterThan(1);
      a.port.close();
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0][0]).toMatch(/capture has ended.*ENOSPC/);
    } finally {
      warn.mockRestore();
    }
  });

  test('into a stream, which is not ended', async () => {
    const stream = new PassThrough();
    const { a } = await captured(stream);
    a.send(TO_B);
    a.port.close();
    expect(stream.writableEnded).toBe(false);
    const bytes = stream.read() as Buffer;
    expect(bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
    expect(bytes.length % 4).toBe(0);
  });

  test('a stream that takes nothing costs bounded memory', async () => {
    const stream = new Writable({ write: () => undefined });
    const { a } = await captured(stream);
    const payload = [new Uint8Array(60_000)];
    for (let i = 0; i < 1300; i++) {
      a.slabs.slabs.length = 0;
      a.send({ ...TO_B, payload });
    }
    const { captured: kept, captureDropped } = a.port.counters;
    expect(kept + captureDropped).toBe(1300);
    expect(captureDropped).toBeGreaterThan(100);
    expect(stream.writableLength).toBeLessThan(65 * 1024 * 1024);
  });

  test.each([
    ['is destroyed', (stream: PassThrough) => stream.destroy()],
    ['fails', (stream: PassThrough) => stream.destroy(new Error('broken'))],
  ])('a stream that %s ends the capture', async (_, end) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    try {
      const stream = new PassThrough();
      const { a, b } = await captured(stream);
      end(stream);
      await settle(a, b);
      a.send(TO_B);
      await settle(a, b);
      expect(b.arrivals).toHaveLength(1);
      expect(a.port.counters).toMatchObject({ captured: 0, captureDropped: 1 });
      a.send(TO_B);
      a.port.close();
      expect(warn).toHaveBeenCalledTimes(1);
      expect(warn.mock.calls[0][0]).toMatch(/capture has ended/);
    } finally {
      warn.mockRestore();
    }
  });
});

/** What this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      // The one that the folder was read by.
      return [];
    }
  });
}

needs(hasCommand('tshark'), 'tshark installed')('as tshark reads it', () => {
  const COLUMNS = [
    'frame.interface_name',
    'frame.packet_flags_direction',
    'ip.src',
    'ipv6.src',
    'tcp.len',
    'tcp.flags.str',
    'tcp.checksum.status',
    'ip.checksum.status',
  ];

  /** The rows of the file; fails on any complaint. */
  function rows(file: string): Record<string, string>[] {
    const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
    const columns = [...COLUMNS, '_ws.malformed', 'frame.time_epoch'];
    const fields = columns.flatMap((column) => ['-e', column]);
    const result = spawnSync('tshark', ['-r', file, ...checks, '-T', 'fields', ...fields], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    // Its only complaint is about the user who runs it.
    expect(result.stderr.replace(/^Running as user.*\n/m, '')).toBe('');
    expect(result.status).toBe(0);
    return result.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const cells = line.split('\t');
        return Object.fromEntries(columns.map((column, i) => [column, cells[i]]));
      });
  }

  test('directions, addresses, lengths and checksums are right', async () => {
    const file = newFile();
    const { a, b } = await captured(file);
    const started = Date.now() / 1000;
    a.send(
      { ...TO_B, flags: Flag.SYN, mss: 1460, sackPermitted: true, timestamps: [1, 0] },
      { ...TO_B, payload: [pattern(333), pattern(111)] },
    );
    b.send({ ...TO_A, flags: Flag.SYN | Flag.ACK, windowScale: 7 });
    await settle(a, b);
    a.send({ from: 'fd00::1', to: 'fd00::2', payload: [pattern(65_000)] });
    b.send({ from: 'fd00::2', to: 'fd00::1', payload: [pattern(7)] });
    await settle(a, b);
    a.port.close();
    const read = rows(file);
    for (const row of read) {
      expect(row['frame.interface_name']).toBe('memory0');
      expect(row['tcp.checksum.status']).toBe('1');
      expect(row['_ws.malformed']).toBe('');
      expect(Math.abs(Number(row['frame.time_epoch']) - started)).toBeLessThan(20);
    }
    expect(
      read.map((row) => [
        row['frame.packet_flags_direction'],
        row['ip.src'] || row['ipv6.src'],
        row['tcp.len'],
        row['ip.checksum.status'],
      ]),
    ).toEqual([
      ['0x00000002', A, '0', '1'],
      ['0x00000002', A, '444', '1'],
      ['0x00000001', B, '0', '1'],
      ['0x00000002', 'fd00::1', '65000', ''],
      ['0x00000001', 'fd00::2', '7', ''],
    ]);
  });

  test('a packet of which only the payload came is built again', async () => {
    const packet = hex(
      `6ab12345 0018 06 40 ${'20010db8000000000000000000000001'}
       ${'20010db8000000000000000000000002'}
       03e807d0 00000001 00000002 5018 0100 0000 0000 61626364`,
    );
    const file = newFile();
    const { link, deliver } = headless(packet);
    const port = await RecordingHost.open(capture(link, file));
    deliver();
    expect(port.arrivals[0].payload).toEqual(hex('61626364'));
    const [row] = rows(file);
    expect(row['ipv6.src']).toBe('2001:db8::1');
    expect(row['tcp.len']).toBe('4');
    expect(row['tcp.checksum.status']).toBe('1');
  });

  test('several stacks are several interfaces of one capture', async () => {
    const file = newFile();
    const link = capture(memoryLink(), file);
    const a = await RecordingHost.open(link, A);
    const b = await RecordingHost.open(link, B);
    a.send(TO_B);
    await settle(a, b);
    a.port.close();
    b.send({ from: B, to: B });
    await settle(b);
    b.port.close();
    expect(
      rows(file).map((row) => [row['frame.interface_name'], row['frame.packet_flags_direction']]),
    ).toEqual([
      ['memory0', '0x00000002'],
      ['memory1', '0x00000001'],
      ['memory1', '0x00000002'],
      ['memory1', '0x00000001'],
    ]);
  });

  test('opened again, it is appended to', async () => {
    const file = newFile();
    writeFileSync(file, 'what was there before');
    const link = capture(memoryLink(), file);
    for (let i = 0; i < 2; i++) {
      const a = await RecordingHost.open(link, A);
      a.send({ from: A, to: B, payload: [pattern(i)] });
      a.port.close();
    }
    expect(rows(file).map((row) => row['tcp.len'])).toEqual(['0', '1']);
  });

  test('a capture in which nothing passed', async () => {
    const file = newFile();
    const a = await RecordingHost.open(capture(memoryLink(), file), A);
    a.port.close();
    expect(existsSync(file)).toBe(true);
    expect(rows(file)).toEqual([]);
  });

  test('a batch as large as the largest', async () => {
    const file = newFile();
    const { a, b } = await captured(file);
    const batch = new SegmentBatch(64);
    for (let i = 0; i < 64; i++) {
      pushSegment(batch, a.slabs, { ...TO_B, payload: [pattern(65_000, i)] });
    }
    a.port.transmit(batch);
    await settle(a, b);
    a.port.close();
    const read = rows(file);
    expect(read).toHaveLength(64);
    expect(new Set(read.map((row) => row['tcp.checksum.status']))).toEqual(new Set(['1']));
  });
});
