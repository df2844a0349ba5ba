import type { StackCore } from '../../lib/core/stack/stack-core';
import { Has } from '../../lib/core/tcp/connection';
import { segments } from '../../lib/core/tcp/recovery';
import { State } from '../../lib/core/tcp/state';
import { elapsedMs } from '../../lib/core/time/elapsed';
import type { SocketFile } from './files';

/** Members of Linux's struct tcp_info, as far as the core knows them. */
export type TcpInfo = Readonly<Record<`tcpi_${string}`, number>>;

/** Linux's numbers of the states, by ours. */
const STATES: Readonly<Record<State, number>> = {
  [State.CLOSED]: 7,
  [State.LISTEN]: 10,
  [State.SYN_SENT]: 2,
  [State.SYN_RECEIVED]: 3,
  [State.ESTABLISHED]: 1,
  [State.FIN_WAIT_1]: 4,
  [State.FIN_WAIT_2]: 5,
  [State.CLOSE_WAIT]: 8,
  [State.CLOSING]: 11,
  [State.LAST_ACK]: 9,
  // A socket whose connection is in TIME-WAIT is closed.
  [State.TIME_WAIT]: 7,
};

const enum InfoOption {
  Timestamps = 1,
  Sack = 2,
  WindowScale = 4,
}

/** TCP_INFO. */
export function tcpInfo(core: StackCore, { socket }: SocketFile): TcpInfo {
  const state = { tcpi_state: STATES[socket.state] };
  const c = socket.status;
  if (socket.state === State.LISTEN) {
    return { ...state, tcpi_unacked: socket.waiting, tcpi_sacked: socket.backlog };
  }
  if (c === null || c.row < 0) return state;
  const { nowMs } = core.tcp;
  const options =
    (c.has(Has.Timestamps) ? InfoOption.Timestamps : 0) |
    (c.has(Has.Sack) ? InfoOption.Sack : 0) |
    (c.has(Has.WindowScale) ? InfoOption.WindowScale : 0);
  return {
    ...state,
    tcpi_ca_state: c.caState,
    tcpi_retransmits: c.retransmits,
    tcpi_probes: c.probes,
    tcpi_backoff: c.backoff,
    tcpi_options: options,
    tcpi_snd_wscale: c.sndScale,
    tcpi_rcv_wscale: c.rcvScale,
    tcpi_rto: c.rto,
    tcpi_ato: c.atoMs * 1000,
    tcpi_snd_mss: c.sndMss,
    tcpi_rcv_mss: c.rcvMss,
    tcpi_unacked: c.sndMss === 0 ? 0 : segments(c, c.inFlight),
    tcpi_last_data_sent: elapsedMs(nowMs, c.lastSendMs),
    tcpi_last_data_recv: elapsedMs(nowMs, c.lastReceiveMs),
    tcpi_last_ack_recv: elapsedMs(nowMs, c.heardMs),
    tcpi_pmtu: c.pathMtu,
    tcpi_rcv_ssthresh: c.rcvSsthresh,
    tcpi_rtt: c.srtt >> 3,
    tcpi_rttvar: c.mdev >> 2,
    tcpi_snd_ssthresh: c.ssthresh,
    tcpi_snd_cwnd: c.cwnd,
    tcpi_advmss: c.advMss,
    tcpi_notsent_bytes: socket.outQueueUnsent,
    tcpi_snd_wnd: c.sndWnd,
    tcpi_rcv_wnd: c.receiveWindow,
  };
}
