import { SocketOption } from '../socket/options';
import type { Connection } from './connection';
import { clampWindow } from './receive-window';
import type { Tcp } from './tcp';

/** Linux: tcp_stream_is_readable. Data counts at the latest when the peer can send no more. */
export function isReadable(c: Connection, available: number): boolean {
  if (available <= 0) return false;
  return available >= c.options.receiveLowWater || c.row < 0 || c.receiveWindow <= c.rcvMss;
}

/** An option that has to do with buffers or windows was set: it holds from now on. */
export function bufferOptionChanged(tcp: Tcp, c: Connection, option: SocketOption): void {
  if (option === SocketOption.SendBuffer) c.sndBuf = c.options.sendBuffer;
  if (option === SocketOption.WindowClamp) clampWindow(c);
  if (option !== SocketOption.ReceiveBuffer || c.inbound === null) return;
  c.inbound.rcvBuf = 0;
  tcp.dropInbound(c);
}

/** What a buffer of the connection has grown to; undefined for what is no buffer's size. */
export function grownSize(c: Connection | null, option: SocketOption): number | undefined {
  if (option === SocketOption.ReceiveBuffer) return c?.rcvBuf;
  return option === SocketOption.SendBuffer ? c?.sndBuf : undefined;
}
