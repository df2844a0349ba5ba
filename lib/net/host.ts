import type { StreamSocket } from '../core/socket/stream-socket';
import type { Driver } from '../driver/driver';
import type { FamilyDefaults } from './arguments';
import type { Server } from './server';

/** What a socket needs of the stack that it belongs to. */
export interface SocketHost {
  readonly driver: Driver;
  readonly defaults: FamilyDefaults;
}

/** A socket made by a server, with the connection that it accepted. */
export interface Accepted {
  stream: StreamSocket;
  server: Server;
  pauseOnConnect: boolean;
  /** Called when the socket is destroyed. */
  gone(): void;
}
