import { DATAGRAM_CALLS } from './datagram-calls';
import { DATAGRAM_OPTION_CALLS } from './datagram-option-calls';
import { DatagramFile } from './files';
import { OPTION_CALLS } from './option-calls';
import { POLL_CALLS } from './poll-calls';
import type { Outcome, Request } from './request';
import type { Session } from './session';
import { SOCKET_CALLS } from './socket-calls';
import { sysctl } from './sysctl';
import { TRANSFER_CALLS } from './transfer-calls';

/** One of the protocol's calls: answers, or says what it waits for. */
export type Operation = (session: Session, request: Request) => Outcome;

/** The calls of a program, by the protocol's names. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...SOCKET_CALLS,
  ...TRANSFER_CALLS,
  ...POLL_CALLS,
  ...OPTION_CALLS,
  sysctl: (session, request) => sysctl(session.host.core, request),
};

/** One of the same that a UDP socket answers in its own way. */
export type DatagramOperation = (session: Session, file: DatagramFile, request: Request) => Outcome;

const OF_DATAGRAMS: Readonly<Record<string, DatagramOperation>> = {
  ...DATAGRAM_CALLS,
  ...DATAGRAM_OPTION_CALLS,
};

/** The call of a request; undefined: there is none of that name. */
export function findOperation(session: Session, request: Request): Operation | undefined {
  const { op } = request;
  const file = request.has('fd') ? session.files.find(request.int('fd')) : undefined;
  if (file instanceof DatagramFile && Object.hasOwn(OF_DATAGRAMS, op)) {
    return () => OF_DATAGRAMS[op](session, file, request);
  }
  return Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : undefined;
}
