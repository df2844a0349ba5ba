import { IP_SETTINGS } from '../ip/ip-settings';
import { BUFFER_SETTINGS, type Setting } from './buffer-settings';

const HOUR = 3_600_000;

/** The one table of settings, TCP's and IP's: types, defaults and documentation come from it. */
export const SETTINGS = {
  synRetries: {
    sysctl: 'net.ipv4.tcp_syn_retries',
    default: 6,
    min: 1,
    max: 127,
    unit: 'times',
    about: 'Retransmissions of a SYN with backoff before ETIMEDOUT.',
  },
  synLinearTimeouts: {
    sysctl: 'net.ipv4.tcp_syn_linear_timeouts',
    default: 4,
    min: 0,
    max: 127,
    unit: 'times',
    about: 'Retransmissions of a SYN before the backoff starts to double.',
  },
  synackRetries: {
    sysctl: 'net.ipv4.tcp_synack_retries',
    default: 5,
    min: 0,
    max: 127,
    unit: 'times',
    about: 'Retransmissions of a SYN+ACK before the entry is forgotten.',
  },
  retries1: {
    sysctl: 'net.ipv4.tcp_retries1',
    default: 3,
    min: 0,
    max: 255,
    unit: 'times',
    about: 'Retransmissions before the way is doubted, the program told (RFC 9293 §3.8.3: R1).',
  },
  retries2: {
    sysctl: 'net.ipv4.tcp_retries2',
    default: 15,
    min: 0,
    max: 255,
    unit: 'times',
    about: 'Retransmissions before an established connection is given up (about 924 s).',
  },
  orphanRetries: {
    sysctl: 'net.ipv4.tcp_orphan_retries',
    default: 0,
    min: 0,
    max: 255,
    unit: 'times',
    about: 'The same for a connection that no program holds any more; 0 stands for 8.',
  },
  maxOrphans: {
    sysctl: 'net.ipv4.tcp_max_orphans',
    default: 65_536,
    min: 0,
    max: 16_777_216,
    unit: 'entries',
    about: 'Connections that no program holds any more; one beyond is reset as it is closed.',
  },
  thinLinearTimeouts: {
    sysctl: 'net.ipv4.tcp_thin_linear_timeouts',
    default: 0,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'The first six timeouts of less than four segments in flight do not double.',
  },
  rtoInitial: {
    sysctl: null,
    default: 1000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    about: 'Retransmission timeout before a round trip was measured (RFC 6298 §2).',
  },
  rtoMin: {
    sysctl: 'net.ipv4.tcp_rto_min_us',
    default: 200,
    min: 1,
    max: 60_000,
    unit: 'ms',
    about: 'Smallest retransmission timeout.',
  },
  rtoMax: {
    sysctl: 'net.ipv4.tcp_rto_max_ms',
    default: 120_000,
    min: 1000,
    max: 120_000,
    unit: 'ms',
    about: 'Largest retransmission timeout.',
  },
  finTimeout: {
    sysctl: 'net.ipv4.tcp_fin_timeout',
    default: 60_000,
    min: 1,
    max: 24 * HOUR,
    unit: 'ms',
    about: 'How long a connection that no program holds stays in FIN-WAIT-2.',
  },
  msl: {
    sysctl: null,
    default: 30_000,
    min: 1,
    max: 120_000,
    unit: 'ms',
    about: 'Maximum segment lifetime: TIME-WAIT lasts twice as long (RFC 9293 §3.4.2).',
  },
  maxTimeWait: {
    sysctl: 'net.ipv4.tcp_max_tw_buckets',
    default: 262_144,
    min: 0,
    max: 16_777_216,
    unit: 'entries',
    about: 'TIME-WAIT entries held at once; beyond that a connection closes without.',
  },
  twReuse: {
    sysctl: 'net.ipv4.tcp_tw_reuse',
    default: 1,
    min: 0,
    max: 2,
    unit: 'times',
    about:
      'Ports in TIME-WAIT for new connections (RFC 6191): 0 never, 1 where timestamps make it ' +
      'safe, 2 on loopback alone. Deviation: Linux has 2.',
  },
  twReuseDelay: {
    sysctl: 'net.ipv4.tcp_tw_reuse_delay',
    default: 1000,
    min: 1,
    max: 2_147_483_647,
    unit: 'ms',
    about: 'How old they must be for that.',
  },
  rfc1337: {
    sysctl: 'net.ipv4.tcp_rfc1337',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'A RST does not end TIME-WAIT. Deviation: Linux has it off.',
  },
  maxSynBacklog: {
    sysctl: 'net.ipv4.tcp_max_syn_backlog',
    default: 4096,
    min: 1,
    max: 1_048_576,
    unit: 'entries',
    about: 'Without SYN cookies: a listener remembers three quarters of this, or its backlog.',
  },
  syncookies: {
    sysctl: 'net.ipv4.tcp_syncookies',
    default: 1,
    min: 0,
    max: 2,
    unit: 'times',
    about: 'SYN cookies (RFC 4987): 0 never, 1 where the backlog overflows, 2 always.',
  },
  abortOnOverflow: {
    sysctl: 'net.ipv4.tcp_abort_on_overflow',
    default: 0,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'RST to who has finished the handshake where there is no room in the backlog.',
  },
  somaxconn: {
    sysctl: 'net.core.somaxconn',
    default: 4096,
    min: 1,
    max: 65_535,
    unit: 'entries',
    about: 'Largest backlog that listen() grants.',
  },
  timestamps: {
    sysctl: 'net.ipv4.tcp_timestamps',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Offer and accept timestamps (RFC 7323 §3).',
  },
  windowScaling: {
    sysctl: 'net.ipv4.tcp_window_scaling',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Offer and accept window scaling (RFC 7323 §2).',
  },
  sack: {
    sysctl: 'net.ipv4.tcp_sack',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Offer and accept selective acknowledgments (RFC 2018).',
  },
  dsack: {
    sysctl: 'net.ipv4.tcp_dsack',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Report what arrives twice in a SACK option (RFC 2883).',
  },
  ecn: {
    sysctl: 'net.ipv4.tcp_ecn',
    default: 2,
    min: 0,
    max: 2,
    unit: 'choice',
    about: 'Explicit congestion notification (RFC 3168): 0 off, 1 ask for it, 2 only grant it.',
  },
  ecnFallback: {
    sysctl: 'net.ipv4.tcp_ecn_fallback',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'A SYN that is sent again does not ask for ECN (RFC 3168 §6.1.1.1).',
  },
  recovery: {
    sysctl: 'net.ipv4.tcp_recovery',
    default: 1,
    min: 0,
    max: 7,
    unit: 'bits',
    about:
      'Loss detection by time (RFC 8985): 1 RACK, 2 its reordering window does not grow, 4 it ' +
      'holds also where three later segments have arrived. Without 1: RFC 6675.',
  },
  earlyRetrans: {
    sysctl: 'net.ipv4.tcp_early_retrans',
    default: 3,
    min: 0,
    max: 4,
    unit: 'bits',
    about: 'Probe for the loss of the last segments (RFC 8985 §7): 3 and 4, as on Linux; 0: no.',
  },
  frto: {
    sysctl: 'net.ipv4.tcp_frto',
    default: 2,
    min: 0,
    max: 2,
    unit: 'bits',
    about: 'Watch whether a timeout was needless (RFC 5682): 1 and 2, as on Linux; 0: no.',
  },
  reordering: {
    sysctl: 'net.ipv4.tcp_reordering',
    default: 3,
    min: 1,
    max: 300,
    unit: 'segments',
    about: 'Later segments that must have arrived before one counts as lost (RFC 5681 §3.2).',
  },
  maxReordering: {
    sysctl: 'net.ipv4.tcp_max_reordering',
    default: 300,
    min: 1,
    max: 65_535,
    unit: 'segments',
    about: 'To this it grows where segments overtake each other.',
  },
  minRttWindow: {
    sysctl: 'net.ipv4.tcp_min_rtt_wlen',
    default: 300_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    about: 'For how long the smallest round trip counts.',
  },
  retransCollapse: {
    sysctl: 'net.ipv4.tcp_retrans_collapse',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Send small segments again as one.',
  },
  stdUrgent: {
    sysctl: 'net.ipv4.tcp_stdurg',
    default: 0,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'The urgent pointer is taken to be to the urgent byte, not behind it (RFC 6093 §2.1).',
  },
  initialCwnd: {
    sysctl: null,
    default: 10,
    min: 1,
    max: 1000,
    unit: 'segments',
    about: 'Initial congestion window (RFC 6928).',
  },
  ...BUFFER_SETTINGS,
  delayedAckMin: {
    sysctl: null,
    default: 40,
    min: 1,
    max: 500,
    unit: 'ms',
    about: 'Shortest delay of an acknowledgment.',
  },
  delayedAckMax: {
    sysctl: null,
    default: 200,
    min: 1,
    max: 500,
    unit: 'ms',
    about: 'Longest delay of an acknowledgment (RFC 9293 §3.8.6.3: under 500 ms).',
  },
  keepAliveTime: {
    sysctl: 'net.ipv4.tcp_keepalive_time',
    default: 2 * HOUR,
    min: 1,
    max: 32_767_000,
    unit: 'ms',
    about: 'Silence after which the first keepalive probe is sent.',
  },
  keepAliveInterval: {
    sysctl: 'net.ipv4.tcp_keepalive_intvl',
    default: 75_000,
    min: 1,
    max: 32_767_000,
    unit: 'ms',
    about: 'Time between keepalive probes.',
  },
  keepAliveProbes: {
    sysctl: 'net.ipv4.tcp_keepalive_probes',
    default: 10,
    min: 1,
    max: 127,
    unit: 'times',
    about: 'Probes without an answer before ETIMEDOUT.',
  },
  challengeAckLimit: {
    sysctl: 'net.ipv4.tcp_challenge_ack_limit',
    default: 2_147_483_647,
    min: 0,
    max: 2_147_483_647,
    unit: 'times',
    about:
      'Challenge acknowledgments a second, for the whole stack (RFC 5961 §7); at most none are ' +
      'counted. What all share tells an attacker of others (CVE-2016-5696).',
  },
  invalidRatelimit: {
    sysctl: 'net.ipv4.tcp_invalid_ratelimit',
    default: 500,
    min: 0,
    max: 60_000,
    unit: 'ms',
    about: 'Time between two answers of a connection to segments without data that do not fit.',
  },
  minBurst: {
    sysctl: 'net.ipv4.tcp_min_tso_segs',
    default: 2,
    min: 1,
    max: 255,
    unit: 'segments',
    about: 'Fewest segments that make a burst, whose last one bears PSH, where there are so many.',
  },
  burstRttLog: {
    sysctl: 'net.ipv4.tcp_tso_rtt_log',
    default: 9,
    min: 0,
    max: 31,
    unit: 'bits',
    about: 'Each 2^n µs of the round trip halve what nearness adds to a burst.',
  },
  pacing: {
    sysctl: null,
    default: 0,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Spread what leaves over the round trip, for all connections, as Linux does under fq.',
  },
  pacingSlowStartRatio: {
    sysctl: 'net.ipv4.tcp_pacing_ss_ratio',
    default: 200,
    min: 1,
    max: 1000,
    unit: 'percent',
    about: 'Pacing rate in slow start, of a window in each round trip.',
  },
  pacingAvoidanceRatio: {
    sysctl: 'net.ipv4.tcp_pacing_ca_ratio',
    default: 120,
    min: 1,
    max: 1000,
    unit: 'percent',
    about: 'Pacing rate from half of the slow start threshold on.',
  },
  hystart: {
    sysctl: null,
    default: 1,
    min: 0,
    max: 2,
    unit: 'choice',
    about:
      'CUBIC leaves slow start where round trips grow: 1 by HyStart++ (RFC 9406), 2 as Linux ' +
      '(tcp_cubic.hystart), at the first sign, which a train of acknowledgments may be, too.',
  },
  cubicFastConvergence: {
    sysctl: null,
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'CUBIC makes room for new flows (RFC 9438 §4.7); Linux: tcp_cubic.fast_convergence.',
  },
  cubicTcpFriendliness: {
    sysctl: null,
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'CUBIC is never slower than Reno (RFC 9438 §4.3); Linux: tcp_cubic.tcp_friendliness.',
  },
  slowStartAfterIdle: {
    sysctl: 'net.ipv4.tcp_slow_start_after_idle',
    default: 1,
    min: 0,
    max: 1,
    unit: 'bool',
    about: 'Shrink the congestion window where nothing was sent for a while (RFC 5681 §4.1).',
  },
  noPathMtuDiscovery: {
    sysctl: 'net.ipv4.ip_no_pmtu_disc',
    default: 0,
    min: 0,
    max: 3,
    unit: 'times',
    about:
      'Path MTU discovery in IPv4 (RFC 1191): 0 as it is meant; 1 not, DF is clear, and a router ' +
      'that complains gets minPathMtu; 2 what routers say counts for nothing; 3 as 0.',
  },
  minPathMtu: {
    sysctl: 'net.ipv4.route.min_pmtu',
    default: 552,
    min: 68,
    max: 65_535,
    unit: 'bytes',
    about: 'Smallest path MTU in IPv4 that is believed.',
  },
  pathMtuExpires: {
    sysctl: 'net.ipv4.route.mtu_expires',
    default: 600_000,
    min: 1,
    max: 24 * HOUR,
    unit: 'ms',
    about: 'How long what a router has said of the path MTU is believed (RFC 1191 §6.3).',
  },
  ttl: {
    sysctl: 'net.ipv4.ip_default_ttl',
    default: 64,
    min: 1,
    max: 255,
    unit: 'times',
    about: 'Time to live, or hop limit, of what is sent.',
  },
  ...IP_SETTINGS,
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
/** A value for each setting, in the unit that `SETTINGS` gives. */
export type Settings = { [name in SettingName]: number };

/**
 * The defaults with `changes` applied.
 * @throws RangeError for a name that there isn't, or a value outside its range
 */
export function makeSettings(changes: Partial<Settings> = {}): Settings {
  const settings = {} as Settings;
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    settings[name] = SETTINGS[name].default;
  }
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(SETTINGS, name)) throw new RangeError(`There is no TCP setting "${name}"`);
    const setting: Setting = SETTINGS[name as SettingName];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < setting.min || value > setting.max) {
      throw new RangeError(
        `TCP setting "${name}" must be an integer from ${setting.min} to ${setting.max} ` +
          `(${setting.unit}); received ${String(value)}`,
      );
    }
    settings[name as SettingName] = value;
  }
  return settings;
}
