import fc from 'fast-check';
import {
  ipv4,
  ipv6,
  parseAddress,
  sameAddress,
  type IpAddress,
} from '../../../lib/core/ip/address';
import { fourTupleHash } from '../../../lib/core/random/half-sip-hash';
import { Word } from '../../../lib/core/segment/layout';
import { FourTuples, Shape } from '../../../lib/core/stack/four-tuples';

const key = Int32Array.of(0x01234567, 0x89abcdef | 0);

interface Tuple {
  local: IpAddress;
  localPort: number;
  remote: IpAddress;
  remotePort: number;
}

const text = (tuple: Tuple) => JSON.stringify(tuple);

/** A received descriptor of the tuple, at word `base`. */
function descriptor(tuple: Tuple, base: number): Int32Array {
  const words = new Int32Array(base + Word.Stride);
  const { local, remote } = tuple;
  words.set([remote.w0, remote.w1, remote.w2, remote.w3], base + Word.Source);
  words.set([local.w0, local.w1, local.w2, local.w3], base + Word.Destination);
  words[base + Word.SourcePort] = tuple.remotePort;
  words[base + Word.DestinationPort] = tuple.localPort;
  words[base + Word.Hash] = fourTupleHash(key, words, base);
  return words;
}

const lookup = (table: FourTuples, t: Tuple) =>
  table.lookup(t.local, t.localPort, t.remote, t.remotePort);
const add = (table: FourTuples, t: Tuple) =>
  table.add(t.local, t.localPort, t.remote, t.remotePort);

const parse = (address: string) => parseAddress(address) as IpAddress;

describe('FourTuples', () => {
  const tuple: Tuple = {
    local: parse('10.0.0.1'),
    localPort: 80,
    remote: parse('10.0.0.2'),
    remotePort: 65_535,
  };

  test('finds what was added, from either side', () => {
    const table = new FourTuples(key);
    expect(table.find(descriptor(tuple, 48), 48)).toBe(-1);
    expect(lookup(table, tuple)).toBe(-1);
    const row = add(table, tuple);
    expect(table.find(descriptor(tuple, 48), 48)).toBe(row);
    expect(lookup(table, tuple)).toBe(row);
    expect(table.count).toBe(1);
    expect(table.shape(row)).toBe(Shape.None);
    table.set(row, Shape.TimeWait, 2 ** 29 - 1);
    expect([table.shape(row), table.index(row)]).toEqual([Shape.TimeWait, 2 ** 29 - 1]);
    expect(sameAddress(table.local(row), tuple.local)).toBe(true);
    expect(sameAddress(table.remote(row), tuple.remote)).toBe(true);
    expect([table.localPort(row), table.remotePort(row)]).toEqual([80, 65_535]);
  });

  test('each of the four matters', () => {
    const table = new FourTuples(key);
    add(table, tuple);
    const others: Partial<Tuple>[] = [
      { local: parse('10.0.0.3') },
      { local: parse('::a00:1') },
      { remote: parse('10.0.0.3') },
      { remote: parse('1::ffff:10.0.0.2') },
      { localPort: 81 },
      { remotePort: 65_534 },
      { localPort: 65_535, remotePort: 80 },
      { local: tuple.remote, remote: tuple.local },
    ];
    for (const other of others) expect(lookup(table, { ...tuple, ...other })).toBe(-1);
  });

  test('compares every word, whatever the hash', () => {
    const table = new FourTuples(key);
    const words = descriptor(tuple, 0);
    const row = table.addReceived(words, 0);
    for (let word: number = Word.Source; word <= Word.DestinationPort; word++) {
      const other = words.slice();
      other[word] ^= 1;
      expect(table.find(other, 0)).toBe(-1);
    }
    expect(table.find(words, 0)).toBe(row);
  });

  test('tells tuples apart whose hashes are equal', () => {
    const table = new FourTuples(key);
    const first = descriptor(tuple, 0);
    const second = descriptor({ ...tuple, remotePort: 1 }, 0);
    const third = descriptor({ ...tuple, remotePort: 2 }, 0);
    second[Word.Hash] = third[Word.Hash] = first[Word.Hash];
    const rows = [first, second, third].map((words) => table.addReceived(words, 0));
    expect([first, second, third].map((words) => table.find(words, 0))).toEqual(rows);
    table.remove(rows[0]);
    expect([first, second, third].map((words) => table.find(words, 0))).toEqual([
      -1,
      rows[1],
      rows[2],
    ]);
  });

  test('fills a descriptor to be sent', () => {
    const table = new FourTuples(key);
    const words = new Int32Array(2 * Word.Stride);
    table.fill(add(table, tuple), words, Word.Stride);
    expect(words[Word.Stride + Word.Family]).toBe(4);
    expect([...words.subarray(Word.Stride + Word.Source, Word.Stride + Word.Sequence)]).toEqual([
      0, 0, 0xffff, 0x0a000001, 0, 0, 0xffff, 0x0a000002, 80, 65_535,
    ]);
    const six = { ...tuple, local: parse('fd00::1'), remote: parse('fd00::2') };
    table.fill(add(table, six), words, 0);
    expect(words[Word.Family]).toBe(6);
  });

  test('a tuple twice, or a row that is not in use, is a bug', () => {
    const table = new FourTuples(key);
    const row = add(table, tuple);
    expect(() => add(table, tuple)).toThrow('in use');
    table.remove(row);
    expect(() => table.remove(row)).toThrow('not in use');
  });

  test('holds 100,000 tuples in little memory', () => {
    const table = new FourTuples(key);
    const rows: number[] = [];
    for (let i = 0; i < 100_000; i++) {
      rows.push(table.add(tuple.local, 80, ipv4(0x0a010000 + (i >> 4)), 40_000 + (i & 15)));
    }
    expect(new Set(rows).size).toBe(100_000);
    let wrong = 0;
    for (let i = 0; i < 100_000; i++) {
      const row = table.lookup(tuple.local, 80, ipv4(0x0a010000 + (i >> 4)), 40_000 + (i & 15));
      if (row !== rows[i]) wrong++;
    }
    expect(wrong).toBe(0);
    const bytes = Object.values(table)
      .filter((value) => value instanceof Int32Array)
      .reduce((sum, words) => sum + words.byteLength, 0);
    expect(bytes / 100_000).toBeLessThan(72);
  });
});

