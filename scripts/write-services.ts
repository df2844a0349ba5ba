/**
 * npm run services: writes the table of well-known ports, lib/core/stack/services.ts, from a file
 * in the format of services(5): by default Debian's (package netbase), which follows IANA's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line for each name: `domain 53/tcp 53/udp`, and behind the ports other names. */
export function servicesTable(text: string): string {
  // By name and other names: those of one port may not be those of another.
  const services = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [name, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (!/^\d+\/(tcp|udp)$/.test(port ?? '')) continue;
    const key = [name, ...aliases].join(' ');
    services.set(key, [...(services.get(key) ?? []), port]);
  }
  const rows = [...services].map(([key, ports]) => {
    const [name, ...aliases] = key.split(' ');
    return [name, ...ports, ...aliases].join(' ');
  });
  const about = 'Made by `npm run services` from the list of Debian’s package netbase.';
  return `/** ${about} */\nexport const SERVICES = \`\n${rows.join('\n')}\n\`;\n`;
}

if (require.main === module) {
  const target = join(__dirname, '..', 'lib', 'core', 'stack', 'services.ts');
  writeFileSync(target, servicesTable(readFileSync(process.argv[2] ?? '/etc/services', 'utf8')));
}
