import { Script } from '../support/script';
import { EXCHANGES } from './exchanges/all';
import { readTranscripts, type Transcripts } from './support/transcripts';

// What kernel.test.ts has found to be the kernel's: without a kernel, and to the microsecond.

const transcripts = readTranscripts();
let ours: Transcripts = {};

beforeAll(async () => {
  const script = new Script('test/conformance/child.ts');
  try {
    ours = await script.call<Transcripts>('exchanges');
  } finally {
    await script.kill();
  }
});

test('most exchanges have a transcript', () => {
  const missing = EXCHANGES.filter(({ name }) => !(name in transcripts));
  expect(missing.length).toBeLessThan(0.1 * EXCHANGES.length);
});

test.each(Object.keys(transcripts))('%s', (name) => {
  expect(ours[name]).toEqual(transcripts[name]);
});
