import { Transcript } from '../../lib/cli/transcript';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Direction, Flag, IpProtocol, Word } from '../../lib/core/segment/layout';
import { ipv4, writeAddress } from '../../lib/core/ip/address';
import { State } from '../../lib/core/tcp/state';

const OURS = 1000;
const THEIRS = -5;

interface Step {
  out: boolean;
  flags: number;
  /** Relative to the sender's SYN. */
  sequence: number;
  acknowledgment?: number;
  length?: number;
  state: State;
}

function record(all: boolean, steps: Step[]): string[] {
  const lines: string[] = [];
  const transcript = new Transcript(all, (line) => lines.push(line));
  const { words } = new SegmentBatch(1);
  const [client, server] = [ipv4(0x0a000001), ipv4(0x0a000002)];
  for (const { out, flags, sequence, acknowledgment = 0, length = 0, state } of steps) {
    words.fill(0);
    words[Word.Family] = 4;
    words[Word.Protocol] = IpProtocol.Tcp;
    words[Word.Direction] = out ? Direction.Out : Direction.In;
    writeAddress(out ? client : server, words, Word.Source);
    writeAddress(out ? server : client, words, Word.Destination);
    words[Word.SourcePort] = out ? 40000 : 80;
    words[Word.DestinationPort] = out ? 80 : 40000;
    words[Word.Flags] = flags;
    words[Word.Sequence] = sequence + (out ? OURS : THEIRS);
    words[Word.Acknowledgment] = acknowledgment + (out ? THEIRS : OURS);
    words[Word.PayloadLength] = length;
    words[Word.Window] = 500;
    transcript.segment(words, 0, state);
  }
  // The time of day is the only thing that differs between two runs.
  return lines.map((line) => line.replace(/\d\d:\d\d:\d\d\.\d{6} /, ''));
}

const { SYN, ACK, PSH, FIN } = {
  SYN: Flag.SYN,
  ACK: Flag.ACK,
  PSH: Flag.PSH,
  FIN: Flag.FIN,
};

const EXCHANGE: Step[] = [
  { out: true, flags: SYN, sequence: 0, state: State.SYN_SENT },
  { out: false, flags: SYN | ACK, sequence: 0, acknowledgment: 1, state: State.ESTABLISHED },
  { out: true, flags: ACK, sequence: 1, acknowledgment: 1, state: State.ESTABLISHED },
  {
    ...{ out: true, flags: PSH | ACK, sequence: 1, acknowledgment: 1 },
    ...{ length: 50, state: State.ESTABLISHED },
  },
  {
    ...{ out: false, flags: PSH | ACK, sequence: 1, acknowledgment: 51 },
    ...{ length: 100, state: State.ESTABLISHED },
  },
  { out: true, flags: FIN | ACK, sequence: 51, acknowledgment: 101, state: State.FIN_WAIT_1 },
  { out: false, flags: ACK, sequence: 101, acknowledgment: 52, state: State.FIN_WAIT_2 },
  { out: false, flags: FIN | ACK, sequence: 101, acknowledgment: 52, state: State.TIME_WAIT },
  { out: true, flags: ACK, sequence: 52, acknowledgment: 102, state: State.TIME_WAIT },
];

describe('the transcript of npm start', () => {
  it('prints handshake, sum and close, each behind the state', () => {
    const [a, b] = ['10.0.0.1.40000', '10.0.0.2.80'];
    expect(record(false, EXCHANGE)).toEqual([
      `SYN-SENT     IP ${a} > ${b}: Flags [S], seq 1000, win 500, length 0`,
      `ESTABLISHED  IP ${b} > ${a}: Flags [S.], seq 4294967291, ack 1001, win 500, length 0`,
      `ESTABLISHED  IP ${a} > ${b}: Flags [.], ack 1, win 500, length 0`,
      'ESTABLISHED  100 bytes in 1 segments received, 50 bytes in 2 segments sent',
      `FIN-WAIT-1   IP ${a} > ${b}: Flags [F.], seq 51, ack 101, win 500, length 0`,
      `FIN-WAIT-2   IP ${b} > ${a}: Flags [.], ack 52, win 500, length 0`,
      `TIME-WAIT    IP ${b} > ${a}: Flags [F.], seq 101, ack 52, win 500, length 0`,
      `TIME-WAIT    IP ${a} > ${b}: Flags [.], ack 102, win 500, length 0`,
    ]);
  });

  it('prints every segment when asked for all', () => {
    const lines = record(true, EXCHANGE);
    expect(lines).toHaveLength(EXCHANGE.length + 1);
    expect(lines[3]).toMatch(/Flags \[P\.\], seq 1:51, ack 1, .* length 50$/);
  });

  it('stays short when segments repeat without end', () => {
    const syns = Array.from({ length: 50 }, () => EXCHANGE[0]);
    const fins = Array.from({ length: 50 }, () => EXCHANGE[5]);
    expect(record(false, [...syns, ...EXCHANGE.slice(1, 5), ...fins]).length).toBeLessThan(25);
  });
});
