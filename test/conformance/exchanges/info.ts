import type { Exchange, Talk } from '../support/exchange';

const SYN = { mss: 1000, sackOK: true, ts: 1000, wscale: 7 };

/** What the handshake has fixed. */
const FIXED = 'state options snd_wscale rcv_wscale snd_mss rcv_mss advmss pmtu';
/** What is counted. */
const TOTALS =
  'bytes_acked bytes_received bytes_sent segs_out segs_in data_segs_out data_segs_in notsent_bytes';
const SENDER = 'ca_state retransmits probes backoff unacked snd_cwnd snd_ssthresh snd_wnd';
const NEVER =
  'fackets last_ack_sent fastopen_client_fail delivered_ce bytes_retrans dsack_dups reord_seen ' +
  'total_rto total_rto_recoveries total_rto_time total_retrans received_ce received_ce_bytes ' +
  'max_pacing_rate';

const LOSS =
  'ca_state retransmits backoff unacked sacked lost retrans reordering total_retrans ' +
  'bytes_retrans dsack_dups reord_seen';

async function told(talk: Talk, fd: number, ...lists: string[]): Promise<void> {
  for (const list of lists) await talk.info(fd, list.split(' '));
}

/** TCP_INFO. */
export const INFOS: readonly Exchange[] = [
  {
    name: 'TCP_INFO without a connection, of a listener, of a SYN',
    async run(talk) {
      const listener = await talk.socket('L');
      const all = `${FIXED} ${TOTALS} ${SENDER} ${NEVER} rto rtt rttvar min_rtt reordering`;
      await told(talk, listener, all, 'pacing_rate busy_time rcv_wnd delivery_rate_app_limited');
      await talk.bind(listener, 8124);
      await talk.call('listen', { fd: listener, backlog: 7 });
      await told(talk, listener, 'state unacked sacked snd_cwnd reordering rto snd_mss min_rtt');
      talk.port = 8124;
      await talk.peer('S', SYN);
      await talk.peer('.', { ts: 1001 });
      await told(talk, listener, 'state unacked sacked');
      const fd = await talk.socket('S');
      await talk.connect(fd);
      await told(talk, fd, 'state unacked bytes_acked bytes_sent segs_out segs_in rto options');
    },
  },
  {
    name: 'TCP_INFO of a connection that we opened',
    async run(talk) {
      const fd = await talk.connected({ ...SYN, ts: 1000 }, 30);
      await told(talk, fd, FIXED, TOTALS, SENDER, NEVER);
      await talk.write(fd, 1500);
      await told(talk, fd, TOTALS, SENDER);
      await talk.peer('.');
      await told(talk, fd, TOTALS, SENDER, NEVER);
      await talk.peer('P.', { data: 300 });
      await talk.read(fd);
      await told(talk, fd, TOTALS);
    },
  },
  {
    name: 'TCP_INFO of a connection that was accepted, to its end',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8111, { mss: 1000 }, 30);
      await told(talk, fd, FIXED, TOTALS, SENDER, NEVER);
      await talk.peer('P.', { data: 500 });
      await talk.write(fd, 700);
      await talk.peer('.');
      await told(talk, fd, TOTALS);
      await talk.shutdown(fd, 1);
      await told(talk, fd, 'state', TOTALS, 'unacked');
      await talk.peer('.');
      await told(talk, fd, 'state', TOTALS, 'unacked');
      await talk.peer('F.');
      await told(talk, fd, 'state', TOTALS);
    },
  },
  {
    name: 'TCP_INFO after a reset',
    deviceMemory: true,
    async run(talk) {
      const [fd] = await talk.served(8112, { mss: 1000 }, 30);
      await talk.peer('P.', { data: 500 });
      await talk.peer('R');
      await told(talk, fd, 'state', TOTALS, 'snd_mss');
      await talk.error(fd);
    },
  },
  {
    name: 'TCP_INFO: segments out of order',
    async run(talk) {
      const [fd] = await talk.served(8113, SYN, 30);
      await talk.peer('.', { seq: 101, data: 100, ts: 1002 });
      await talk.peer('.', { seq: 301, data: 100, ts: 1003 });
      await told(talk, fd, 'rcv_ooopack', TOTALS);
      await talk.peer('.', { seq: 1, data: 100, ts: 1004 });
      await told(talk, fd, 'rcv_ooopack', TOTALS);
    },
  },
  {
    name: "TCP_INFO: the peer's window is the limit",
    async run(talk) {
      const [fd] = await talk.served(8114, { mss: 1000, win: 1000 }, 30);
      talk.window = 1000;
      await talk.write(fd, 2500);
      await told(talk, fd, TOTALS, SENDER);
      await talk.offer(0);
      await told(talk, fd, TOTALS, SENDER);
      await talk.offer(3000);
      await told(talk, fd, TOTALS, SENDER);
    },
  },
  {
    name: 'TCP_INFO: a timeout, and the recovery from it',
    async run(talk) {
      const [fd] = await talk.served(8115, { mss: 1000, sackOK: true }, 30);
      await talk.write(fd, 2500);
      await talk.pass(300);
      await told(talk, fd, TOTALS, LOSS, 'delivered total_rto total_rto_recoveries');
      await talk.peer('.', { ack: 1001 });
      await told(talk, fd, TOTALS, LOSS, 'delivered total_rto total_rto_recoveries');
      await talk.peer('.', { ack: 2501 });
      await told(talk, fd, TOTALS, LOSS, 'delivered total_rto total_rto_recoveries');
    },
  },
  {
    name: 'TCP_INFO: SACK, fast retransmission, a duplicate that is reported',
    async run(talk) {
      const [fd] = await talk.served(8116, { mss: 1000, sackOK: true }, 30);
      await talk.write(fd, 6000);
      await talk.pass(30);
      await talk.peer('.', { ack: 1, sack: [[1001, 5001]] });
      await told(talk, fd, TOTALS, LOSS, 'delivered');
      await talk.peer('.', { ack: 6001 });
      await told(talk, fd, TOTALS, LOSS, 'delivered');
      await talk.peer('.', { ack: 6001, sack: [[1, 1001]] });
      await told(talk, fd, LOSS, 'delivered');
    },
  },
  {
    name: 'TCP_INFO: a SYN and a SYN+ACK that were sent again',
    async run(talk) {
      const fd = await talk.socket();
      await talk.connect(fd);
      await talk.pass(1200);
      await told(
        talk,
        fd,
        'state retransmits unacked total_retrans total_rto total_rto_recoveries segs_out',
      );
      await talk.peer('S.', SYN);
      await told(talk, fd, TOTALS, LOSS, 'delivered total_rto total_rto_recoveries');
      const listener = await talk.listener(8117);
      await talk.peer('S', { ...SYN, from: talk.peerPort + 1 });
      await talk.pass(1200);
      await talk.peer('.', { from: talk.peerPort + 1, ts: 1001 });
      const accepted = await talk.accept(listener);
      await told(talk, accepted, TOTALS, LOSS, 'delivered total_rto total_rto_recoveries');
    },
  },
];
