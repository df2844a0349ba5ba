/** What a stack counts, by the names that `nstat` prints on Linux. Each starts at 0. */
export class Counters {
  TcpActiveOpens = 0;
  TcpPassiveOpens = 0;
  TcpAttemptFails = 0;
  TcpEstabResets = 0;
  TcpCurrEstab = 0;
  TcpInSegs = 0;
  TcpOutSegs = 0;
  TcpRetransSegs = 0;
  TcpInErrs = 0;
  TcpOutRsts = 0;
  TcpInCsumErrors = 0;
  TcpExtSyncookiesSent = 0;
  TcpExtSyncookiesRecv = 0;
  TcpExtSyncookiesFailed = 0;
  TcpExtEmbryonicRsts = 0;
  TcpExtTW = 0;
  TcpExtTWRecycled = 0;
  TcpExtTCPTimeWaitOverflow = 0;
  TcpExtPAWSEstab = 0;
  TcpExtPAWSOldAck = 0;
  TcpExtTSEcrRejected = 0;
  TcpExtDelayedACKs = 0;
  TcpExtDelayedACKLost = 0;
  TcpExtListenOverflows = 0;
  TcpExtListenDrops = 0;
  TcpExtTCPReqQFullDoCookies = 0;
  TcpExtTCPReqQFullDrop = 0;
  TcpExtTCPDeferAcceptDrop = 0;
  TcpExtTCPSynRetrans = 0;
  TcpExtTCPRenoRecovery = 0;
  TcpExtTCPSackRecovery = 0;
  TcpExtTCPSACKReneging = 0;
  TcpExtTCPSACKReorder = 0;
  TcpExtTCPRenoReorder = 0;
  TcpExtTCPTSReorder = 0;
  TcpExtTCPSACKDiscard = 0;
  TcpExtTCPDSACKIgnoredOld = 0;
  TcpExtTCPDSACKIgnoredNoUndo = 0;
  TcpExtTCPDSACKRecv = 0;
  TcpExtTCPDSACKOfoRecv = 0;
  TcpExtTCPFullUndo = 0;
  TcpExtTCPPartialUndo = 0;
  TcpExtTCPDSACKUndo = 0;
  TcpExtTCPLossUndo = 0;
  TcpExtTCPSpuriousRTOs = 0;
  TcpExtTCPSackRecoveryFail = 0;
  TcpExtTCPRenoRecoveryFail = 0;
  TcpExtTCPSackFailures = 0;
  TcpExtTCPRenoFailures = 0;
  TcpExtTCPLossFailures = 0;
  TcpExtTCPLostRetransmit = 0;
  TcpExtTCPLossProbes = 0;
  TcpExtTCPLossProbeRecovery = 0;
  TcpExtTCPFastRetrans = 0;
  TcpExtTCPSlowStartRetrans = 0;
  TcpExtTCPTimeouts = 0;
  TcpExtTCPAbortOnData = 0;
  TcpExtTCPAbortOnClose = 0;
  TcpExtTCPAbortOnMemory = 0;
  TcpExtTCPAbortOnTimeout = 0;
  TcpExtTCPAbortOnLinger = 0;
  TcpExtTCPOFOQueue = 0;
  TcpExtTCPOFODrop = 0;
  TcpExtTCPRcvQDrop = 0;
  TcpExtBeyondWindow = 0;
  TcpExtTCPMemoryPressures = 0;
  /** Time under pressure that is over, ms. */
  TcpExtTCPMemoryPressuresChrono = 0;
  TcpExtTCPDSACKOldSent = 0;
  TcpExtTCPDSACKOfoSent = 0;
  TcpExtTCPChallengeACK = 0;
  TcpExtTCPSYNChallenge = 0;
  TcpExtTCPACKSkippedChallenge = 0;
  TcpExtTCPACKSkippedSeq = 0;
  TcpExtTCPACKSkippedSynRecv = 0;
  TcpExtTCPACKSkippedFinWait2 = 0;
  TcpExtTCPACKSkippedTimeWait = 0;
  TcpExtTCPHystartDelayDetect = 0;
  TcpExtTCPHystartDelayCwnd = 0;
  TcpExtTCPKeepAlive = 0;
  TcpExtTCPWinProbe = 0;
  TcpExtTCPFromZeroWindowAdv = 0;
  TcpExtTCPToZeroWindowAdv = 0;
  TcpExtTCPZeroWindowDrop = 0;
  TcpExtTCPDeliveredCE = 0;
  /** Packets by the ECN field of their IP header (RFC 3168 §5). */
  IpExtInNoECTPkts = 0;
  IpExtInECT1Pkts = 0;
  IpExtInECT0Pkts = 0;
  IpExtInCEPkts = 0;
  /** ICMP that quotes a segment which is not in flight. */
  TcpExtOutOfWindowIcmps = 0;
  IcmpInMsgs = 0;
  IcmpInErrors = 0;
  IcmpInCsumErrors = 0;
  IcmpInDestUnreachs = 0;
  IcmpInTimeExcds = 0;
  IcmpInParmProbs = 0;
  Icmp6InMsgs = 0;
  Icmp6InErrors = 0;
  Icmp6InCsumErrors = 0;
  Icmp6InDestUnreachs = 0;
  Icmp6InPktTooBigs = 0;
  Icmp6InTimeExcds = 0;
  Icmp6InParmProblems = 0;
  /** Segments from addresses that nobody can have, or that nobody may answer. */
  NetlandMartianSources = 0;
  /** Peers that did not answer `tcp_retries1` retransmissions (RFC 9293 §3.8.3: R1). */
  NetlandSilences = 0;
  /** Answers without a connection that found no room in the outgoing queue. */
  NetlandReplyDrops = 0;
  /** Exceptions of congestion controllers of the program's. */
  NetlandCongestionErrors = 0;
  /** Windows that such a controller asked for, and that are none. */
  NetlandCongestionNonsense = 0;
}
