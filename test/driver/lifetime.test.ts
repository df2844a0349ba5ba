import { Lifetime } from '../../lib/driver/lifetime';

function make(limit: number) {
  const handle = {
    alive: false,
    ref: () => (handle.alive = true),
    unref: () => (handle.alive = false),
  };
  return { handle, lifetime: new Lifetime(limit, [handle]) };
}

describe('what keeps a process alive', () => {
  it('is an endpoint that holds it', () => {
    const { handle, lifetime } = make(1000);
    lifetime.settle(0, 0);
    expect(handle.alive).toBe(false);
    lifetime.hold();
    lifetime.hold();
    lifetime.settle(0, 1);
    expect(handle.alive).toBe(true);
    lifetime.release();
    lifetime.settle(0, 2);
    expect(handle.alive).toBe(true);
    lifetime.release();
    lifetime.settle(0, 3);
    expect(handle.alive).toBe(false);
  });

  it('is what was not acknowledged, within the limit', () => {
    const { handle, lifetime } = make(1000);
    expect(lifetime.settle(1, 50)).toBe(1050);
    expect(handle.alive).toBe(true);
    expect(lifetime.settle(1, 1049)).toBe(1050);
    expect(handle.alive).toBe(true);
    expect(lifetime.settle(1, 1050)).toBe(Infinity);
    expect(handle.alive).toBe(false);
  });

  it('starts the limit anew when something else held it, or all was acknowledged', () => {
    const { lifetime } = make(1000);
    expect(lifetime.settle(1, 0)).toBe(1000);
    expect(lifetime.settle(0, 500)).toBe(Infinity);
    expect(lifetime.settle(1, 600)).toBe(1600);
    lifetime.hold();
    expect(lifetime.settle(1, 700)).toBe(Infinity);
    lifetime.release();
    expect(lifetime.settle(1, 800)).toBe(1800);
  });
});
