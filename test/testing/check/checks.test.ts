import type { Listening } from '../../../lib/core/socket/listening';
import { Checksum, Direction, Flag, Option, Word } from '../../../lib/core/segment/layout';
import { Shape } from '../../../lib/core/stack/four-tuples';
import { Has, Timer, type Connection } from '../../../lib/core/tcp/connection';
import { State } from '../../../lib/core/tcp/state';
import { Checks } from '../../../lib/testing/check/checks';
import { Lab, pattern, transfer, type LabHost, type LabOptions } from '../../support/lab';

/** Two hosts with a connection over which data has gone, watched by checks. */
class Scene {
  readonly lab: Lab;
  readonly checks: Checks;
  /** The last segments sent: of the client with data, of the server without. */
  data = new Int32Array(Word.Stride);
  ack = new Int32Array(Word.Stride);
  readonly client: Connection;
  readonly server: Connection;
  readonly sockets: ReturnType<Lab['pair']>;

  constructor(options: LabOptions = {}) {
    const lab = (this.lab = new Lab({ ...options, log: false }));
    this.checks = new Checks({
      seed: 7,
      get now() {
        return lab.now;
      },
    });
    for (const host of [lab.a, lab.b]) this.watch(host);
    this.sockets = lab.pair();
    transfer(lab, this.sockets.client, this.sockets.server, pattern(100_000));
    lab.pass(1_000_000);
    this.client = connectionOf(lab.a);
    this.server = connectionOf(lab.b);
    this.settled();
  }

  private watch(host: LabHost): void {
    host.core.onTrace = (words, base) => {
      const packet = { words: words.slice(base, base + Word.Stride), spoilt: null };
      if (packet.words[Word.Direction] === Direction.In) {
        this.checks.received(host, packet);
        return;
      }
      this.checks.sent(host, packet);
      if (packet.words[Word.PayloadLength] > 0) this.data = packet.words;
      else if (host === this.lab.b) this.ack = packet.words;
    };
  }

  settled(): void {
    for (const host of [this.lab.a, this.lab.b]) this.checks.everything(host);
  }

  /** A segment as one sent before, with some words changed. */
  send(from: 'client' | 'server', changes: Partial<Record<Word, number>>): void {
    const words = (from === 'client' ? this.data : this.ack).slice();
    for (const [word, value] of Object.entries(changes)) words[Number(word)] = value;
    this.checks.sent(from === 'client' ? this.lab.a : this.lab.b, { words, spoilt: null });
  }
}

function connectionOf(host: LabHost): Connection {
  let found: Connection | null = null;
  host.core.tcp.forEachConnection((c) => (found = c));
  if (found === null) throw new Error('no connection');
  return found;
}

const PSH_ACK = Flag.PSH | Flag.ACK;

