import { SERVICES } from './services';

/** Well-known ports have names for each of these. */
export type PortProtocol = 'tcp' | 'udp';

interface Names {
  readonly byPort: Map<number, string>;
  readonly byName: Map<string, number>;
}

let tables: Record<PortProtocol, Names> | null = null;

function emptyNames(): Names {
  return { byPort: new Map(), byName: new Map() };
}

/** Read when it is first asked for. */
function namesOf(protocol: PortProtocol): Names {
  if (tables === null) {
    tables = { tcp: emptyNames(), udp: emptyNames() };
    for (const row of SERVICES.trim().split('\n')) addService(tables, row.split(' '));
  }
  return tables[protocol];
}

function addService(into: Record<PortProtocol, Names>, [name, ...rest]: string[]): void {
  const aliases = rest.filter((word) => !word.includes('/'));
  for (const word of rest.filter((other) => other.includes('/'))) {
    const [port, protocol] = word.split('/');
    const names = into[protocol as PortProtocol];
    const number = Number(port);
    // The first of several counts, as in getservbyport(3).
    if (!names.byPort.has(number)) names.byPort.set(number, name);
    for (const each of [name, ...aliases]) {
      if (!names.byName.has(each)) names.byName.set(each, number);
    }
  }
}

/** The name of a well-known port, as getservbyport(3) has it: 'domain' for 53; or undefined. */
export function portName(port: number, protocol: PortProtocol): string | undefined {
  return namesOf(protocol).byPort.get(port);
}

/** The port of a name or of another name of the same, as getservbyname(3) has it; or undefined. */
export function portByName(name: string, protocol: PortProtocol): number | undefined {
  return namesOf(protocol).byName.get(name);
}
