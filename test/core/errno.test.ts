import { constants } from 'node:os';
import { Errno, errnoName } from '../../lib/core/errno';

describe('errno', () => {
  const onLinux = process.platform === 'linux' ? test : test.skip;

  onLinux('has the numbers of the system', () => {
    const system = constants.errno as Readonly<Record<string, number | undefined>>;
    let compared = 0;
    for (let number = 1; number < 256; number++) {
      const name = errnoName(number);
      if (name.startsWith('errno ')) continue;
      // Node's table leaves some out (ESHUTDOWN, EHOSTDOWN).
      if (system[name] === undefined) continue;
      expect([name, number]).toEqual([name, system[name]]);
      compared++;
    }
    expect(compared).toBeGreaterThan(40);
  });

  test('names either sign and numbers that it does not know', () => {
    expect(errnoName(Errno.ECONNREFUSED)).toBe('ECONNREFUSED');
    expect(errnoName(-Errno.ECONNRESET)).toBe('ECONNRESET');
    expect(errnoName(Errno.ESHUTDOWN)).toBe('ESHUTDOWN');
    expect(errnoName(Errno.EHOSTDOWN)).toBe('EHOSTDOWN');
    expect(errnoName(4000)).toBe('errno 4000');
  });
});
