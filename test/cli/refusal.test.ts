import { missingCapabilities, remedy } from '../../lib/cli/refusal';

function status(effective: string): string {
  return `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapAmb:\t0\n`;
}

describe('what npm start finds missing', () => {
  it('is nothing for root', () => {
    expect(missingCapabilities(status('000001ffffffffff'))).toEqual([]);
  });

  it('is both where a security module has stripped the namespace', () => {
    expect(missingCapabilities(status('0000000000000000'))).toEqual([
      'CAP_NET_ADMIN',
      'CAP_NET_RAW',
    ]);
  });

  it('is one where one was dropped', () => {
    expect(missingCapabilities(status('0000000000002000'))).toEqual(['CAP_NET_ADMIN']);
    expect(missingCapabilities(status('0000000000001000'))).toEqual(['CAP_NET_RAW']);
  });

  it('has a line that gives it', () => {
    expect(remedy(0)).toMatch(/^docker run .*--cap-add=NET_RAW/);
    expect(remedy(1000)).toMatch(/^sudo /);
  });
});
