/** The states of RFC 9293 §3.3.2. */
export const enum State {
  CLOSED = 0,
  LISTEN = 1,
  SYN_SENT = 2,
  SYN_RECEIVED = 3,
  ESTABLISHED = 4,
  FIN_WAIT_1 = 5,
  FIN_WAIT_2 = 6,
  CLOSE_WAIT = 7,
  CLOSING = 8,
  LAST_ACK = 9,
  TIME_WAIT = 10,
}

const NAMES = [
  'CLOSED',
  'LISTEN',
  'SYN-SENT',
  'SYN-RECEIVED',
  'ESTABLISHED',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'CLOSE-WAIT',
  'CLOSING',
  'LAST-ACK',
  'TIME-WAIT',
] as const;

/** A state's name as RFC 9293 writes it. */
export type StateName = (typeof NAMES)[number];

export function stateName(state: State): StateName {
  return NAMES[state];
}

/** Both directions are open, or only ours, or only the peer's: the handshake lies behind. */
export function isSynchronized(state: State): boolean {
  return state >= State.ESTABLISHED;
}

/** States in which the peer has not closed: data may still arrive. */
export function canReceive(state: State): boolean {
  return state === State.ESTABLISHED || state === State.FIN_WAIT_1 || state === State.FIN_WAIT_2;
}

/** States in which the user may still SEND. */
export function canSend(state: State): boolean {
  return state === State.ESTABLISHED || state === State.CLOSE_WAIT;
}

/** States in which our FIN is queued or sent, and may be waiting for its acknowledgment. */
export function isClosing(state: State): boolean {
  return state === State.FIN_WAIT_1 || state === State.CLOSING || state === State.LAST_ACK;
}
