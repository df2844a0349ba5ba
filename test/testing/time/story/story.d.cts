import type { Network } from '../../../../lib/testing';

declare function story(
  network: typeof Network,
  sleep: (delay: number) => Promise<unknown>,
): Promise<string[]>;
export = story;
