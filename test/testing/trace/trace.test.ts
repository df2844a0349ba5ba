import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Flag } from '../../../lib/core/segment/layout';
import { State } from '../../../lib/core/tcp/state';
import type { Trace } from '../../../lib/testing/trace/trace';
import { pattern } from '../../support/segments';
import { hasCommand, needs } from '../../support/skip';
import { client, packet, server, toClient, toServer, tracing } from './support';

const { SYN, ACK, FIN, RST, PSH } = {
  SYN: Flag.SYN,
  ACK: Flag.ACK,
  FIN: Flag.FIN,
  RST: Flag.RST,
  PSH: Flag.PSH,
};
/** Close to the wrap. */
const ISN = -5;
const PEER_ISN = 1_000_000;

/** A handshake over 20 ms, the SYN lost once, and ten bytes that arrive twice. */
function story(): Trace {
  const { trace, clock } = tracing();
  const syn = () => toServer({ sequence: ISN, flags: SYN, mss: 1460, windowScale: 7 });
  trace.sent(client, syn(), State.SYN_SENT);
  trace.lost(toServer({}), 'nowhere', 'lost');
  const first = syn();
  clock.now = 1_000_000;
  trace.noted('cut client-server');
  trace.sent(client, first, State.SYN_SENT);
  trace.lost(first, 'client-server', 'cut');
  clock.now = 1_500_000;
  trace.noted('heal client-server');
  const second = syn();
  clock.now = 3_000_001;
  trace.sent(client, second, State.SYN_SENT);
  clock.now += 20_000;
  trace.received(server, second, State.SYN_RECEIVED);
  const answer = toClient({
    ...{ sequence: PEER_ISN, acknowledgment: ISN + 1, flags: SYN | ACK },
    sackPermitted: true,
  });
  trace.sent(server, answer, State.SYN_RECEIVED);
  clock.now += 20_000;
  trace.received(client, answer, State.ESTABLISHED);
  const data = toServer({
    ...{ sequence: ISN + 1, acknowledgment: PEER_ISN + 1, flags: PSH | ACK },
    ...{ payload: [pattern(10)], timestamps: [-1, 7] },
  });
  trace.sent(client, data, State.ESTABLISHED);
  clock.now += 20_000;
  trace.received(server, data.copy(), State.ESTABLISHED);
  clock.now += 1;
  trace.received(server, data.copy(), State.ESTABLISHED);
  return trace;
}

