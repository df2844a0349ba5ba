import { ipv4, parseAddress, type IpAddress } from '../../../lib/core/ip/address';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { InitialSequence } from '../../../lib/core/tcp/isn';
import { PEER_PORT, Peer } from '../../support/peer';

const local = parseAddress('10.0.0.1') as IpAddress;
const remote = parseAddress('10.0.0.2') as IpAddress;

const make = (seed = 1) => new InitialSequence(new Xoshiro(seed));

describe('InitialSequence (RFC 6528)', () => {
  test('follows a clock of 4 µs on one pair of endpoints, through its wrap', () => {
    const sequence = make();
    const at = (now: number) => sequence.isn(local, 1, remote, 2, now);
    for (const now of [0, 4, 1000, 2 ** 31 * 4, 2 ** 32 * 4, 2 ** 52]) {
      expect((at(now) - at(0)) | 0).toBe(Math.floor(now / 4) | 0);
      expect(at(now + 3)).toBe(at(now));
      expect((at(now + 4) - at(now)) | 0).toBe(1);
    }
  });

  test('each of the endpoints changes it, and so does the secret', () => {
    const sequence = make();
    const other = ipv4(0x0a000003);
    const values = [
      sequence.isn(local, 1, remote, 2, 0),
      sequence.isn(other, 1, remote, 2, 0),
      sequence.isn(local, 3, remote, 2, 0),
      sequence.isn(local, 1, other, 2, 0),
      sequence.isn(local, 1, remote, 3, 0),
      sequence.isn(local, 2, remote, 1, 0),
      sequence.isn(remote, 2, local, 1, 0),
      make(2).isn(local, 1, remote, 2, 0),
    ];
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toBe(value | 0);
    expect(make().isn(local, 1, remote, 2, 0)).toBe(values[0]);
  });

  test('is spread over all numbers', () => {
    const sequence = make();
    const quarters = [0, 0, 0, 0];
    for (let port = 0; port < 4000; port++) {
      quarters[sequence.isn(local, port, remote, 2, 0) >>> 30]++;
    }
    for (const count of quarters) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('the offset of the timestamps is fixed for a four-tuple and has a secret of its own', () => {
    const sequence = make();
    const offset = sequence.timestampOffset(local, 1, remote, 2);
    sequence.isn(local, 9, remote, 9, 9);
    expect(sequence.timestampOffset(local, 1, remote, 2)).toBe(offset);
    expect(sequence.timestampOffset(local, 1, remote, 3)).not.toBe(offset);
    expect(sequence.isn(local, 1, remote, 2, 0)).not.toBe(offset);
  });

  test('a SYN has both, of its addresses and ports', () => {
    const peer = new Peer({ start: 1_000_000 });
    peer.dial();
    const { isn } = peer.host.core.tcp;
    const [{ tsVal }] = peer.heard();
    expect(peer.hostIss).toBe(isn.isn(local, peer.hostPort, remote, PEER_PORT, peer.now));
    const offset = isn.timestampOffset(local, peer.hostPort, remote, PEER_PORT);
    expect((tsVal - offset) | 0).toBe(1000);
  });
});
