import fc from 'fast-check';
import type { Environment, PortAuthority } from '../../../lib/core/environment';
import { Errno } from '../../../lib/core/errno';
import { formatAddress, isIpv4, parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { FourTuples } from '../../../lib/core/stack/four-tuples';
import { FreePorts } from '../../../lib/core/stack/free-ports';
import { LocalPorts } from '../../../lib/core/stack/ports';

const address = (text: string) => parseAddress(text) as IpAddress;

/** An authority with few ports that knows what it has given out. */
class Authority implements PortAuthority {
  readonly reserved = new Set<string>();
  readonly refused = new Map<string, number>();
  ephemeral = [40_000, 40_001, 40_002, 40_003];
  /** Ports that it can add when it is asked for more. */
  more: number[][] = [];

  reserve(local: IpAddress, port: number): number {
    const name = `${formatAddress(local)} ${port}`;
    const errno = this.refused.get(name) ?? this.refused.get(`${port}`) ?? 0;
    if (errno !== 0) return errno;
    expect(this.reserved.has(name)).toBe(false);
    this.reserved.add(name);
    return 0;
  }

  release(local: IpAddress, port: number): void {
    expect(this.reserved.delete(`${formatAddress(local)} ${port}`)).toBe(true);
  }

  ephemeralCount(): number {
    return this.ephemeral.length;
  }

  ephemeralPort(_family: number, index: number): number {
    expect(index).toBeGreaterThanOrEqual(0);
    expect(index).toBeLessThan(this.ephemeral.length);
    return this.ephemeral[index];
  }

  growEphemeral(): boolean {
    const block = this.more.shift();
    if (block === undefined) return false;
    this.ephemeral.push(...block);
    return true;
  }
}

function setup(ports: PortAuthority = new Authority(), seed = 1) {
  const environment: Environment = {
    random: new Xoshiro(seed),
    paths: { isLocal: () => true, route: () => Errno.ENETUNREACH },
    ports,
    allocate: (bytes) => new Uint8Array(bytes),
  };
  const tuples = new FourTuples(Int32Array.of(1, 2));
  return { authority: ports as Authority, tuples, ports: new LocalPorts(environment, tuples) };
}

interface Socket {
  at: string;
  reuse?: boolean;
  v6only?: boolean;
}

/** The arguments of a call for a socket; the domain follows from the text of the address. */
function socket({ at, reuse, v6only }: Socket) {
  const domain: 4 | 6 = at.includes(':') ? 6 : 4;
  const options = { reuseAddress: reuse === true ? 1 : 0, ipv6Only: v6only === true ? 1 : 0 };
  return { domain, address: address(at), options };
}

function bind(ports: LocalPorts, who: Socket, port: number): number {
  const { domain, address: local, options } = socket(who);
  return ports.bind(domain, local, port, options);
}

function unbind(ports: LocalPorts, who: Socket, port: number): void {
  const { domain, address: local, options } = socket(who);
  ports.unbind(domain, local, port, options);
}

function listen(ports: LocalPorts, who: Socket, port: number): number {
  const { domain, address: local } = socket(who);
  return ports.listen(domain, local, port);
}

function unlisten(ports: LocalPorts, who: Socket, port: number): void {
  const { domain, address: local } = socket(who);
  ports.unlisten(domain, local, port);
}

const IN_USE = -Errno.EADDRINUSE;

describe('bind(2)', () => {
  // What Linux answers to the second bind: without SO_REUSEADDR on both, and with it.
  test.each<[string, string, boolean, boolean]>([
    ['10.0.0.1', '10.0.0.1', false, true],
    ['10.0.0.1', '10.0.0.2', true, true],
    ['0.0.0.0', '10.0.0.1', false, true],
    ['10.0.0.1', '0.0.0.0', false, true],
    ['0.0.0.0', '0.0.0.0', false, true],
    ['::', '0.0.0.0', false, true],
    ['0.0.0.0', '::', false, true],
    ['::', '10.0.0.1', false, true],
    ['::', 'fd00::1', false, true],
    ['fd00::1', '0.0.0.0', true, true],
    ['fd00::1', 'fd00::1', false, true],
    ['::ffff:10.0.0.1', '10.0.0.1', false, true],
    ['::ffff:0.0.0.0', '10.0.0.1', false, true],
    ['::ffff:0.0.0.0', 'fd00::1', true, true],
  ])('%s, then %s', (first, second, plain, reusing) => {
    for (const reuse of [false, true]) {
      const { ports } = setup();
      expect(bind(ports, { at: first, reuse }, 80)).toBe(80);
      const expected = (reuse ? reusing : plain) ? 80 : IN_USE;
      expect(bind(ports, { at: second, reuse }, 80)).toBe(expected);
      expect(bind(ports, { at: second, reuse }, 81)).toBe(81);
    }
  });

  test('SO_REUSEADDR counts only where both have it', () => {
    const { ports } = setup();
    bind(ports, { at: '10.0.0.1', reuse: true }, 80);
    expect(bind(ports, { at: '10.0.0.1' }, 80)).toBe(IN_USE);
    bind(ports, { at: '10.0.0.1' }, 81);
    expect(bind(ports, { at: '10.0.0.1', reuse: true }, 81)).toBe(IN_USE);
  });

  test('IPV6_V6ONLY leaves IPv4 to others', () => {
    const { ports, authority } = setup();
    expect(bind(ports, { at: '::', v6only: true }, 80)).toBe(80);
    expect([...authority.reserved]).toEqual([':: 80']);
    expect(bind(ports, { at: '0.0.0.0' }, 80)).toBe(80);
    expect(bind(ports, { at: 'fd00::1' }, 80)).toBe(IN_USE);
    expect(bind(ports, { at: '::ffff:10.0.0.1', v6only: true }, 82)).toBe(-Errno.EINVAL);
  });

  test('an IPv4 socket takes no IPv6 address', () => {
    const { ports } = setup();
    const options = { reuseAddress: 0, ipv6Only: 0 };
    expect(ports.bind(4, address('fd00::1'), 80, options)).toBe(-Errno.EAFNOSUPPORT);
  });

  test('a listener shares its port with no other listener', () => {
    const { ports } = setup();
    const first: Socket = { at: '0.0.0.0', reuse: true };
    const second: Socket = { at: '10.0.0.1', reuse: true };
    bind(ports, first, 80);
    bind(ports, second, 80);
    expect(listen(ports, first, 80)).toBe(0);
    expect(listen(ports, second, 80)).toBe(IN_USE);
    expect(bind(ports, { at: '10.0.0.2', reuse: true }, 80)).toBe(IN_USE);
    unlisten(ports, first, 80);
    expect(listen(ports, second, 80)).toBe(0);
    unlisten(ports, second, 80);
    unbind(ports, second, 80);
    expect(listen(ports, first, 80)).toBe(0);
  });

  test('of two that are bound alike, the right one listens', () => {
    const { ports } = setup();
    const both: Socket = { at: '10.0.0.1', reuse: true };
    bind(ports, both, 80);
    bind(ports, both, 80);
    expect(listen(ports, both, 80)).toBe(0);
    // The other is closed; the port still has a listener.
    unbind(ports, both, 80);
    expect(bind(ports, both, 80)).toBe(IN_USE);
    unlisten(ports, both, 80);
    expect(bind(ports, both, 80)).toBe(80);
  });

  test('what the link refuses is refused', () => {
    const { ports, authority } = setup();
    authority.refused.set('80', Errno.EACCES);
    expect(bind(ports, { at: '0.0.0.0' }, 80)).toBe(-Errno.EACCES);
    // A dual-stack wildcard needs both families, or nothing.
    authority.refused.set('0.0.0.0 90', Errno.EADDRINUSE);
    expect(bind(ports, { at: '::' }, 90)).toBe(IN_USE);
    expect(authority.reserved.size).toBe(0);
    expect(bind(ports, { at: 'fd00::1' }, 90)).toBe(90);
  });

  test('a port that is given back is free', () => {
    const { ports, authority } = setup();
    for (const who of [{ at: '::' }, { at: '10.0.0.1' }, { at: '::', v6only: true }]) {
      for (let i = 0; i < 3; i++) {
        expect(bind(ports, who, 80)).toBe(80);
        unbind(ports, who, 80);
        expect(authority.reserved.size).toBe(0);
      }
    }
    expect(() => unbind(ports, { at: '::' }, 80)).toThrow('port 80');
  });

  test('a wildcard that connect has made an address is unbound by that', () => {
    const { ports, authority } = setup();
    bind(ports, { at: '::' }, 80);
    unbind(ports, { at: 'fd00::1' }, 80);
    expect(authority.reserved.size).toBe(0);
  });
});

describe('port 0', () => {
  test('takes every ephemeral port once, then asks for more, then fails', () => {
    const { ports, authority } = setup();
    authority.more = [[50_000, 50_001]];
    authority.refused.set('40002', Errno.EADDRINUSE);
    const bound = Array.from({ length: 5 }, () => bind(ports, { at: '10.0.0.1', reuse: true }, 0));
    expect(bound.sort()).toEqual([40_000, 40_001, 40_003, 50_000, 50_001]);
    expect(bind(ports, { at: '10.0.0.1', reuse: true }, 0)).toBe(IN_USE);
    expect(bind(ports, { at: '10.0.0.2' }, 0)).toBeGreaterThan(0);
  });

  test('begins anywhere', () => {
    const first = [...Array(40).keys()].map((seed) =>
      bind(setup(new FreePorts(), seed).ports, { at: '::' }, 0),
    );
    expect(new Set(first).size).toBeGreaterThan(35);
    for (const port of first) {
      expect(port).toBeGreaterThanOrEqual(32_768);
      expect(port).toBeLessThanOrEqual(60_999);
    }
  });

  test('keeps to IP_LOCAL_PORT_RANGE; either end may be open', () => {
    const { ports, authority } = setup();
    const bindIn = (first: number, last: number): number =>
      ports.bind(4, local, 0, {
        reuseAddress: 0,
        ipv6Only: 0,
        localPortRange: first + last * 65_536,
      });
    const local = address('10.0.0.1');
    authority.ephemeral = [40_000, 40_001, 40_002, 40_003];
    expect(bindIn(40_001, 40_001)).toBe(40_001);
    expect(bindIn(40_001, 40_001)).toBe(IN_USE);
    expect(bindIn(40_003, 0)).toBe(40_003);
    expect(bindIn(0, 40_000)).toBe(40_000);
    const remote = address('192.0.2.1');
    expect(ports.pickEphemeral(local, remote, 80, undefined, 40_003)).toBe(-Errno.EADDRNOTAVAIL);
    expect(ports.pickEphemeral(local, remote, 80, undefined, 40_002)).toBe(40_002);
  });

  test('says what is wrong when it is not the port', () => {
    const { ports, authority } = setup();
    for (const port of authority.ephemeral) authority.refused.set(`${port}`, Errno.EPERM);
    expect(bind(ports, { at: '0.0.0.0' }, 0)).toBe(-Errno.EPERM);
  });

  test('an authority that grows by nothing is asked once', () => {
    const { ports, authority } = setup();
    authority.ephemeral = [];
    authority.more = [[], [1]];
    expect(bind(ports, { at: '0.0.0.0' }, 0)).toBe(IN_USE);
    expect(authority.more).toEqual([[1]]);
  });

  test('no range of ports is refused', () => {
    expect(() => new FreePorts(10, 9)).toThrow(RangeError);
    expect(() => new FreePorts(0, 9)).toThrow(RangeError);
    expect(() => new FreePorts(1, 65_536)).toThrow(RangeError);
    expect(() => new FreePorts(NaN)).toThrow(RangeError);
  });
});

describe('connections on a port', () => {
  const local = address('10.0.0.1');
  const remote = address('10.0.0.9');

  /** As connect(2) does for a socket that isn't bound: the port, with its four-tuple entered. */
  function connect(env: ReturnType<typeof setup>, to = remote, remotePort = 80): number {
    const port = env.ports.pickEphemeral(local, to, remotePort);
    if (port < 0) return port;
    expect(env.ports.retain(local, port)).toBe(0);
    env.tuples.add(local, port, to, remotePort);
    return port;
  }

  test('each gets a port of its own towards one endpoint; others share them', () => {
    const env = setup();
    env.authority.more = [[50_000]];
    const ports = Array.from({ length: 5 }, () => connect(env));
    expect(ports.sort()).toEqual([40_000, 40_001, 40_002, 40_003, 50_000]);
    expect(connect(env)).toBe(-Errno.EADDRNOTAVAIL);
    expect(connect(env, remote, 81)).toBeGreaterThan(0);
    expect(connect(env, address('10.0.0.10'))).toBeGreaterThan(0);
    expect(env.authority.reserved.size).toBe(5);
  });

  test('a port is given back with its last connection', () => {
    const env = setup();
    const port = connect(env);
    // The same port towards another endpoint.
    expect(env.ports.retain(local, port)).toBe(0);
    env.ports.release(local, port);
    expect(env.authority.reserved.size).toBe(1);
    env.ports.release(local, port);
    expect(env.authority.reserved.size).toBe(0);
    expect(() => env.ports.release(local, port)).toThrow(`port ${port}`);
  });

  test('an entry in TIME-WAIT may be taken over where it says so', () => {
    const env = setup();
    env.authority.ephemeral = [40_000];
    const port = connect(env);
    const old = env.tuples.lookup(local, port, remote, 80);
    expect(env.ports.pickEphemeral(local, remote, 80, () => false)).toBe(-Errno.EADDRNOTAVAIL);
    expect(env.ports.pickEphemeral(local, remote, 80, (row) => row === old)).toBe(port);
    // The old entry goes before the new connection takes the port over.
    env.ports.release(local, port);
    expect(env.authority.reserved.size).toBe(1);
    expect(env.ports.retain(local, port)).toBe(0);
    env.ports.release(local, port);
    expect(env.authority.reserved.size).toBe(0);
  });

  test('a port that was picked and given up leaves nothing behind', () => {
    const { ports, authority } = setup();
    const port = ports.pickEphemeral(local, remote, 80);
    ports.release(local, port);
    expect(authority.reserved.size).toBe(0);
    for (let i = 0; i < 2; i++) expect(ports.retain(local, 80)).toBe(0);
    ports.release(local, 80);
    expect(authority.reserved.size).toBe(1);
    ports.release(local, 80);
    expect(authority.reserved.size).toBe(0);
  });

  test('ports that are bound or refused are left out', () => {
    const env = setup();
    bind(env.ports, { at: '0.0.0.0' }, 40_000);
    bind(env.ports, { at: '10.0.0.2' }, 40_001);
    env.authority.refused.set('10.0.0.1 40002', Errno.EADDRINUSE);
    expect([connect(env), connect(env)].sort()).toEqual([40_001, 40_003]);
    expect(connect(env)).toBe(-Errno.EADDRNOTAVAIL);
    env.authority.refused.set('10.0.0.1 40001', Errno.EPERM);
    env.authority.refused.set('10.0.0.1 40003', Errno.EPERM);
    const other = setup(env.authority);
    expect(connect(other)).toBe(-Errno.EPERM);
  });

  test('towards one endpoint one port follows another; nobody else can tell (RFC 6056)', () => {
    const env = setup(new FreePorts());
    const runs = [1, 2, 3, 4].map((n) =>
      Array.from({ length: 20 }, () => connect(env, address(`10.0.0.${n}`))),
    );
    for (const run of runs) {
      const steps = run.slice(1).map((port, i) => (port - run[i] + 28_232) % 28_232);
      for (const step of steps) {
        expect(step).toBeGreaterThanOrEqual(1);
        expect(step).toBeLessThanOrEqual(8);
      }
    }
    expect(new Set(runs.map((run) => run[0])).size).toBe(4);
    const again = setup(new FreePorts(), 2);
    expect(connect(again, address('10.0.0.1'))).not.toBe(runs[0][0]);
  });

  test('keep bind away until they are gone, unless both sides have SO_REUSEADDR', () => {
    for (const reuse of [false, true]) {
      const { ports, authority } = setup();
      const server: Socket = { at: '0.0.0.0', reuse };
      bind(ports, server, 80);
      listen(ports, server, 80);
      ports.retain(local, 80);
      unlisten(ports, server, 80);
      unbind(ports, server, 80);
      // The listener is closed and its connection, or its TIME-WAIT entry, keeps the guard.
      expect([...authority.reserved]).toEqual(['0.0.0.0 80']);
      expect(bind(ports, { at: '10.0.0.1' }, 80)).toBe(IN_USE);
      expect(bind(ports, { at: '0.0.0.0' }, 80)).toBe(IN_USE);
      expect(bind(ports, { at: '10.0.0.2' }, 80)).toBe(80);
      unbind(ports, { at: '10.0.0.2' }, 80);
      expect(bind(ports, server, 80)).toBe(reuse ? 80 : IN_USE);
      if (reuse) unbind(ports, server, 80);
      ports.release(local, 80);
      expect(authority.reserved.size).toBe(0);
      expect(bind(ports, { at: '0.0.0.0' }, 80)).toBe(80);
    }
  });

  test('one that was made without SO_REUSEADDR is enough to keep bind away', () => {
    const { ports } = setup();
    const port = ports.pickEphemeral(local, remote, 80);
    ports.retain(local, port);
    expect(bind(ports, { at: '0.0.0.0', reuse: true }, port)).toBe(IN_USE);
    ports.release(local, port);
    expect(bind(ports, { at: '0.0.0.0', reuse: true }, port)).toBe(port);
  });

  test('a dual-stack listener has connections of both families', () => {
    const { ports, authority } = setup();
    bind(ports, { at: '::' }, 80);
    listen(ports, { at: '::' }, 80);
    expect(ports.retain(address('10.0.0.1'), 80)).toBe(0);
    expect(ports.retain(address('fd00::1'), 80)).toBe(0);
    expect([...authority.reserved].sort()).toEqual(['0.0.0.0 80', ':: 80']);
    unlisten(ports, { at: '::' }, 80);
    unbind(ports, { at: '::' }, 80);
    expect(authority.reserved.size).toBe(2);
    ports.release(address('fd00::1'), 80);
    expect([...authority.reserved]).toEqual(['0.0.0.0 80']);
    ports.release(address('10.0.0.1'), 80);
    expect(authority.reserved.size).toBe(0);
  });
});

describe('LocalPorts in any order of events', () => {
  const addresses = ['10.0.0.1', '10.0.0.2', 'fd00::1', '0.0.0.0', '::'];
  const event = fc.record({
    do: fc.constantFrom('bind', 'bind', 'retain', 'retain', 'unbind', 'release'),
    at: fc.constantFrom(...addresses),
    port: fc.constantFrom(80, 81),
    reuse: fc.boolean(),
    v6only: fc.boolean(),
    pick: fc.nat(),
  });

  test('every port that is needed is reserved, and no other', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
        const { ports, authority } = setup();
        const bound: (Socket & { port: number })[] = [];
        const connections: { at: string; port: number }[] = [];
        for (const step of events) {
          if (step.do === 'bind') {
            if (bind(ports, step, step.port) > 0) bound.push(step);
          } else if (step.do === 'retain') {
            const at = step.at === '::' ? 'fd00::2' : step.at.replace('0.0.0.0', '10.0.0.3');
            expect(ports.retain(address(at), step.port)).toBe(0);
            connections.push({ at, port: step.port });
          } else if (step.do === 'unbind' && bound.length > 0) {
            const [gone] = bound.splice(step.pick % bound.length, 1);
            unbind(ports, gone, gone.port);
          } else if (step.do === 'release' && connections.length > 0) {
            const [gone] = connections.splice(step.pick % connections.length, 1);
            ports.release(address(gone.at), gone.port);
          }
          const missing = [...bound, ...connections].filter(({ at, port }) => {
            const wildcard = isIpv4(address(at)) ? '0.0.0.0' : '::';
            return (
              !authority.reserved.has(`${at} ${port}`) &&
              !authority.reserved.has(`${wildcard} ${port}`)
            );
          });
          expect(missing).toEqual([]);
        }
        for (const gone of bound) unbind(ports, gone, gone.port);
        for (const gone of connections) ports.release(address(gone.at), gone.port);
        expect(authority.reserved.size).toBe(0);
      }),
      { numRuns: 80 },
    );
  });
});

