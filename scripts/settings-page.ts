import { SETTINGS } from '../lib/core/tcp/settings';

const HEAD = `# Settings of TCP, and of IP below it

\`Stack.open({ tcp: { msl: 15_000 } })\` changes a stack's settings, all at once when it is opened.
Names, defaults and ranges come from one table, \`lib/core/tcp/settings.ts\`; where Linux has the
setting as a sysctl its name stands beside ours, and the default is Linux's unless the text says
otherwise. A value out of its range gives a RangeError.

**Don't shorten 2 MSL to save ports.** TIME-WAIT keeps late segments of an old connection out of a
new one on the same ports, and answers the peer's repeated FIN. Entries are cheap; where local ports
run out, use more addresses or ports, or let the peer close first.
`;

/** The text of docs/settings.md. */
export function settingsPage(): string {
  const rows = Object.entries(SETTINGS).map(([name, setting]) => {
    const { sysctl, min, max, unit, about } = setting;
    const title = sysctl === null ? `\`${name}\`` : `\`${name}\` (\`${sysctl}\`)`;
    return `- ${title}: ${about} Default ${setting.default}, ${min} to ${max} (${unit}).`;
  });
  return `${HEAD}\n${rows.join('\n')}\n`;
}
