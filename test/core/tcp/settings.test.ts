import { makeSettings, SETTINGS, type SettingName } from '../../../lib/core/tcp/settings';

/** Linux's defaults (ip-sysctl.rst), in the table's units. */
const LINUX: Readonly<Record<string, number>> = {
  'net.ipv4.tcp_syn_retries': 6,
  'net.ipv4.tcp_syn_linear_timeouts': 4,
  'net.ipv4.tcp_synack_retries': 5,
  'net.ipv4.tcp_retries1': 3,
  'net.ipv4.tcp_retries2': 15,
  'net.ipv4.tcp_challenge_ack_limit': 2 ** 31 - 1,
  'net.ipv4.tcp_orphan_retries': 0,
  'net.ipv4.tcp_rto_min_us': 200,
  'net.ipv4.tcp_rto_max_ms': 120_000,
  'net.ipv4.tcp_fin_timeout': 60_000,
  'net.ipv4.tcp_max_tw_buckets': 262_144,
  'net.ipv4.tcp_max_syn_backlog': 4096,
  'net.core.somaxconn': 4096,
  'net.ipv4.tcp_syncookies': 1,
  'net.ipv4.tcp_tw_reuse_delay': 1000,
  'net.ipv4.tcp_abort_on_overflow': 0,
  'net.ipv4.tcp_timestamps': 1,
  'net.ipv4.tcp_window_scaling': 1,
  'net.ipv4.tcp_sack': 1,
  'net.ipv4.tcp_dsack': 1,
  'net.ipv4.tcp_ecn': 2,
  'net.ipv4.tcp_ecn_fallback': 1,
  'net.ipv4.tcp_stdurg': 0,
  'net.ipv4.tcp_moderate_rcvbuf': 1,
  'net.ipv4.tcp_notsent_lowat': 2 ** 32 - 1,
  'net.ipv4.tcp_keepalive_time': 2 * 3600 * 1000,
  'net.ipv4.tcp_keepalive_intvl': 75_000,
  'net.ipv4.tcp_invalid_ratelimit': 500,
  'net.ipv4.tcp_min_tso_segs': 2,
  'net.ipv4.tcp_tso_rtt_log': 9,
  'net.ipv4.tcp_thin_linear_timeouts': 0,
  'net.ipv4.tcp_pacing_ss_ratio': 200,
  'net.ipv4.tcp_pacing_ca_ratio': 120,
  'net.ipv4.tcp_slow_start_after_idle': 1,
  'net.ipv4.ip_no_pmtu_disc': 0,
  'net.ipv4.route.min_pmtu': 552,
  'net.ipv4.route.mtu_expires': 600_000,
  'net.ipv4.tcp_recovery': 1,
  'net.ipv4.tcp_early_retrans': 3,
  'net.ipv4.tcp_frto': 2,
  'net.ipv4.tcp_reordering': 3,
  'net.ipv4.tcp_max_reordering': 300,
  'net.ipv4.tcp_min_rtt_wlen': 300_000,
  'net.ipv4.tcp_retrans_collapse': 1,
  'net.ipv4.ip_default_ttl': 64,
  'net.ipv4.icmp_echo_ignore_all': 0,
  'net.ipv4.icmp_echo_ignore_broadcasts': 1,
  'net.ipv4.icmp_ratelimit': 1000,
  'net.ipv4.icmp_ratemask': 6168,
  'net.ipv4.icmp_msgs_per_sec': 1000,
  'net.ipv4.icmp_msgs_burst': 50,
  'net.ipv6.icmp.echo_ignore_all': 0,
  'net.ipv6.icmp.echo_ignore_multicast': 0,
  'net.ipv6.icmp.ratelimit': 1000,
  // The types 0 to 31 of 0-1,3-127.
  'net.ipv6.icmp.ratemask': 2 ** 32 - 1 - 2 ** 2,
  'net.ipv4.ipfrag_high_thresh': 4 * 2 ** 20,
  'net.ipv4.ipfrag_time': 30_000,
  'net.ipv4.ipfrag_max_dist': 64,
  'net.ipv6.ip6frag_high_thresh': 4 * 2 ** 20,
  'net.ipv6.ip6frag_time': 60_000,
  'net.ipv4.igmp_qrv': 2,
  'net.ipv4.igmp_link_local_mcast_reports': 1,
  'net.ipv4.conf.all.igmpv2_unsolicited_report_interval': 10_000,
  'net.ipv4.conf.all.igmpv3_unsolicited_report_interval': 1000,
  'net.ipv4.conf.all.force_igmp_version': 0,
  'net.ipv6.mld_qrv': 2,
  'net.ipv6.conf.all.mldv1_unsolicited_report_interval': 10_000,
  'net.ipv6.conf.all.mldv2_unsolicited_report_interval': 1000,
  'net.ipv6.conf.all.force_mld_version': 0,
};

/** Ours differ on purpose: missions S6 and S8, and buffers without the kernel's bookkeeping. */
const OURS: Readonly<Record<string, readonly number[]>> = {
  'net.ipv4.tcp_rfc1337': [1],
  'net.ipv4.tcp_tw_reuse': [1],
  // Linux's follow the machine's memory.
  'net.ipv4.tcp_max_orphans': [65_536],
  'net.ipv4.tcp_keepalive_probes': [10],
  'net.ipv4.tcp_rmem': [2 ** 16, 6 * 2 ** 20],
  // Linux's are shares of the machine's memory: these of one with 4 GiB.
  'net.ipv4.tcp_mem': [192, 256, 384].map((mib) => mib * 2 ** 20),
  'net.ipv4.tcp_wmem': [2 ** 14, 2 ** 22],
};

const names = Object.keys(SETTINGS) as SettingName[];

describe('the settings', () => {
  const withSysctl = names.filter((name) => SETTINGS[name].sysctl !== null);

  test.each(withSysctl)('%s: its sysctl’s default, or what the mission wants', (name) => {
    const sysctl = String(SETTINGS[name].sysctl);
    expect(OURS[sysctl] ?? [LINUX[sysctl]]).toContain(SETTINGS[name].default);
  });

  test.each(names)('%s says what it is, and takes its whole range and nothing else', (name) => {
    const { min, max, default: value, about } = SETTINGS[name];
    expect(about).toMatch(/^[A-Z].*\.$/);
    expect(makeSettings()[name]).toBe(value);
    expect(makeSettings({ [name]: min })[name]).toBe(min);
    expect(makeSettings({ [name]: max })[name]).toBe(max);
    for (const wrong of [min - 1, max + 1, min + 0.5, NaN, Infinity, '1', null]) {
      const changes = { [name]: wrong } as object;
      expect(() => makeSettings(changes)).toThrow(RangeError);
      expect(() => makeSettings(changes)).toThrow(
        new RegExp(`"${name}" must be an integer from ${min} to ${max} \\(.+\\); received`),
      );
    }
  });

  test('what is left undefined keeps its default; a name that there isn’t is refused', () => {
    expect(makeSettings({ msl: undefined, ttl: 9 })).toEqual({ ...makeSettings(), ttl: 9 });
    expect(() => makeSettings({ mls: 5 } as object)).toThrow('There is no TCP setting "mls"');
    expect(() => makeSettings({ mls: undefined } as object)).toThrow(RangeError);
  });
});
