import type { TcpInfo } from '../../lib/core/tcp/tcp-info';

type Name = keyof TcpInfo;

/** Bytes of the struct as Linux 6.18 has it. */
export const INFO_BYTES = 280;

/** Members in the struct's order with their bytes; each begins at a multiple of these. */
const MEMBERS: readonly (readonly [Name | 'wscale' | 'bits', number])[] = [
  ['tcpi_state', 1],
  ['tcpi_ca_state', 1],
  ['tcpi_retransmits', 1],
  ['tcpi_probes', 1],
  ['tcpi_backoff', 1],
  ['tcpi_options', 1],
  ['wscale', 1],
  ['bits', 1],
  ['tcpi_rto', 4],
  ['tcpi_ato', 4],
  ['tcpi_snd_mss', 4],
  ['tcpi_rcv_mss', 4],
  ['tcpi_unacked', 4],
  ['tcpi_sacked', 4],
  ['tcpi_lost', 4],
  ['tcpi_retrans', 4],
  ['tcpi_fackets', 4],
  ['tcpi_last_data_sent', 4],
  ['tcpi_last_ack_sent', 4],
  ['tcpi_last_data_recv', 4],
  ['tcpi_last_ack_recv', 4],
  ['tcpi_pmtu', 4],
  ['tcpi_rcv_ssthresh', 4],
  ['tcpi_rtt', 4],
  ['tcpi_rttvar', 4],
  ['tcpi_snd_ssthresh', 4],
  ['tcpi_snd_cwnd', 4],
  ['tcpi_advmss', 4],
  ['tcpi_reordering', 4],
  ['tcpi_rcv_rtt', 4],
  ['tcpi_rcv_space', 4],
  ['tcpi_total_retrans', 4],
  ['tcpi_pacing_rate', 8],
  ['tcpi_max_pacing_rate', 8],
  ['tcpi_bytes_acked', 8],
  ['tcpi_bytes_received', 8],
  ['tcpi_segs_out', 4],
  ['tcpi_segs_in', 4],
  ['tcpi_notsent_bytes', 4],
  ['tcpi_min_rtt', 4],
  ['tcpi_data_segs_in', 4],
  ['tcpi_data_segs_out', 4],
  ['tcpi_delivery_rate', 8],
  ['tcpi_busy_time', 8],
  ['tcpi_rwnd_limited', 8],
  ['tcpi_sndbuf_limited', 8],
  ['tcpi_delivered', 4],
  ['tcpi_delivered_ce', 4],
  ['tcpi_bytes_sent', 8],
  ['tcpi_bytes_retrans', 8],
  ['tcpi_dsack_dups', 4],
  ['tcpi_reord_seen', 4],
  ['tcpi_rcv_ooopack', 4],
  ['tcpi_snd_wnd', 4],
  ['tcpi_rcv_wnd', 4],
  ['tcpi_rehash', 4],
  ['tcpi_total_rto', 2],
  ['tcpi_total_rto_recoveries', 2],
  ['tcpi_total_rto_time', 4],
  ['tcpi_received_ce', 4],
  ['tcpi_delivered_e1_bytes', 4],
  ['tcpi_delivered_e0_bytes', 4],
  ['tcpi_delivered_ce_bytes', 4],
  ['tcpi_received_e1_bytes', 4],
  ['tcpi_received_e0_bytes', 4],
  ['tcpi_received_ce_bytes', 4],
  ['tcpi_accecn_fail_mode', 2],
  ['tcpi_accecn_opt_seen', 2],
];

/** The members whose bytes all lie within the first `length` of the struct. */
function* layout(length: number): Generator<readonly [Name | 'wscale' | 'bits', number, number]> {
  let offset = 0;
  for (const [name, bytes] of MEMBERS) {
    if (offset + bytes > length) return;
    yield [name, offset, bytes];
    offset += bytes;
  }
}

/** A struct as a reply has it: the members that `length` bytes hold. */
export function infoMembers(info: TcpInfo, length: number): Partial<TcpInfo> {
  const members: Partial<TcpInfo> = {};
  for (const [name, , bytes] of layout(length)) {
    if (name === 'wscale') {
      members.tcpi_snd_wscale = info.tcpi_snd_wscale;
      members.tcpi_rcv_wscale = info.tcpi_rcv_wscale;
    } else if (name === 'bits') {
      members.tcpi_delivery_rate_app_limited = info.tcpi_delivery_rate_app_limited;
      members.tcpi_fastopen_client_fail = info.tcpi_fastopen_client_fail;
    } else if (info[name] === Infinity) {
      // Linux's ~0.
      members[name] = 2 ** (8 * bytes);
    } else {
      // What doesn't fit is cut off.
      members[name] = bytes === 8 ? info[name] : info[name] % 2 ** (8 * bytes);
    }
  }
  return members;
}

/** The same of the kernel's bytes. */
export function decodeInfo(raw: Buffer): Partial<TcpInfo> {
  const members: Partial<TcpInfo> = {};
  for (const [name, offset, bytes] of layout(raw.length)) {
    const value = bytes === 8 ? Number(raw.readBigUInt64LE(offset)) : raw.readUIntLE(offset, bytes);
    if (name === 'wscale') {
      members.tcpi_snd_wscale = value & 15;
      members.tcpi_rcv_wscale = value >> 4;
    } else if (name === 'bits') {
      members.tcpi_delivery_rate_app_limited = value & 1;
      members.tcpi_fastopen_client_fail = (value >> 1) & 3;
    } else {
      members[name] = value;
    }
  }
  return members;
}
