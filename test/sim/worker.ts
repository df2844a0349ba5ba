import type { Portion } from './pool';
import { runSeed } from './run-seed';

// One portion after another, until the parent lets go of the channel.
process.on('message', (portion: Portion) => {
  void live(portion);
});

async function live({ seeds, faults }: Portion): Promise<void> {
  for (const seed of seeds) {
    const outcome = await runSeed(seed, faults);
    process.send?.(outcome);
  }
}