describe('connections from many addresses of ours on one port', () => {
  const nth = (i: number) => address(i % 2 === 0 ? `10.0.${i >> 8}.${i & 255}` : `fd00::${i}`);

  test('each is held while it is counted, in whatever order they go', () => {
    const counts = fc.array(fc.nat(63), { maxLength: 400 });
    fc.assert(
      fc.property(counts, fc.infiniteStream(fc.nat(1)), (ends, open) => {
        const { authority, ports } = setup();
        const held = new Map<number, number>();
        for (const i of ends) {
          const count = held.get(i) ?? 0;
          const more = count === 0 || open.next().value === 1;
          if (more) expect(ports.retain(nth(i), 443)).toBe(0);
          else ports.release(nth(i), 443);
          held.set(i, count + (more ? 1 : -1));
          if (held.get(i) === 0) held.delete(i);
        }
        const expected = [...held.keys()].map((i) => `${formatAddress(nth(i))} 443`);
        expect([...authority.reserved].sort()).toEqual(expected.sort());
      }),
      { numRuns: 50 },
    );
  });

  test('thousands of them, and a socket on all addresses', () => {
    const { authority, ports } = setup();
    const all = Array.from({ length: 5000 }, (_, i) => i);
    for (const i of all) expect(ports.retain(nth(i), 443)).toBe(0);
    expect(ports.bind(4, address('0.0.0.0'), 443, { reuseAddress: 1, ipv6Only: 0 })).toBe(
      -Errno.EADDRINUSE,
    );
    expect(() => ports.release(nth(5001), 443)).toThrow(/not held/);
    for (const i of all.filter((j) => j % 3 > 0)) ports.release(nth(i), 443);
    expect(authority.reserved.size).toBe(1667);
    for (const i of all.filter((j) => j % 3 === 0)) ports.release(nth(i), 443);
    expect(authority.reserved.size).toBe(0);
    const options = { reuseAddress: 0, ipv6Only: 0 };
    expect(ports.bind(6, address('::'), 443, options)).toBe(443);
    expect(ports.retain(nth(2), 443)).toBe(0);
    ports.unbind(6, address('::'), 443, options);
    expect(authority.reserved.size).toBe(1);
    ports.release(nth(2), 443);
    expect(authority.reserved.size).toBe(0);
  });
});
