import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { settle } from './manual-clock';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects all garbage, what finalizers hold on to included. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await settle(5);
    gc();
  }
}
