import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * `describe` when `condition` holds. Otherwise a describe whose body is not run: it holds one test
 * that is skipped with the reason as its name, or fails when NETLAND_NO_SKIP=1, so that a machine
 * that ought to run everything can't pass by running less.
 *
 *     needs(hasCommand('tcpdump'), 'tcpdump installed')('against tcpdump', () => { … });
 *
 * @param reason what is needed, as it reads after "needs"
 */
export function needs(
  condition: boolean,
  reason: string,
): (name: string, body: () => void) => void {
  if (condition) return describe;
  return (name) => {
    const title = `needs ${reason}`;
    describe(name, () => {
      if (process.env.NETLAND_NO_SKIP === '1') {
        test(title, () => {
          throw new Error(`${title}, and NETLAND_NO_SKIP=1 allows no skip`);
        });
      } else {
        process.stderr.write(`skipped: ${name}: ${title}\n`);
        test.skip(title, () => undefined);
      }
    });
  };
}

/** Whether PATH, or one of the system's own folders, has the program. */
export function hasCommand(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
