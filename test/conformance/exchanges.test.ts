import { Script } from '../support/script';
import { EXCHANGES } from './exchanges/all';
import { readTranscripts, type Transcripts } from './support/transcripts';

// What kernel.test.ts has found to be the kernel's: without a kernel, and to the microsecond.

const transcripts = readTranscripts();
let ours: Transcripts = {};

beforeAll(async () => {
  const script = new Script('test/conformance/exchanges-child.ts');
  try {
    ours = await script.call<Transcripts>('run');
  } finally {
    await script.kill();
  }
});

test('there is a transcript for each exchange, and no other', () => {
  expect(Object.keys(transcripts).sort()).toEqual(EXCHANGES.map(({ name }) => name).sort());
});

test.each(EXCHANGES)('$name', ({ name }) => {
  expect(ours[name]).toEqual(transcripts[name]);
});
