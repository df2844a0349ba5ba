/** A process that runs test files of a workspace: node worker.ts FOLDER. */
import { runCLI } from 'jest';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Answer, handOver, type Request } from './protocol';

const folder = process.argv[2];

const config = JSON.stringify({
  ...(createRequire(__filename)(join(folder, 'jest.config.js')) as object),
  rootDir: folder,
  cacheDirectory: join(folder, '.jest-cache'),
  testEnvironment: join(folder, 'scripts/mutants/environment.ts'),
  reporters: [],
});

/** Where Stryker's switches look in a process that a test has started. */
const SWITCH = '__STRYKER_ACTIVE_MUTANT__';

async function run(request: Request): Promise<Answer> {
  if (request.mutant === null) delete process.env[SWITCH];
  else process.env[SWITCH] = request.mutant;
  const shared = handOver();
  shared.request = request;
  shared.hits = { outside: {}, perTest: {} };
  const started = Date.now();
  const options = { runTestsByPath: true, runInBand: true, silent: true, watchman: false, config };
  const { results } = await runCLI({ ...options, _: [join(folder, request.file)], $0: 'mutants' }, [
    folder,
  ]);
  const [file] = results.testResults;
  const test = file?.testResults.find(({ status }) => status === 'failed');
  const failure = file === undefined ? 'not found' : file.testExecError?.message;
  return {
    failed: test?.fullName ?? failure ?? null,
    milliseconds: Date.now() - started,
    ...shared.hits,
  };
}

process.on('message', (request: Request) => {
  void run(request).then((answer) => process.send?.(answer));
});
