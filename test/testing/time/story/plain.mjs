import { setTimeout as sleep } from 'node:timers/promises';
import { Network } from '../../../../dist/testing/index.mjs';
import story from './story.cjs';

console.log(`story ${JSON.stringify(await story(Network, (ms) => sleep(ms)))}`);
