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
    scene: /SYN-RECEIVED$/,
    column: /^close$/,
    why: 'A FIN waits until our SYN is acknowledged (RFC 9293 §3.10.4 lets both).',
    cells: 2,
  },
  {
    table: 'options',
    scene: /^SO_LINGER$/,
    column: /^set 8 bytes of 01000000ffffff/,
    why: 'More than 24 days of lingering are 24 days; Linux multiplies them with its tick.',
    cells: 2,
  },
  {
    table: 'options',
    scene: /^SO_(RCV|SND)TIMEO$/,
    column: /^set 16 bytes of (00000000000000003f420f00|0000000000010000)/,
    why: 'Linux rounds to its tick; more than 68 years are for ever.',
    cells: 4,
  },
  {
    table: 'options',
    scene: /^TCP_QUICKACK$/,
    column: /^set 4 bytes of 00000000$/,
    why: 'Before there is a connection it changes nothing.',
    cells: 1,
  },
];

/** The exception for a cell; undefined: it must be as on Linux. */
export function exceptionFor(table: string, [scene, column]: Cell): Exception | undefined {
  return EXCEPTIONS.find(
    (one) => one.table === table && one.scene.test(scene) && one.column.test(column),
  );
}
