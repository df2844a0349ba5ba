import { SocketOption } from '../core/socket/options';
import type { StreamSocket } from '../core/socket/stream-socket';

/** Options of a socket that may be set before there is a connection. */
export class Tuning {
  noDelay = false;
  keepAlive = false;
  /** ms; 0 leaves the stack's setting. */
  keepAliveDelay = 0;

  /** Sets them on a new stream socket, whose options are the stack's defaults. */
  apply(stream: StreamSocket): void {
    if (this.noDelay) this.applyNoDelay(stream);
    if (this.keepAlive) this.applyKeepAlive(stream);
  }

  applyNoDelay(stream: StreamSocket): void {
    stream.setOption(SocketOption.NoDelay, Number(this.noDelay));
  }

  applyKeepAlive(stream: StreamSocket): void {
    stream.setOption(SocketOption.KeepAlive, Number(this.keepAlive));
    if (this.keepAlive && this.keepAliveDelay > 0) {
      stream.setOption(SocketOption.KeepIdle, this.keepAliveDelay);
    }
  }
}
