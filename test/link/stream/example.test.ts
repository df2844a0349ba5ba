import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

/** What each example of a stream link prints. */
const EXAMPLES = [
  ['device-tunnel.mjs', 'hello, fd78::2 at fd78::2\nthe device says: the stream has ended\n'],
  [
    'websocket-host.mjs',
    'fd00::2 has asked for /status\nthe other end is gone: the stream has ended\n',
  ],
];

test.each(EXAMPLES)('the example %s', (name, printed) => {
  const example = resolve(__dirname, '../../../examples', name);
  expect(execFileSync(process.execPath, [example], { encoding: 'utf8' })).toBe(printed);
});
