import type { Talk } from '../support/exchange';

const SHUT_RD = 0;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
const SYN = { mss: 1460 };
const TCP = 6;
const USER_TIMEOUT = 18;
const HOST_UNREACHABLE = { type: 3, code: 1 };

/** Brings a program and its peer to a state; the socket that is in it. */
export type Scene = (talk: Talk) => Promise<number>;

const fresh: Scene = (talk) => talk.socket();

/** The address is of this stack, the port of this conversation alone. */
const bound: Scene = async (talk) => {
  const fd = await talk.socket();
  await talk.bind(fd, talk.peerPort);
  return fd;
};

const listening: Scene = async (talk) => {
  const fd = await bound(talk);
  await talk.call('listen', { fd, backlog: 8 });
  talk.port = talk.peerPort;
  return fd;
};

/** SYN-SENT. */
const dialled: Scene = async (talk) => {
  const fd = await talk.socket();
  await talk.connect(fd);
  return fd;
};

/** ESTABLISHED; the program has asked for connect's outcome. */
const opened: Scene = async (talk) => {
  const fd = await dialled(talk);
  await talk.peer('S.', SYN);
  await talk.connect(fd);
  return fd;
};

/** `before`, and then. */
function then(before: Scene, ...steps: ((talk: Talk, fd: number) => Promise<unknown>)[]): Scene {
  return async (talk) => {
    const fd = await before(talk);
    for (const step of steps) await step(talk, fd);
    return fd;
  };
}

type Step = (talk: Talk, fd: number) => Promise<unknown>;

const shut =
  (how: number): Step =>
  (talk, fd) =>
    talk.shutdown(fd, how);
const says =
  (flags: string, say = {}): Step =>
  (talk) =>
    talk.peer(flags, say);
const writes =
  (bytes: number): Step =>
  (talk, fd) =>
    talk.write(fd, bytes);
const reads: Step = (talk, fd) => talk.read(fd);
const asks: Step = (talk, fd) => talk.error(fd);
const disconnects: Step = (talk, fd) => talk.disconnect(fd);
const gone: Step = async (talk, fd) => {
  await talk.setOption(fd, TCP, USER_TIMEOUT, 1);
  await talk.write(fd, 5);
  await talk.pass(500);
};

/** Longer than an acknowledgment is delayed. */
const waits: Step = (talk) => talk.pass(100);

const handshaken = then(listening, says('S', SYN), says('.'));
const accepted: Scene = async (talk) => talk.accept(await handshaken(talk));
const data = says('P.', { data: 10 });
const finWait2 = then(opened, shut(SHUT_WR), says('.'));
const lastAck = then(opened, says('F.'), waits, shut(SHUT_WR));
const refused = then(dialled, says('R.', { ack: 1 }));
const reset = then(opened, says('R'));
const timedOut = then(opened, gone);
const synReceived = then(dialled, says('S', { mss: 1460, wscale: 7 }));

/** What a socket can be in when it is called, by name. */
export const SCENES: Readonly<Record<string, Scene>> = {
  fresh,
  bound,
  LISTEN: listening,
  'LISTEN, a connection waits': handshaken,
  'LISTEN, SYN-RECEIVED': then(listening, says('S', SYN)),
  'SYN-SENT': dialled,
  'SYN-SENT from a bound port': then(bound, (talk, fd) => talk.connect(fd)),
  'SYN-RECEIVED': synReceived,
  'ESTABLISHED, connect not told': then(dialled, says('S.', SYN)),
  'ESTABLISHED, opened': opened,
  'ESTABLISHED, accepted': accepted,
  'ESTABLISHED, unread data': then(opened, data),
  'ESTABLISHED, data beyond a hole': then(opened, says('P.', { seq: 11, data: 10 })),
  'ESTABLISHED, data in flight': then(opened, writes(10)),
  'ESTABLISHED, unsent data': then(opened, says('.', { win: 5 }), writes(20)),
  'ESTABLISHED, urgent data': then(opened, says('PU.', { data: 'abX', urgent: 3 })),
  'ESTABLISHED, urgent data announced': then(opened, says('U.', { urgent: 6 })),
  'ESTABLISHED, ICMP host unreachable': then(opened, writes(10), (talk) =>
    talk.icmp(HOST_UNREACHABLE, 1),
  ),
  'ESTABLISHED, shutdown(RD)': then(opened, shut(SHUT_RD)),
  'ESTABLISHED, unread data, shutdown(RD)': then(opened, data, shut(SHUT_RD)),
  'FIN-WAIT-1': then(opened, shut(SHUT_WR)),
  'FIN-WAIT-1, data in flight': then(opened, writes(10), shut(SHUT_WR)),
  'FIN-WAIT-2': finWait2,
  'FIN-WAIT-2, unread data': then(finWait2, data),
  'FIN-WAIT-2, shutdown(RDWR)': then(opened, shut(SHUT_RDWR), says('.')),
  CLOSING: then(opened, shut(SHUT_WR), says('F.', { ack: 1 })),
  'TIME-WAIT': then(finWait2, says('F.')),
  'TIME-WAIT, unread data': then(finWait2, says('FP.', { data: 10 })),
  'CLOSE-WAIT': then(opened, says('F.'), waits),
  'CLOSE-WAIT, unread data': then(opened, says('FP.', { data: 10 })),
  'CLOSE-WAIT, read to the end': then(opened, says('FP.', { data: 10 }), reads, reads),
  'CLOSE-WAIT, data in flight': then(opened, says('F.'), waits, writes(10)),
  'LAST-ACK': lastAck,
  'CLOSED after LAST-ACK': then(lastAck, says('.')),
  'CLOSED by RST': reset,
  'CLOSED by RST, error told': then(reset, asks),
  'CLOSED by RST, unread data': then(opened, data, says('R')),
  'CLOSED by RST in SYN-RECEIVED': then(synReceived, says('R')),
  'CLOSED by RST in CLOSE-WAIT': then(opened, says('F.'), waits, says('R')),
  'CLOSED by RST in FIN-WAIT-1': then(opened, shut(SHUT_WR), says('R')),
  'CLOSED by RST in FIN-WAIT-2': then(finWait2, says('R')),
  'CLOSED by RST, accepted': then(accepted, says('R')),
  'CLOSED by a SYN that lies in the window': then(opened, says('S', { seq: 1 }), says('R')),
  'CLOSED by a timeout': timedOut,
  'CLOSED by a timeout, error told': then(timedOut, asks),
  'CLOSED by a refusal': refused,
  'CLOSED by a refusal, SO_ERROR told': then(refused, asks),
  'CLOSED by a refusal, connect told': then(refused, (talk, fd) => talk.connect(fd, 9)),
  'CLOSED by ICMP port unreachable': then(dialled, (talk) => talk.icmp({ type: 3, code: 3 }, 0)),
  'shut down before it was connected': then(fresh, shut(SHUT_WR)),
  'shut down both ways before it was connected': then(fresh, shut(SHUT_RDWR)),
  'shut down in SYN-SENT': then(dialled, shut(SHUT_WR)),
  'shut down both ways in SYN-RECEIVED': then(synReceived, shut(SHUT_RDWR)),
  'shut down in LISTEN': then(listening, shut(SHUT_RD)),
  'disconnected in SYN-SENT': then(dialled, disconnects),
  'disconnected in ESTABLISHED': then(opened, disconnects),
  'disconnected in ESTABLISHED, unread data': then(opened, data, disconnects),
  'disconnected in LISTEN': then(listening, disconnects),
};
