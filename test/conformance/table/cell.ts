import { Talk } from '../support/exchange';
import type { Backend, Message } from '../support/backend';
import { decodeInfo } from '../tcp-info';
import type { Call } from './calls';
import { SCENES } from './scenes';

/** Ports of the peer that a cell may use, and local ports that it may bind. */
export const CELL_PORTS = 2;
/** Between the parts of what came of a cell. */
export const SEPARATOR = ' | ';
/** MSG_TRUNC, which writes nothing, and MSG_ERRQUEUE, which gives a packet of ours back. */
const UNSHOWN = 0x2020;
const ALL_EVENTS = 0x21df;
const SHOWN_INFO = [
  ...['state', 'ca_state', 'retransmits', 'probes', 'backoff', 'options', 'snd_mss', 'rcv_mss'],
  ...['advmss', 'pmtu', 'unacked', 'snd_cwnd', 'snd_ssthresh', 'notsent_bytes', 'bytes_acked'],
  ...['bytes_received', 'bytes_sent', 'segs_out', 'segs_in', 'data_segs_out', 'data_segs_in'],
] as const;

/** Knows which sockets a cell has left open. */
class Tracked implements Backend {
  readonly open = new Set<number>();

  constructor(private readonly inner: Backend) {}

  get name(): string {
    return this.inner.name;
  }
  get packets(): Backend['packets'] {
    return this.inner.packets;
  }
  now(): number {
    return this.inner.now();
  }
  async request(op: string, members: Message): Promise<Message> {
    const reply = await this.inner.request(op, members);
    const ret = reply.ret as number;
    if ((op === 'socket' || op === 'accept') && ret >= 0) this.open.add(ret);
    if (op === 'close' && ret === 0) this.open.delete(members.fd as number);
    return reply;
  }
  pass(us: number): Promise<void> {
    return this.inner.pass(us);
  }
  settle(count: number): Promise<void> {
    return this.inner.settle(count);
  }
  end(): Promise<void> {
    return this.inner.end();
  }

  /** Closes what is open, without a FIN that would be sent again and again. */
  async closeAll(): Promise<void> {
    const raw = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]).toString('base64');
    for (const fd of this.open) {
      await this.inner.request('setsockopt', { fd, level: 1, opt: 13, optlen: 8, raw });
      await this.inner.request('close', { fd });
    }
  }
}

/** What happens to a socket in a cell; what came of it, in parts. */
export type Act = (talk: Talk, fd: number) => Promise<string[]>;

/** Brings a socket to a state and has `act` happen there. */
export async function runCell(
  backend: Backend,
  port: number,
  scene: string,
  act: Act,
): Promise<string> {
  const tracked = new Tracked(backend);
  const talk = new Talk(tracked, 4, port);
  const fd = await SCENES[scene](talk);
  const parts = await act(talk, fd);
  await tracked.closeAll();
  return parts.join(SEPARATOR);
}

/**
 * What a call says, twice in a row, which packets leave, and how the socket is afterwards: its
 * state, what poll(2) says, SO_ERROR.
 */
export function calling(call: Call): Act {
  return async (talk, fd) => {
    const first = await said(talk, call, fd);
    // Another conversation may have the number of a handle that is closed.
    if (call.op === 'close') return [first];
    return [first, await said(talk, call, fd), await after(talk, fd)];
  };
}

/** The packets that leave while `step` is done. */
export async function leaving(talk: Talk, step: () => Promise<unknown>): Promise<string> {
  const { packets } = talk.transcript;
  const before = packets.length;
  await step();
  return packets
    .slice(before)
    .map(({ text }) => ` > ${shorten(text)}`)
    .join('');
}

async function said(talk: Talk, { op, members }: Call, fd: number): Promise<string> {
  const port = talk.peerPort;
  const all = members({ fd, local: talk.local, remote: talk.remote, port });
  let reply: Message = {};
  const left = await leaving(talk, async () => (reply = await talk.call(op, all)));
  if ((Number(all.flags) & UNSHOWN) !== 0) delete reply.data;
  return `${outcome(op, reply)}${left}`;
}

/** Without what is the same in nearly every packet. */
function shorten(text: string): string {
  return text.replace(/^0 /, '').replace(' ttl 64 tos 0', '').replace(' <>', '');
}

function outcome(op: string, reply: Message): string {
  const { ret, errno, data, revents, val, raw, msg_flags } = reply;
  if (ret === -1) return errno === 'ENOTSUP' ? 'EOPNOTSUPP' : String(errno);
  // A handle's number is no matter.
  const words = [op === 'accept' ? 'a socket' : String(ret)];
  if (typeof data === 'string' && data !== '')
    words.push(Buffer.from(data, 'base64').toString('hex'));
  if (Array.isArray(revents)) words.push(`0x${Number(revents[0]).toString(16)}`);
  if (typeof msg_flags === 'number' && msg_flags !== 0) words.push(`flags ${msg_flags}`);
  if (op === 'getsockopt') words.push(told(reply));
  else if (val !== undefined && raw === undefined) words.push(String(val));
  return words.join(' ');
}

function told(reply: Message): string {
  const { raw } = reply;
  if (typeof raw !== 'string') return info(reply);
  const bytes = Buffer.from(raw, 'base64');
  if (bytes.length > 100) return info({ ...decodeInfo(bytes) });
  return bytes.length === 4 ? String(bytes.readInt32LE(0)) : bytes.toString('hex');
}

function info(members: Message): string {
  return SHOWN_INFO.map((name) => `${String(members[`tcpi_${name}`])}`).join(',');
}

/** The state by Linux's number, what poll(2) says, SO_ERROR. */
export async function after({ backend }: Talk, fd: number): Promise<string> {
  const state = await backend.request('getsockopt', { fd, level: 6, opt: 11, optlen: 1 });
  const events = await backend.request('poll', { timeout: 0, fds: [[fd, ALL_EVENTS]] });
  const error = await backend.request('getsockopt', { fd, level: 1, opt: 4, optlen: 4 });
  const mask = Array.isArray(events.revents) ? Number(events.revents[0]) : -1;
  return `${stateOf(state)} 0x${mask.toString(16)} ${told(error)}`;
}

function stateOf({ raw, tcpi_state }: Message): string {
  return String(typeof raw === 'string' ? Buffer.from(raw, 'base64')[0] : tcpi_state);
}
