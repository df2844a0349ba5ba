/** One setting: Linux's sysctl where there is one, the default, the range, and what it does. */
export interface Setting {
  readonly sysctl: string | null;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit:
    | 'ms'
    | 'bytes'
    | 'segments'
    | 'times'
    | 'entries'
    | 'bool'
    | 'choice'
    | 'bits'
    | 'mask'
    | 'percent';
  readonly about: string;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The part of the table of settings that is about what a stack buffers. */
export const BUFFER_SETTINGS = {
  receiveBuffer: {
    sysctl: 'net.ipv4.tcp_rmem',
    default: 65_536,
    min: 1024,
    max: GIB,
    unit: 'bytes',
    about:
      'Payload that a connection holds for its reader at first, and so the largest window that ' +
      'it offers (Linux counts twice the payload).',
  },
  sendBuffer: {
    sysctl: 'net.ipv4.tcp_wmem',
    default: 16_384,
    min: 1024,
    max: GIB,
    unit: 'bytes',
    about:
      'Payload that a connection holds for the peer, unsent or not acknowledged, until the ' +
      'congestion window needs more.',
  },
  sendBufferMax: {
    sysctl: 'net.ipv4.tcp_wmem',
    default: 4_194_304,
    min: 1024,
    max: GIB,
    unit: 'bytes',
    about: 'What the send buffer may grow to by itself.',
  },
  notSentLowWater: {
    sysctl: 'net.ipv4.tcp_notsent_lowat',
    default: 4_294_967_295,
    min: 0,
    max: 4_294_967_295,
    unit: 'bytes',
    about: 'Unsent payload from which on a connection takes no more; half of it makes it writable.',
  },
  receiveBufferMax: {
    sysctl: 'net.ipv4.tcp_rmem',
    default: 6_291_456,
    min: 1024,
    max: GIB,
    unit: 'bytes',
    about:
      'What the receive buffer may grow to by itself, payload; the window scale is chosen for it.',
  },
  moderateReceiveBuffer: {
    sysctl: 'net.ipv4.tcp_moderate_rcvbuf',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'The receive buffer grows with what its reader reads in a round trip.',
  },
  memoryLow: {
    sysctl: 'net.ipv4.tcp_mem',
    default: 192 * MIB,
    min: 0,
    max: 4096 * GIB,
    unit: 'bytes',
    about: 'Bytes buffered by all connections below which memory pressure ends.',
  },
  memoryPressure: {
    sysctl: 'net.ipv4.tcp_mem',
    default: 256 * MIB,
    min: 0,
    max: 4096 * GIB,
    unit: 'bytes',
    about: 'Bytes above which it begins: no buffer grows, and windows shrink.',
  },
  memoryMax: {
    sysctl: 'net.ipv4.tcp_mem',
    default: 384 * MIB,
    min: 0,
    max: 4096 * GIB,
    unit: 'bytes',
    about: 'Bytes above which data is refused where a connection has any already.',
  },
} as const satisfies Record<string, Setting>;
