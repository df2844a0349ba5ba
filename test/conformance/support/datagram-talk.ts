import { icmpError, type IcmpMessage } from '../../../lib/codec/build-icmp';
import type { Talk } from './exchange';
import { makeDatagram, type DatagramFields } from './other-wire';
import { payload } from './peer-side';

/** What a datagram of the peer has; what is left out is from its port to the stack's last one. */
export type SayDatagram = Partial<DatagramFields> & { data?: number | string };

/** The packets in which the peer sends a datagram. */
export function packetsOf(talk: Talk, say: SayDatagram = {}): Buffer[] {
  return makeDatagram({
    from: talk.remote,
    to: talk.local,
    sourcePort: talk.peerPort,
    destinationPort: talk.port,
    payload: payload(say.data ?? 'datagram'),
    ...say,
  });
}

export async function datagram(talk: Talk, say: SayDatagram = {}): Promise<void> {
  await talk.inject(packetsOf(talk, say));
}

/** sendto(2) to the peer. */
export async function sendTo(
  talk: Talk,
  fd: number,
  data: number | string,
  port = talk.peerPort,
  addr = talk.remote,
): Promise<void> {
  const bytes = payload(data);
  const members = { fd, flags: 0, family: talk.family, addr, port, len: bytes.length };
  const title = `sendto ${talk.handles.get(fd)} ${data} to ${addr}`;
  await talk.call('sendto', { ...members, data: bytes.toString('base64') }, title);
}

export async function receiveFrom(talk: Talk, fd: number, len = 65_536, flags = 0): Promise<void> {
  await talk.call('recvfrom', { fd, len, flags });
}

/** recvmsg(2), with what was asked to be told beside the bytes. */
export async function receiveMessage(
  talk: Talk,
  fd: number,
  len = 65_536,
  flags = 0,
): Promise<void> {
  await talk.call('recvmsg', { fd, len, flags, ctrllen: 512 });
}

/** A UDP socket; bound where a port is given. */
export async function datagramSocket(talk: Talk, port?: number, name = 'U'): Promise<number> {
  const fd = await talk.socket(name, true, 2);
  if (port === undefined) return fd;
  await talk.bind(fd, port);
  talk.port = port;
  return fd;
}

/** A router says by ICMP what has become of a datagram from the stack's last port. */
export async function icmpOf(
  talk: Talk,
  message: IcmpMessage,
  data: number | string = 'lost',
): Promise<void> {
  const [quoted] = makeDatagram({
    from: talk.local,
    to: talk.remote,
    sourcePort: talk.port,
    destinationPort: talk.peerPort,
    payload: payload(data),
  });
  await talk.inject([icmpError(talk.router, quoted, message)]);
}
