import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { Network } from '../../../../dist/testing/index.mjs';
import story from './story.cjs';

test('the story', { timeout: 60_000 }, async () => {
  process.stdout.write(`story ${JSON.stringify(await story(Network, (ms) => sleep(ms)))}\n`);
});