describe('segments', () => {
  test('with what became of them', () => {
    const ends = { from: 'client', to: 'server', sourcePort: 40_000, destinationPort: 80 };
    const syn = {
      ...{ ...ends, flags: 'S', seq: 0, length: 0, window: 500, mss: 1460, windowScale: 7 },
      state: 'SYN-SENT',
    };
    expect(story().segments()).toEqual([
      { ...syn, time: 0, retransmission: false, arrivals: 0 },
      {
        ...{ ...syn, time: 1000, retransmission: true, arrivals: 0 },
        ...{ lost: 'cut', lostAt: 'client-server' },
      },
      {
        ...{ ...syn, time: 3000.001, retransmission: true, arrivals: 1 },
        ...{ receivedAt: 3020.001, stateAfter: 'SYN-RECEIVED' },
      },
      {
        ...{
          time: 3020.001,
          from: 'server',
          to: 'client',
          sourcePort: 80,
          destinationPort: 40_000,
        },
        ...{ flags: 'S.', seq: 0, ack: 1, length: 0, window: 500, sackPermitted: true },
        ...{ state: 'SYN-RECEIVED', retransmission: false },
        ...{ arrivals: 1, receivedAt: 3040.001, stateAfter: 'ESTABLISHED' },
      },
      {
        ...{ ...ends, time: 3040.001, flags: 'P.', seq: 1, ack: 1, length: 10, window: 500 },
        ...{ timestamps: { value: 2 ** 32 - 1, echo: 7 } },
        ...{ state: 'ESTABLISHED', retransmission: false },
        ...{ arrivals: 2, receivedAt: 3060.001, stateAfter: 'ESTABLISHED' },
      },
    ]);
  });

  test.each([
    [{ from: 'client' }, ['S', 'S', 'S', 'P.']],
    [{ to: 'client' }, ['S.']],
    [{ host: 'server', flags: 'S.' }, ['S.']],
    [{ host: 'nobody' }, []],
    [{ port: 80, having: 'S' }, ['S', 'S', 'S', 'S.']],
    [{ port: 81 }, []],
    [{ since: 1000, until: 3000.001 }, ['S', 'S']],
    [{ data: true }, ['P.']],
    [{ data: false, having: '.' }, ['S.']],
    [{ retransmission: true }, ['S', 'S']],
    [{ lost: true }, ['S']],
    [{ lost: false, flags: 'S' }, ['S', 'S']],
  ])('chosen by %j', (filter, flags) => {
    expect(
      story()
        .segments(filter)
        .map((segment) => segment.flags),
    ).toEqual(flags);
  });

  test('flags that there are not are refused', () => {
    const { trace } = tracing();
    const error = { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' };
    expect(() => trace.segments({ flags: 'SA' })).toThrow(expect.objectContaining(error));
    expect(() => trace.lines({ having: '' })).toThrow(expect.objectContaining(error));
  });

  test('an urgent pointer, and SACK blocks that count as acknowledgments do', () => {
    const { trace } = tracing();
    trace.sent(client, toServer({ sequence: 5, flags: SYN }), State.SYN_SENT);
    const answer = { sequence: -1, acknowledgment: 6, flags: SYN | ACK };
    trace.sent(server, toClient(answer), State.SYN_RECEIVED);
    trace.sent(client, toServer({ flags: ACK | Flag.URG, urgent: 9 }), State.ESTABLISHED);
    const sack: [number, number][] = [
      [106, 206],
      [306, 406],
    ];
    trace.sent(server, toClient({ acknowledgment: 6, sack }), State.ESTABLISHED);
    expect(trace.segments({ having: 'U' })).toMatchObject([{ flags: '.U', urgent: 9 }]);
    expect(trace.segments({ from: 'server', flags: '.' })).toMatchObject([
      {
        ack: 1,
        sack: [
          [101, 201],
          [301, 401],
        ],
      },
    ]);
  });

  test('the packet is kept as it was: routers and links change it afterwards', () => {
    const { trace } = tracing();
    const segment = toServer({ payload: [pattern(20)], flags: ACK });
    trace.sent(client, segment, State.ESTABLISHED);
    const bytes = segment.bytes();
    bytes[33] ^= 2;
    segment.spoil(bytes);
    trace.lost(segment, 'server', 'invalid');
    expect(trace.segments()).toMatchObject([
      { flags: '.', length: 20, lost: 'invalid', lostAt: 'server', arrivals: 0 },
    ]);
  });

  test('what was sent before is a retransmission, also as a part of more', () => {
    const { trace } = tracing();
    const send = (sequence: number, length: number, flags: number) => {
      const payload = length > 0 ? [pattern(length)] : [];
      trace.sent(client, toServer({ sequence, flags, payload }), State.ESTABLISHED);
    };
    send(-10, 5, ACK);
    send(-5, 10, ACK);
    // An acknowledgment and a probe carry nothing.
    send(-5, 0, ACK);
    send(-11, 0, ACK);
    send(-5, 10, ACK);
    send(0, 10, ACK);
    send(10, 0, FIN | ACK);
    send(10, 0, FIN | ACK);
    // Another connection on the same ports.
    send(-2000, 0, SYN);
    send(-1999, 10, ACK);
    expect(trace.segments().map((segment) => segment.retransmission)).toEqual([
      ...[false, false, false, false, true, true, false, true],
      ...[false, false],
    ]);
  });
});

describe('sequence numbers', () => {
  test('begin anew with another connection on the same ports', () => {
    const { trace } = tracing();
    const handshake = (isn: number, peer: number) => {
      trace.sent(client, toServer({ sequence: isn, flags: SYN }), State.SYN_SENT);
      const answer = { sequence: peer, acknowledgment: isn + 1, flags: SYN | ACK };
      trace.sent(server, toClient(answer), State.SYN_RECEIVED);
      const third = { sequence: isn + 1, acknowledgment: peer + 1 };
      trace.sent(client, toServer(third), State.ESTABLISHED);
    };
    handshake(100, 200);
    handshake(-3, 2 ** 31 - 1);
    expect(trace.segments().map(({ flags, seq, ack }) => [flags, seq, ack])).toEqual([
      ...[['S', 0, undefined] as const, ['S.', 0, 1] as const, ['.', 1, 1] as const],
      ...[['S', 0, undefined] as const, ['S.', 0, 1] as const, ['.', 1, 1] as const],
    ]);
  });

  test('of a RST by nobody are its own: 0, and the SYN acknowledged', () => {
    const { trace } = tracing();
    for (const sequence of [70, 9000]) {
      trace.sent(client, toServer({ sequence, flags: SYN }), State.SYN_SENT);
      const refusal = { sequence: 0, acknowledgment: sequence + 1, flags: RST | ACK };
      trace.sent(server, toClient(refusal), State.CLOSED);
    }
    expect(trace.segments({ from: 'server' })).toMatchObject([
      { flags: 'R.', seq: 0, ack: 1 },
      { flags: 'R.', seq: 0, ack: 1 },
    ]);
  });

  test('of a wrong acknowledgment of the SYN show that it is wrong', () => {
    const { trace } = tracing();
    trace.sent(client, toServer({ sequence: 70, flags: SYN }), State.SYN_SENT);
    const wrong = { sequence: 5, acknowledgment: 1070, flags: SYN | ACK };
    trace.sent(server, toClient(wrong), State.SYN_RECEIVED);
    trace.sent(client, toServer({ sequence: 1070, flags: RST }), State.SYN_SENT);
    expect(trace.segments({ from: 'server' })).toMatchObject([{ seq: 0, ack: 1000 }]);
    expect(trace.segments({ flags: 'R' })).toMatchObject([{ seq: 1000 }]);
  });

  test('can be had as they stand in the header', () => {
    expect(story().segments({ absolute: true, lost: false }).at(-1)).toMatchObject({
      ...{ flags: 'P.', seq: 2 ** 32 + ISN + 1, ack: PEER_ISN + 1 },
    });
  });

  test('of both SYNs that cross count from their own', () => {
    const { trace } = tracing();
    trace.sent(client, toServer({ sequence: 10, flags: SYN }), State.SYN_SENT);
    trace.sent(server, toClient({ sequence: 20, flags: SYN }), State.SYN_SENT);
    const answer = { acknowledgment: 21, flags: SYN | ACK };
    trace.sent(client, toServer({ ...answer, sequence: 10 }), State.SYN_RECEIVED);
    expect(trace.segments().map(({ flags, seq, ack }) => [flags, seq, ack])).toEqual([
      ['S', 0, undefined],
      ['S', 0, undefined],
      ['S.', 0, 1],
    ]);
  });
});

describe('lines', () => {
  const ENDS = 'client.40000 > server.80:';
  const BACK = 'server.80 > client.40000:';

  test('read as tcpdump’s, with hosts, states and fates', () => {
    const syn = 'Flags [S], seq 0, win 500, options [mss 1460,nop,wscale 7], length 0';
    const answer = 'Flags [S.], seq 0, ack 1, win 500, options [nop,nop,sackOK], length 0';
    const data =
      'Flags [P.], seq 1:11, ack 1, win 500, options [nop,nop,TS val 4294967295 ecr 7], length 10';
    const lines = story().lines();
    // A packet that nobody has sent.
    expect(lines[1]).toMatch(/^0\.000000 .* \[lost at nowhere]$/);
    lines.splice(1, 1);
    expect(lines).toEqual([
      `0.000000 ${ENDS} ${syn} [SYN-SENT]`,
      '1.000000 -- cut client-server',
      `1.000000 ${ENDS} ${syn} [SYN-SENT, retransmission]`,
      `1.000000 ${ENDS} ${syn} [lost at client-server: cut]`,
      '1.500000 -- heal client-server',
      `3.000001 ${ENDS} ${syn} [SYN-SENT, retransmission]`,
      `3.020001 ${ENDS} ${syn} [received, SYN-RECEIVED]`,
      `3.020001 ${BACK} ${answer} [SYN-RECEIVED]`,
      `3.040001 ${BACK} ${answer} [received, ESTABLISHED]`,
      `3.040001 ${ENDS} ${data} [ESTABLISHED]`,
      `3.060001 ${ENDS} ${data} [received, ESTABLISHED]`,
      `3.060002 ${ENDS} ${data} [received, ESTABLISHED]`,
    ]);
  });

  test('chosen, and with absolute numbers', () => {
    const lines = story().lines({ flags: 'S.', absolute: true, since: 1500 });
    const answer = `seq ${PEER_ISN}, ack ${2 ** 32 - 4}, win 500`;
    expect(lines.map((line) => line.replace(/, options.*(?= \[)/, ''))).toEqual([
      '1.500000 -- heal client-server',
      `3.020001 ${BACK} Flags [S.], ${answer} [SYN-RECEIVED]`,
      `3.040001 ${BACK} Flags [S.], ${answer} [received, ESTABLISHED]`,
    ]);
  });

  test('of IPv6, and of an address that no host has', () => {
    const { trace } = tracing();
    trace.sent(client, packet({ from: 'fd00::1', to: 'fd00::9' }), State.ESTABLISHED);
    expect(trace.lines()).toEqual([
      '0.000000 client.40000 > fd00::9.50000: Flags [.], ack 1, win 500, length 0 [ESTABLISHED]',
    ]);
  });

  test('are the same for the same events, and reading changes nothing', () => {
    const trace = story();
    const text = trace.toString();
    expect(text.split('\n')).toHaveLength(14);
    trace.segments();
    trace.toPcapng();
    expect(trace.toString()).toBe(text);
    expect(story().toString()).toBe(text);
  });
});

describe('memory', () => {
  test('the oldest is forgotten and counted; the rest reads as before', () => {
    const whole = tracing();
    const small = tracing({ limit: 64 * 1024 });
    const events = 1000;
    const syn = toServer({ sequence: ISN, flags: SYN });
    const rest = Array.from({ length: events }, (_, i) =>
      toServer({ sequence: ISN + 1 + i * 100, payload: [pattern(100)] }),
    );
    // One of those that are kept is a repetition of one that is not.
    rest.push(toServer({ sequence: ISN + 1, payload: [pattern(100)] }));
    for (const { trace, clock } of [whole, small]) {
      for (const segment of [syn, ...rest]) {
        clock.now += 7;
        trace.sent(client, segment, State.ESTABLISHED);
      }
    }
    const all = whole.trace.segments();
    const left = small.trace.segments();
    expect(all).toHaveLength(events + 2);
    expect(small.trace.dropped).toBe(all.length - left.length);
    // A record takes 228 bytes beside its payload.
    expect(left.length).toBeGreaterThan(64);
    expect(left.length).toBeLessThan((64 * 1024) / 328 + 1);
    expect(left).toEqual(all.slice(-left.length));
    expect(left.at(-1)?.retransmission).toBe(true);
    expect(small.trace.toString().split('\n')[0]).toBe(
      `(${small.trace.dropped} events before these are forgotten)`,
    );
    expect(whole.trace.dropped).toBe(0);
  });

  test('large payload counts', () => {
    const { trace } = tracing({ limit: 1024 * 1024 });
    for (let i = 0; i < 500; i++) {
      trace.sent(client, toServer({ payload: [new Uint8Array(32 * 1024)] }), State.ESTABLISHED);
    }
    const kept = trace.segments().length * 32 * 1024;
    expect(kept).toBeLessThanOrEqual(1024 * 1024 + 32 * 1024);
    expect(kept).toBeGreaterThanOrEqual(32 * 1024);
  });

  test.each([
    ['a number', '1e6', 'ERR_INVALID_ARG_TYPE'],
    ['too small', 65_535, 'ERR_OUT_OF_RANGE'],
    ['not a number', NaN, 'ERR_OUT_OF_RANGE'],
  ])('a limit must be right: %s', (_, limit, code) => {
    expect(() => tracing({ limit: limit as number })).toThrow(expect.objectContaining({ code }));
  });
});

needs(hasCommand('tshark'), 'tshark installed')('a capture file, read by tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), `netland-trace-${process.pid}-`));
  afterAll(() => rmSync(folder, { recursive: true }));

  function read(capture: Buffer, ...fields: string[]): string[] {
    const file = join(folder, 'trace.pcapng');
    writeFileSync(file, capture);
    const wanted = fields.flatMap((field) => ['-e', field]);
    const format = [
      '-N',
      'n',
      '-o',
      'tcp.check_checksum:TRUE',
      '-T',
      'fields',
      '-E',
      'separator=|',
    ];
    const output = execFileSync('tshark', ['-r', file, ...format, ...wanted], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
    return output.trimEnd().split('\n');
  }

  const FIELDS = ['frame.time_epoch', 'frame.interface_name', 'ip.src_host', 'ip.dst_host'];

  test('every packet once, when it was sent, with names and losses', () => {
    const lines = read(story().toPcapng(), ...FIELDS, 'tcp.flags.str', 'frame.comment');
    expect(lines.map((line) => line.replace(/·/g, ''))).toEqual([
      '946684800.000000000|client|client|server|S|',
      '946684801.000000000|client|client|server|S|lost at client-server: cut',
      '946684803.000001000|client|client|server|S|',
      '946684803.020001000|server|server|client|AS|',
      '946684803.040001000|client|client|server|AP|',
    ]);
  });

  test('what one host has seen', () => {
    const lines = read(story().toPcapng({ host: 'server' }), ...FIELDS, 'tcp.len');
    expect(lines).toEqual([
      '946684803.020001000|server|client|server|0',
      '946684803.020001000|server|server|client|0',
      '946684803.060001000|server|client|server|10',
      '946684803.060002000|server|client|server|10',
    ]);
  });

  test('a spoilt packet has the bytes that arrived', () => {
    const { trace } = tracing();
    const segment = toServer({ payload: [pattern(20)] });
    trace.sent(client, segment, State.ESTABLISHED);
    const bytes = segment.bytes();
    bytes[50] ^= 1;
    segment.spoil(bytes);
    trace.lost(segment, 'server', 'invalid');
    const fields = ['tcp.checksum.status', 'frame.comment'];
    expect(read(trace.toPcapng(), ...fields)).toEqual(['1|lost at server: invalid']);
    expect(read(trace.toPcapng({ host: 'server' }), ...fields)).toEqual([
      '0|lost at server: invalid',
    ]);
    expect(read(trace.toPcapng({ host: 'client' }), ...fields)).toEqual(['1|']);
  });
});
