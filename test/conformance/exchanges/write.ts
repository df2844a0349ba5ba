// Writes what the exchanges come to, after a change that kernel.test.ts has approved of:
//
//     npm run conformance:transcripts

import { Script } from '../../support/script';
import { writeTranscripts, type Transcripts } from '../support/transcripts';

async function main(): Promise<void> {
  const [first, second] = await Promise.all([0, 1].map(run));
  for (const name of Object.keys(first)) {
    if (first[name].join('\n') !== second[name].join('\n')) throw new Error(`by chance: ${name}`);
  }
  writeTranscripts(first);
}

async function run(): Promise<Transcripts> {
  const script = new Script('test/conformance/child.ts');
  const transcripts = await script.call<Transcripts>('exchanges');
  await script.end();
  return transcripts;
}

void main();