describe('what hosts send', () => {
  const end = (scene: Scene): number => scene.client.sndNxt;

  test.each<[string, string, (scene: Scene) => void]>([
    [
      'data that the peer has not allowed',
      "beyond the peer's window",
      (scene) => {
        for (let at = end(scene); ; at = (at + 1448) | 0) {
          scene.send('client', { [Word.Sequence]: at, [Word.PayloadLength]: 1448 });
        }
      },
    ],
    [
      'a hole',
      'a number that leaves a hole',
      (scene) => scene.send('client', { [Word.Sequence]: (end(scene) + 1) | 0 }),
    ],
    [
      'a full segment and options beyond it',
      "more than the peer's MSS",
      (scene) => scene.send('client', { [Word.Sequence]: end(scene), [Word.PayloadLength]: 1449 }),
    ],
    [
      'an acknowledgment of the future',
      'acknowledges what was not sent',
      (scene) => scene.send('server', { [Word.Acknowledgment]: (end(scene) + 1) | 0 }),
    ],
    [
      'an acknowledgment taken back',
      'acknowledges less than before',
      (scene) => scene.send('server', { [Word.Acknowledgment]: (end(scene) - 1) | 0 }),
    ],
    [
      'a window taken back',
      'the right edge moves left',
      (scene) => scene.send('server', { [Word.Window]: scene.ack[Word.Window] - 1 }),
    ],
    [
      'data after the FIN',
      'data beyond the FIN',
      (scene) => {
        const at = end(scene);
        scene.send('client', {
          [Word.Sequence]: at,
          [Word.PayloadLength]: 0,
          [Word.Flags]: Flag.FIN | Flag.ACK,
        });
        scene.send('client', { [Word.Sequence]: at, [Word.PayloadLength]: 1 });
      },
    ],
    [
      'a FIN that moves',
      'a second FIN',
      (scene) => {
        const fin = { [Word.PayloadLength]: 0, [Word.Flags]: Flag.FIN | Flag.ACK };
        scene.send('client', { ...fin, [Word.Sequence]: end(scene) });
        scene.send('client', { ...fin, [Word.Sequence]: (end(scene) + 1) | 0 });
      },
    ],
    [
      'no timestamps where they were agreed on',
      'timestamps that were not agreed on',
      (scene) => scene.send('server', { [Word.Options]: 0 }),
    ],
    [
      'a SACK block of the future',
      'a SACK block of what was not sent',
      (scene) =>
        scene.send('server', {
          [Word.Options]: Option.Timestamps | Option.Sack,
          [Word.SackCount]: 1,
          [Word.Sack]: end(scene),
          [Word.Sack + 1]: (end(scene) + 1) | 0,
        }),
    ],
    [
      'a segment without ACK',
      'neither ACK, SYN nor RST',
      (scene) => scene.send('server', { [Word.Flags]: Flag.PSH }),
    ],
    [
      'SYN and FIN at once',
      'flags that exclude each other',
      (scene) => scene.send('server', { [Word.Flags]: Flag.SYN | Flag.FIN | Flag.ACK }),
    ],
    [
      'a reserved bit',
      'a reserved bit is set',
      (scene) => scene.send('server', { [Word.Flags]: 0x200 | Flag.ACK }),
    ],
    [
      'data on a SYN',
      'a SYN with data',
      (scene) => scene.send('client', { [Word.Flags]: Flag.SYN }),
    ],
  ])('%s', (_name, message, act) => {
    const scene = new Scene();
    expect(() => act(scene)).toThrow(`invariant broken: ${message}`);
  });

  it('the error says who, when, which seed, and shows the segment', () => {
    const scene = new Scene();
    const sequence = (end(scene) + 1) | 0;
    expect(() =>
      scene.send('client', { [Word.Sequence]: sequence, [Word.Flags]: PSH_ACK }),
    ).toThrow(
      new RegExp(
        [
          '^invariant broken: a number that leaves a hole',
          '  a, at \\d+\\.\\d{6} s, seed 7',
          '  10\\.0\\.0\\.1\\.\\d+ > 10\\.0\\.0\\.2\\.80, ESTABLISHED: SND\\.UNA 100001, .*',
          '  IP 10\\.0\\.0\\.1\\.\\d+ > 10\\.0\\.0\\.2\\.80: Flags \\[P\\.\\], seq \\d+',
        ].join('\n'),
      ),
    );
  });

  it('a RST says nothing, and a new SYN begins anew', () => {
    const scene = new Scene();
    const far = (end(scene) + 100_000) | 0;
    scene.send('client', { [Word.Sequence]: far, [Word.Flags]: Flag.RST | Flag.ACK });
    scene.send('client', {
      [Word.Sequence]: far,
      [Word.Flags]: Flag.SYN,
      [Word.PayloadLength]: 0,
    });
    // What the old connection's other end says now is not looked at.
    scene.send('server', { [Word.Acknowledgment]: far });
  });

  it('what arrives with a wrong checksum allows nothing', () => {
    const scene = new Scene();
    const words = scene.ack.slice();
    const edge = scene.client.sndUna + scene.client.sndWnd;
    words[Word.Window] += 1;
    // Announced by the server, so that only the client's knowledge is in question.
    scene.checks.sent(scene.lab.b, { words, spoilt: null });
    const fill = () => {
      for (let at = end(scene); ((at - edge) | 0) <= 0; at = (at + 100) | 0) {
        scene.send('client', { [Word.Sequence]: at, [Word.PayloadLength]: 100 });
      }
    };
    const bad = words.slice();
    bad[Word.Checksum] = Checksum.Bad;
    scene.checks.received(scene.lab.a, { words: bad, spoilt: new Uint8Array(1) });
    expect(fill).toThrow("beyond the peer's window");
    scene.checks.received(scene.lab.a, { words, spoilt: null });
    expect(fill).not.toThrow();
  });
});

