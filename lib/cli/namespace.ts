import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { remedy } from './refusal';
import type { Refusal } from './refusal';

/** What the program inside the namespace reports to the one that started it. */
export type Report = { started: true } | { refused: Refusal };

interface Attempt {
  report: Report | null;
  code: number;
  stderr: string;
}

/**
 * Runs a Node program in a network namespace of its own: as root a plain one, else one in a user
 * namespace. Gives its exit code, or says why the system refuses. The program tells by IPC whether
 * it has what it needs (`Report`); `unshare` alone proves nothing, since a security module may let
 * it succeed and take the capabilities away.
 */
export async function runInNamespace(entry: string, args: string[]): Promise<number | Refusal> {
  const uid = process.getuid?.() ?? -1;
  const ways = uid === 0 ? ['-n', '-Urn'] : ['-Urn'];
  let refusal: Refusal = { reason: 'no network namespaces on this system', remedy: remedy(uid) };
  for (const way of ways) {
    const { report, code, stderr } = await attempt(way, entry, args);
    if (report !== null && 'started' in report) {
      process.stderr.write(stderr);
      return code;
    }
    if (report !== null) return report.refused;
    refusal = { reason: whatIsMissing(uid, stderr), remedy: remedy(uid) };
  }
  return refusal;
}

function whatIsMissing(uid: number, stderr: string): string {
  const permission =
    uid === 0 ? 'CAP_SYS_ADMIN to make a network namespace' : 'unprivileged user namespaces';
  return `${permission} (${stderr.trim().split('\n').at(-1) ?? 'unshare failed'})`;
}

function attempt(way: string, entry: string, args: string[]): Promise<Attempt> {
  return new Promise((resolve) => {
    const child: ChildProcess = spawn('unshare', [way, process.execPath, entry, ...args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    const result: Attempt = { report: null, code: 1, stderr: '' };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (result.stderr += text));
    child.on('message', (report: Report) => (result.report = report));
    child.on('error', (error) => {
      result.stderr = `${error.message}: is util-linux installed?`;
      resolve(result);
    });
    child.on('close', (code) => resolve({ ...result, code: code ?? 1 }));
  });
}
