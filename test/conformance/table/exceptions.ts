import type { Cell } from './table';

/** Cells in which we differ from Linux, and why. */
export interface Exception {
  table: string;
  scene: RegExp;
  column: RegExp;
  why: string;
  /** So many cells differ for this. */
  cells: number;
}

/** A socket whose connection was dropped and that could connect again. */
const DISCONNECTED =
  /^(disconnected in .*|shut down in (LISTEN|SYN-SENT)|CLOSED by a refusal, connect told)$/;

export const EXCEPTIONS: readonly Exception[] = [
  {
    table: 'calls',
    scene: /./,
    column: /^getsockopt SO_SNDBUF$/,
    why: 'Linux counts the memory of its packets, whose headers grow with what its build can do.',
    cells: 38,
  },
  {
    table: 'calls',
    scene: DISCONNECTED,
    column: /^(getsockopt TCP_INFO|ioctl SIOCOUTQ(NSD)?|setsockopt TCP_NOTSENT_LOWAT)$/,
    why:
      'Linux has moved the number of the next byte away from the old connection, takes what lies ' +
      'between for unsent, and tells what it knew of the old one.',
    cells: 28,
  },
  {
    table: 'calls',
    scene: /^CLOSED by ICMP port unreachable$/,
    column: /./,
    why: 'There is no error queue, in which Linux keeps the message, and poll(2) says so.',
    cells: 28,
  },
  {
    table: 'calls',
    scene: /SYN-RECEIVED$/,
    column: /^close$/,
    why: 'A FIN waits until our SYN is acknowledged (RFC 9293 §3.10.4 lets both).',
    cells: 2,
  },
];

/** The exception for a cell; undefined: it must be as on Linux. */
export function exceptionFor(table: string, [scene, column]: Cell): Exception | undefined {
  return EXCEPTIONS.find(
    (one) => one.table === table && one.scene.test(scene) && one.column.test(column),
  );
}