describe('what stacks hold', () => {
  test.each<[string, (scene: Scene) => void]>([
    ['SND.UNA beyond SND.NXT', ({ client }) => (client.sndUna = (client.sndUna + 1) | 0)],
    ['SND.NXT beyond what was sent', ({ client }) => (client.sndNxt = (client.sndNxt + 1) | 0)],
    ['SND.UNA goes back', ({ client: c }) => (c.sndUna = c.sndNxt = (c.sndUna - 1) | 0)],
    [
      'RCV.NXT goes back',
      ({ server }) => (server.rcvNxt = server.rcvWup = (server.rcvNxt - 1) | 0),
    ],
    [
      'RCV.NXT beyond the window',
      ({ server }) => (server.rcvNxt = (server.rcvWup + server.rcvWnd + 65_536) | 0),
    ],
    ['the right window edge moves left', ({ server }) => server.rcvWnd--],
    [
      'SND.WND larger than any that was offered',
      ({ client }) => (client.sndWnd = client.maxSndWnd + 1),
    ],
    ['a change of state that nobody was told of', ({ client }) => (client.state = 7)],
    ["the state and the peer's FIN disagree", ({ client }) => client.set(Has.EndOfStream)],
    ['a FIN without a close', ({ client }) => client.set(Has.Fin)],
    ['a congestion window of nothing', ({ client }) => (client.cwnd = 0)],
    ['RTO out of range', ({ client }) => (client.rto = 120_000_001)],
    ['a timeout that was not doubled', ({ client }) => (client.retransmits = client.backoff = 4)],
    ['an impossible MSS', ({ client }) => (client.sndMss = 1500)],
    [
      'data in flight and the queue of it disagree',
      ({ client, lab }) => lab.a.core.tcp.flightOf(client).push(client.sndUna, client.sndNxt, 0),
    ],
    [
      'an empty receive buffer that is kept',
      ({ client, lab }) => (client.receiveBuffer = lab.a.core.tcp.receiveBuffers.take()),
    ],
    [
      'more in the send buffer than it may hold',
      ({ client, lab }) => {
        client.sendBuffer = lab.a.core.tcp.sendBuffers.take();
        client.sendBuffer.append(pattern(1_300_000), 0, 1_300_000);
        lab.a.core.tcp.markReady(client);
      },
    ],
    [
      'data in flight and its timer disagree',
      ({ client, lab }) => lab.a.core.tcp.timers.set(client.row, Timer.Retransmit, lab.now),
    ],
    [
      'an acknowledgment without a timer',
      ({ server, lab }) => {
        lab.a.core.tcp.timers.cancel(server.row, Timer.DelayedAck);
        server.set(Has.AckScheduled);
      },
    ],
    [
      'a retransmission far away',
      ({ client, lab }) => lab.a.core.tcp.timers.set(client.row, Timer.Retransmit, 1e12),
    ],
    ['the number of unfinished connections', ({ lab }) => lab.a.core.tcp.unfinished++],
    ['TcpCurrEstab', ({ lab }) => lab.a.core.tcp.counters.TcpCurrEstab--],
    ['TcpOutSegs goes back', ({ lab }) => (lab.a.core.tcp.counters.TcpOutSegs = 3)],
    ['more bad segments than segments', ({ lab }) => (lab.a.core.tcp.counters.TcpInErrs = 1e6)],
    ['memory that nobody needs', ({ lab }) => lab.a.core.tcp.pool.takeSmall()],
    [
      'the number of four-tuples',
      ({ lab }) => lab.a.core.tcp.tuples.add(lab.a.address, 1, lab.b.address, 2),
    ],
    [
      'a four-tuple of another connection',
      ({ lab, client }) => {
        const { tuples } = lab.a.core.tcp;
        const other = tuples.add(lab.a.address, 1, lab.b.address, 2);
        tuples.set(other, Shape.Connection, client.row);
        lab.a.core.tcp.timeWait.table.count++;
      },
    ],
    [
      "a listener's handshakes",
      ({ sockets }) => (sockets.listener.listening as Listening).handshakes++,
    ],
  ])('%s', (message, act) => {
    const scene = new Scene();
    act(scene);
    expect(() => scene.settled()).toThrow(`invariant broken: ${message}`);
  });

  test.each<[string, (scene: Scene) => void]>([
    [
      "ESTABLISHED can't be followed by LISTEN",
      ({ lab, client }) => lab.a.core.tcp.setState(client, State.LISTEN),
    ],
    [
      "ESTABLISHED can't be followed by TIME-WAIT",
      ({ lab, client }) => lab.a.core.tcp.enterTimeWait(client),
    ],
    [
      "CLOSE-WAIT can't be followed by FIN-WAIT-1",
      ({ lab, server, sockets }) => {
        sockets.client.close();
        lab.pass(1_000_000);
        lab.b.core.tcp.setState(server, State.FIN_WAIT_1);
      },
    ],
  ])('%s', (message, act) => {
    const scene = new Scene();
    expect(() => act(scene)).toThrow(`invariant broken: ${message}`);
  });
});

