import { inspect } from 'node:util';
import { Flag } from '../../lib/core/segment/layout';
import { Lab } from './link/lab';

function setting() {
  const lab = new Lab();
  const [client, server] = [lab.station('client'), lab.station('server')];
  lab.link(client, server);
  return { lab, client, server };
}

const PORTS = { sourcePort: 40000, destinationPort: 80 };
const BACK = { sourcePort: 80, destinationPort: 40000 };

describe('the view of a segment', () => {
  test('has all fields by their names', () => {
    const { lab, client, server } = setting();
    const packet = lab.packet(client, server, {
      ...{ sourcePort: 40000, destinationPort: 80, sequence: -2, acknowledgment: -3 },
      ...{ flags: Flag.SYN | Flag.ECE | Flag.CWR, window: 65_535, hopLimit: 63, trafficClass: 2 },
      ...{ mss: 1460, windowScale: 7, sackPermitted: true, timestamps: [-1, 5], size: 200 },
      urgent: 3,
    });
    const view = lab.views.of(packet);
    expect(view).toMatchObject({
      ...{ id: 0, from: 'client', to: 'server', source: '10.0.0.1', destination: '10.0.0.2' },
      ...{ sourcePort: 40000, destinationPort: 80, family: 4, ttl: 63, ecn: 'ect(0)' },
      ...{ seq: 0xfffffffe, ack: 0xfffffffd, flags: 'SEW', window: 65_535, urgent: 3 },
      ...{ isSyn: true, isAck: false, isFin: false, isRst: false, isPsh: false, isUrg: false },
      ...{ isEce: true, isCwr: true, length: 160, packetLength: packet.length },
      ...{ mss: 1460, windowScale: 7, sackPermitted: true, sack: [], corrupted: false },
      timestamps: { value: 0xffffffff, echo: 5 },
    });
    expect(view.payload).toEqual(Buffer.from(packet.payload));
    expect(inspect(view)).toBe(`SegmentView <${view.toString()}>`);
    expect(view.toString()).toMatch(/^IP 10\.0\.0\.1\.40000 > 10\.0\.0\.2\.80: Flags \[SEW\]/);
  });

  test('has nothing where there is nothing', () => {
    const { lab, client, server } = setting();
    const view = lab.views.of(
      lab.packet(client, server, { family: 6, sack: [[-100, 100]], trafficClass: 3 }),
    );
    expect(view).toMatchObject({ family: 6, ecn: 'ce', source: 'fd00::1', destination: 'fd00::2' });
    expect(view.mss).toBeUndefined();
    expect(view.windowScale).toBeUndefined();
    expect(view.timestamps).toBeUndefined();
    expect(view.sackPermitted).toBe(false);
    expect(view.sack).toEqual([[0xffffff9c, 100]]);
    expect(view.payload).toEqual(Buffer.alloc(0));
  });

  test('counts from the SYNs, those of the last connection on these ports', () => {
    const { lab, client, server } = setting();
    for (const [mine, theirs] of [
      [1000, -5],
      [77, 0],
    ]) {
      client.send(server, { ...PORTS, flags: Flag.SYN, sequence: mine });
      const synAck = server.send(client, {
        ...{ ...BACK, flags: Flag.SYN | Flag.ACK, sequence: theirs, acknowledgment: mine + 1 },
      });
      expect(lab.views.of(synAck)).toMatchObject({ relativeSeq: 0, relativeAck: 1 });
      const data = lab.packet(client, server, {
        ...{ ...PORTS, sequence: mine + 1, acknowledgment: theirs + 11, size: 140 },
      });
      const view = lab.views.of(data);
      expect(view).toMatchObject({ relativeSeq: 1, relativeAck: 11 });
      expect(view.toRelativeString()).toContain('seq 1:101, ack 11');
    }
  });

  test('an old SYN that a router sends late changes nothing', () => {
    const { lab, client, server } = setting();
    const old = lab.packet(client, server, { ...PORTS, flags: Flag.SYN, sequence: 1 });
    client.send(server, { ...PORTS, flags: Flag.SYN, sequence: 5000 });
    client.wire?.send(old);
    const data = lab.packet(client, server, { ...PORTS, sequence: 5001 });
    expect(lab.views.of(data).relativeSeq).toBe(1);
    expect(lab.views.of(old).relativeSeq).toBe(0);
  });

  test('shows a corrupted packet as it reads now, while it can be read', () => {
    const { lab, client, server } = setting();
    const packet = lab.packet(client, server, { size: 60 });
    const bytes = packet.bytes();
    bytes[22] ^= 0x80;
    bytes[50] ^= 1;
    packet.spoil(bytes);
    const view = lab.views.of(packet);
    expect(view).toMatchObject({ corrupted: true, destinationPort: 50000 ^ 0x8000 });
    expect(view.payload).toEqual(Buffer.from(bytes.subarray(40)));
    const broken = packet.bytes();
    broken[0] = 0;
    packet.spoil(broken);
    expect(lab.views.of(packet)).toMatchObject({ corrupted: true, from: 'client', length: 20 });
  });
});