describe('FourTuples against a Map', () => {
  const address = fc.oneof(
    fc.nat(3).map(ipv4),
    fc.nat(3).map((n) => ipv6(0xfd000000, 0, 0, n)),
  );
  const port = fc.oneof(fc.nat(3), fc.constantFrom(65_535, 32_768));
  const tuple = fc.record({ local: address, localPort: port, remote: address, remotePort: port });
  const operation = fc.record({
    do: fc.constantFrom('add', 'add', 'receive', 'remove', 'find'),
    tuple,
    pick: fc.nat(),
    index: fc.nat(2 ** 29 - 1),
  });

  test('holds the same, through growth, collisions and reuse of rows', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 600, size: 'max' }), (operations) => {
        const table = new FourTuples(key);
        const model = new Map<string, { tuple: Tuple; row: number; index: number }>();
        for (const step of operations) {
          const known = model.get(text(step.tuple));
          if (step.do === 'remove' && model.size > 0) {
            const [name, entry] = [...model][step.pick % model.size];
            table.remove(entry.row);
            model.delete(name);
            expect(lookup(table, entry.tuple)).toBe(-1);
          } else if (known !== undefined || step.do === 'find') {
            const row = table.find(descriptor(step.tuple, 0), 0);
            expect(row).toBe(known === undefined ? -1 : known.row);
          } else {
            const row =
              step.do === 'add'
                ? add(table, step.tuple)
                : table.addReceived(descriptor(step.tuple, 0), 0);
            table.set(row, Shape.Connection, step.index);
            model.set(text(step.tuple), { tuple: step.tuple, row, index: step.index });
          }
          expect(table.count).toBe(model.size);
        }
        for (const entry of model.values()) {
          expect(lookup(table, entry.tuple)).toBe(entry.row);
          expect(table.index(entry.row)).toBe(entry.index);
          expect(sameAddress(table.local(entry.row), entry.tuple.local)).toBe(true);
          expect(sameAddress(table.remote(entry.row), entry.tuple.remote)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