describe('tables of what waits', () => {
  it('what is in them agrees with the four-tuples, and has an end', () => {
    const scene = new Scene();
    const { lab, sockets, checks } = scene;
    sockets.client.close();
    lab.pass(1_000_000);
    sockets.server.close();
    lab.pass(1_000_000);
    expect(lab.a.core.tcp.timeWait.count).toBe(1);
    scene.settled();
    const { tuples, timeWait } = lab.a.core.tcp;
    tuples.forEach((tuple) => tuples.set(tuple, Shape.Syn, 0));
    expect(() => checks.everything(lab.a)).toThrow('a handshake that nobody repeats');
    tuples.forEach((tuple) => tuples.set(tuple, Shape.TimeWait, 0));
    scene.settled();
    timeWait.table.schedule(0, lab.now + 1e9);
    expect(() => checks.everything(lab.a)).toThrow('TIME-WAIT of more than 2 MSL');
  });
});

test('of many connections those are looked at that have had segments', () => {
  const scene = new Scene();
  const { lab, checks, sockets } = scene;
  const clients = Array.from({ length: 12 }, () => lab.connect(lab.a, lab.b, 80));
  lab.pass(1_000_000);
  checks.settled(lab.a);
  expect(clients.every((client) => client.state === State.ESTABLISHED)).toBe(true);
  scene.client.cwnd = 0;
  clients[3].send(pattern(10), 0, 10);
  lab.pass(1_000_000);
  expect(() => checks.settled(lab.a)).not.toThrow();
  scene.client.cwnd = 1;
  sockets.client.send(pattern(10), 0, 10);
  lab.pass(1_000_000);
  scene.client.cwnd = 0;
  expect(() => checks.settled(lab.a)).toThrow('a congestion window of nothing');
  // And all of them now and then.
  expect(() => {
    for (let i = 0; i < 100; i++) checks.settled(lab.a);
  }).toThrow('a congestion window of nothing');
});
