import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { portByName, portName } from '../../../lib/core/stack/port-names';
import { servicesTable } from '../../../scripts/write-services';

describe('well-known ports', () => {
  it.each([
    ['ftp-data', 20, 'tcp'],
    ['ftp', 21, 'tcp'],
    ['ssh', 22, 'tcp'],
    ['telnet', 23, 'tcp'],
    ['smtp', 25, 'tcp'],
    ['http', 80, 'tcp'],
    ['mysql', 3306, 'tcp'],
    ['redis', 6379, 'tcp'],
    ['domain', 53, 'udp'],
    ['bootps', 67, 'udp'],
    ['bootpc', 68, 'udp'],
    ['tftp', 69, 'udp'],
    ['snmp', 161, 'udp'],
    ['nfs', 2049, 'udp'],
  ] as const)('%s is %i of %s', (name, port, protocol) => {
    expect(portName(port, protocol)).toBe(name);
    expect(portByName(name, protocol)).toBe(port);
  });

  it('have other names, too, and none where there is none', () => {
    expect(portByName('mail', 'tcp')).toBe(25);
    expect(portName(69, 'tcp')).toBeUndefined();
    expect(portByName('tftp', 'tcp')).toBeUndefined();
    expect(portByName('', 'tcp')).toBeUndefined();
    expect(portByName('constructor', 'udp')).toBeUndefined();
  });

  it('are read from the format of services(5)', () => {
    const text = '# comment\n\necho 7/tcp\necho 7/udp ping # why\nx 9/sctp\nbad\nlast 1/tcp a b';
    expect(servicesTable(text)).toContain('`\necho 7/tcp\necho 7/udp ping\nlast 1/tcp a b\n`;');
  });

  it('each name of the table belongs to a port that has a name', () => {
    const table = join(__dirname, '../../../lib/core/stack/services.ts');
    const rows = readFileSync(table, 'utf8').split('\n').slice(2, -2);
    expect(existsSync(table) && rows.length).toBeGreaterThan(200);
    for (const row of rows) expect(row).toMatch(/^[\w+.-]+( \d+\/(tcp|udp))+( [\w+.-]+)*$/);
  });
});
