import { hasReference } from './support/reference';
import { CALLS } from './table/calls';
import { EXCEPTIONS, exceptionFor } from './table/exceptions';
import { askKernel } from './table/kernel';
import { readAnswers, startOurs, TABLES, type Answers, type Table } from './table/table';
import { hasNamespaces, hasTun } from '../support/netns';
import { Script } from '../support/script';
import { hasCommand, needs } from '../support/skip';

// What Linux answers is in the tables' files, which `npm run conformance:tables` has written.

const POLLNVAL = 0x20;

/** Lines that show where answers differ. */
function differences({ cells }: Table, keys: Iterable<number>, ours: Answers, linux: Answers) {
  const lines: string[] = [];
  for (const at of keys) {
    if (ours[at] !== linux[at]) {
      lines.push(`${cells[at].join(' / ')}\n  linux ${linux[at]}\n  ours  ${ours[at]}`);
    }
  }
  return lines;
}

let answers: Answers[] = [];

beforeAll(async () => {
  const script = new Script('test/conformance/child.ts');
  try {
    answers = await script.call<Answers[]>('tables');
  } finally {
    await script.kill();
  }
}, 60_000);

describe.each(TABLES)('the table of $name', (table) => {
  let ours: Answers = [];
  let linux: Answers = [];

  beforeAll(() => {
    linux = readAnswers(table);
    ours = answers[TABLES.indexOf(table)];
  });

  test('each cell is as on Linux', () => {
    const keys = table.cells.map((_, at) => at);
    const held = keys.filter((at) => exceptionFor(table.name, table.cells[at]) === undefined);
    expect(held.length).toBeGreaterThan(0.9 * keys.length);
    expect(differences(table, held, ours, linux)).toEqual([]);
  });

  test('each exception is one, in so many cells', () => {
    const all = EXCEPTIONS.filter((exception) => exception.table === table.name);
    const differ = table.cells.filter((_, at) => ours[at] !== linux[at]);
    const found = all.map((exception) => ({
      ...exception,
      cells: differ.filter((cell) => exceptionFor(table.name, cell) === exception).length,
    }));
    expect(found).toEqual(all);
  });
});

test('every call says EBADF of a handle that is closed', async () => {
  const ours = await startOurs();
  const place = { local: '192.168.0.1', remote: '192.0.2.1', port: 9000 };
  for (const [name, { op, members }] of Object.entries(CALLS)) {
    const { ret: fd } = await ours.request('socket', { domain: 4, type: 1, nonblock: 1 });
    await ours.request('close', { fd });
    const reply = await ours.request(op, members({ ...place, fd: fd as number }));
    if (op === 'poll') expect(reply).toMatchObject({ ret: 1, revents: [POLLNVAL] });
    else expect({ name, errno: reply.errno }).toEqual({ name, errno: 'EBADF' });
  }
});

const isPossible =
  hasReference() && hasCommand('python3') && hasTun() && (process.getuid?.() ?? 0) === 0;
/** One cell of so many is asked for again; it has no factor in common with the columns. */
const STEP = process.env.NETLAND_NIGHTLY === undefined ? 97 : 3;
/** A busy machine disturbs a cell now and then. */
const TRIES = 4;

needs(
  isPossible && hasNamespaces(),
  'root, namespaces, TUN, python3 and shared/conformance/kernel_reference.py beside the clone',
)('the kernel of this machine', () => {
  test.each(TABLES)('still answers so: $name', async (table) => {
    const linux = readAnswers(table);
    const heard = [...linux];
    // What we leave out may be of another build of the kernel.
    let open = table.cells
      .map((_, at) => at)
      .filter((at) => at % STEP === 0 && exceptionFor(table.name, table.cells[at]) === undefined);
    for (let tried = 0; tried < TRIES && open.length > 0; tried++) {
      for (const [at, text] of await askKernel(table, open)) heard[at] = text;
      open = open.filter((at) => heard[at] !== linux[at]);
    }
    expect(differences(table, open, heard, linux)).toEqual([]);
  });
});
