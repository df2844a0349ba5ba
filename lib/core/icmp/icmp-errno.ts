import { Errno } from '../errno';
import { Icmp4, Icmp6, Unreachable4, Unreachable6, type IcmpError } from './icmp-error';

/** By the code of ICMPv4's destination unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812). */
const UNREACHABLE4: readonly Errno[] = [
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ENOPROTOOPT,
  Errno.ECONNREFUSED,
  Errno.EMSGSIZE,
  Errno.EOPNOTSUPP,
  Errno.ENETUNREACH,
  Errno.EHOSTDOWN,
  Errno.ENONET,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
];

/** By the code of ICMPv6's (RFC 4443 §3.1). */
const UNREACHABLE6: readonly Errno[] = [
  Errno.ENETUNREACH,
  Errno.EACCES,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ECONNREFUSED,
  Errno.EACCES,
  Errno.EACCES,
];

/**
 * What a program is told of an error (Linux: icmp_err_convert, icmpv6_err_convert); 0 for one that
 * says nothing.
 */
export function icmpErrno({ family, type, code }: IcmpError): Errno | 0 {
  if (family === 4) {
    switch (type as Icmp4) {
      case Icmp4.Unreachable:
        return UNREACHABLE4[code] ?? 0;
      case Icmp4.TimeExceeded:
        return Errno.EHOSTUNREACH;
      case Icmp4.ParameterProblem:
        return Errno.EPROTO;
      default:
        return 0;
    }
  }
  switch (type as Icmp6) {
    case Icmp6.Unreachable:
      return UNREACHABLE6[code] ?? Errno.EPROTO;
    case Icmp6.TooBig:
      return Errno.EMSGSIZE;
    case Icmp6.TimeExceeded:
      return Errno.EHOSTUNREACH;
    case Icmp6.ParameterProblem:
      return Errno.EPROTO;
    default:
      return 0;
  }
}

/** Whether it ends a handshake that a peer has begun (Linux: tcp_req_err). */
export function endsHandshake({ family, type, code }: IcmpError): boolean {
  if (family === 4) {
    if (type !== Icmp4.Unreachable) return true;
    return code === Unreachable4.Net || code === Unreachable4.Host;
  }
  if (type === Icmp6.ParameterProblem) return true;
  if (type !== Icmp6.Unreachable) return false;
  // All but those that a route may mend.
  return code !== Unreachable6.NoRoute && code !== 2 && code !== Unreachable6.Address;
}

/** Whether a router on the way has no route for the segment (RFC 6069 §4.3). */
export function isConnectivityLoss({ family, type, code }: IcmpError): boolean {
  if (family === 6) return type === Icmp6.Unreachable && code === Unreachable6.NoRoute;
  if (type !== Icmp4.Unreachable) return false;
  return code === Unreachable4.Net || code === Unreachable4.Host;
}

/** Whether the segment was too large for a link on the way (RFC 1191 §4, RFC 4443 §3.2). */
export function isTooBig({ family, type, code }: IcmpError): boolean {
  if (family === 6) return type === Icmp6.TooBig;
  return type === Icmp4.Unreachable && code === Unreachable4.FragmentationNeeded;
}
