import { countIcmp } from '../icmp/icmp-counters';
import type { IcmpError } from '../icmp/icmp-error';
import { endsHandshake, icmpErrno, isConnectivityLoss, isTooBig } from '../icmp/icmp-errno';
import { seqGeq, seqLeq } from '../sequence';
import { Shape } from '../stack/four-tuples';
import { revertBackoff } from './backoff-revert';
import type { Connection } from './connection';
import { packetTooBig } from './path-mtu';
import { State } from './state';
import type { Tcp } from './tcp';

/**
 * An ICMP error quotes a segment (RFC 9293 §3.9.2.2, RFC 5927). It counts for a connection or a
 * handshake whose four-tuple that is, if the segment can be in flight there (RFC 5927 §4.1); a
 * listener has sent nothing that could be quoted.
 */
export function icmpArrives(tcp: Tcp, error: IcmpError): void {
  const { family, type, intact } = error;
  if (!countIcmp(tcp.counters, family, type, intact)) return;
  const { local, localPort, remote, remotePort } = error;
  const tuple = tcp.tuples.lookup(local, localPort, remote, remotePort);
  switch (tuple < 0 ? Shape.None : tcp.tuples.shape(tuple)) {
    case Shape.Connection:
      arrivesAtConnection(tcp, tcp.connection(tcp.tuples.index(tuple)), error);
      return;
    case Shape.Syn:
      tcp.synReceived.icmpArrives(
        tcp.tuples.index(tuple),
        error.sequence,
        icmpErrno(error) !== 0 && endsHandshake(error),
      );
      return;
    case Shape.TimeWait:
      return;
    case Shape.None:
      if (error.family === 4) tcp.counters.IcmpInErrors++;
      else tcp.counters.Icmp6InErrors++;
      return;
  }
}

function arrivesAtConnection(tcp: Tcp, c: Connection, error: IcmpError): void {
  const { sequence } = error;
  if (!seqLeq(c.sndUna, sequence) || !seqGeq(c.sndNxt, sequence)) {
    tcp.counters.TcpExtOutOfWindowIcmps++;
    return;
  }
  if (isTooBig(error)) {
    packetTooBig(tcp, c, error);
    return;
  }
  const errno = icmpErrno(error);
  if (errno === 0) return;
  if (c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED) {
    // Deviation: RFC 5461 §4 and RFC 1122 §4.2.3.9 go on trying where the error is soft; Linux ends
    // the attempt at once, so that the program can try another address.
    // As Linux has it, IPv4's is kept for everybody.
    if (error.family === 4 || c.options.receiveErrors6 === 1) c.socket?.keepError(error, errno);
    tcp.finish(c, errno);
    return;
  }
  if (isConnectivityLoss(error)) revertBackoff(tcp, c, sequence);
  // RFC 5927 §5.2: no ICMP error ends a connection. Deviation: RFC 9293 §3.9.2.2 would have it for
  // protocol and port unreachable (SHLD-25); Linux has it for none.
  if (c.row < 0) return;
  const isAsked = error.family === 4 ? c.options.receiveErrors : c.options.receiveErrors6;
  if (isAsked === 1 && c.socket !== null) c.socket.report(errno);
  else c.softError = errno;
}
