import type { StackCore } from '../../lib/core/stack/stack-core';
import { serve } from '../support/rpc';
import { EXCHANGES } from './exchanges/all';
import type { Exchange } from './support/exchange';
import { runOurs } from './support/reference';
import { linesOf, stateOf, type Transcripts } from './support/transcripts';
import { ourAnswers, TABLES, type Answers } from './table/table';

async function told(exchange: Exchange): Promise<string[]> {
  let state: string[] = [];
  const look = (core: StackCore) => (state = stateOf(core));
  const { transcript } = await runOurs(exchange, 10_000, look);
  return [...linesOf(transcript), ...state];
}

// In a process of its own: under Jest it takes some times as long.
serve({
  /** What each exchange comes to; of one that throws, that. */
  async exchanges(): Promise<Transcripts> {
    const transcripts: Transcripts = {};
    for (const exchange of EXCHANGES) {
      try {
        transcripts[exchange.name] = await told(exchange);
      } catch (error) {
        transcripts[exchange.name] = [String(error)];
      }
    }
    return transcripts;
  },

  /** What each table's cells come to, in the order of `TABLES`. */
  async tables(): Promise<Answers[]> {
    const answers: Answers[] = [];
    for (const table of TABLES) answers.push(await ourAnswers(table));
    return answers;
  },
});
