/**
 * The Jest environment of the worker: switches a mutant on, runs the tests that reach it until one
 * fails, and counts which test reaches which mutant.
 */
import type { Circus } from '@jest/types';
import { TestEnvironment } from 'jest-environment-node';
import { handOver } from './protocol';

/** What Stryker's switches read and write; `__stryker__` in the global object. */
interface Switches {
  activeMutant?: string;
  currentTestId?: string;
  hitCount?: number;
  hitLimit?: number;
  mutantCoverage?: { static: Hits; perTest: Record<string, Hits> };
}

type Hits = Record<string, number>;

function nameOf(entry: Circus.TestEntry | Circus.DescribeBlock): string {
  return entry.parent === undefined ? '' : `${nameOf(entry.parent)} ${entry.name}`;
}

export default class MutantEnvironment extends TestEnvironment {
  private readonly request = handOver().request;
  private readonly switches: Switches = {};
  private failed = false;

  override async setup(): Promise<void> {
    await super.setup();
    const { mutant, hitLimit } = this.request;
    // Coverage is counted by test from the moment that one is named.
    if (mutant !== null)
      Object.assign(this.switches, { activeMutant: mutant, hitCount: 0, hitLimit });
    Object.assign(this.global, { __stryker__: this.switches });
  }

  handleTestEvent(event: Circus.Event): void {
    if (event.name === 'test_start') {
      const name = nameOf(event.test);
      const { tests } = this.request;
      if (this.failed || (tests !== null && !tests.includes(name))) event.test.mode = 'skip';
      this.switches.currentTestId = name;
    } else if (event.name === 'test_done') {
      this.failed ||= event.test.errors.length > 0;
      this.switches.currentTestId = undefined;
    }
  }

  override async teardown(): Promise<void> {
    const { static: outside = {}, perTest = {} } = this.switches.mutantCoverage ?? {};
    handOver().hits = { outside, perTest };
    await super.teardown();
  }
}
