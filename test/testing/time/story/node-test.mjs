import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Network } from '../../../../dist/testing/index.mjs';
import story from './story.cjs';

test('the story', { timeout: 60_000 }, async () => {
  console.log(`story ${JSON.stringify(await story(Network, (ms) => sleep(ms)))}`);
});
