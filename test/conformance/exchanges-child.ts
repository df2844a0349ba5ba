import { serve } from '../support/rpc';
import { EXCHANGES } from './exchanges/all';
import { runOurs } from './support/reference';
import { linesOf, type Transcripts } from './support/transcripts';

// In a process of its own: under Jest it takes some times as long.
serve({
  /** What each exchange comes to; of one that throws, that. */
  async run(): Promise<Transcripts> {
    const transcripts: Transcripts = {};
    for (const exchange of EXCHANGES) {
      try {
        transcripts[exchange.name] = linesOf((await runOurs(exchange, 10_000)).transcript);
      } catch (error) {
        transcripts[exchange.name] = [String(error)];
      }
    }
    return transcripts;
  },
});
