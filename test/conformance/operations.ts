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
