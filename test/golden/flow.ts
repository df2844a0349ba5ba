import { Errno } from '../../lib/core/errno';
import { parseAddress } from '../../lib/core/ip/address';
import { SocketOption } from '../../lib/core/socket/options';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { Host } from '../../lib/testing';
import { SimEvent } from '../../lib/testing/engine/event-queue';

const PORT = 5001;
const BLOCK = new Uint8Array(65_536);

/**
 * A connection over which a program sends all that it can, from some time on, and what its reader,
 * who reads at once, has got.
 */
export class Flow extends SimEvent {
  /** Payload bytes that the reader has. */
  received = 0;
  private socket: StreamSocket | null = null;

  /**
   * @param controller name of the sender's congestion control
   * @param start µs
   * @param buffer of the sender and of the receiver, bytes; undefined: what the stack chooses
   */
  constructor(
    private readonly from: Host,
    private readonly to: Host,
    controller: string,
    start: number,
    private readonly buffer?: number,
  ) {
    super();
    const control = from.core.tcp.controllers.find(controller);
    if (control === null) throw new Error(`there is no controller '${controller}'`);
    from.core.tcp.defaultOptions.congestion = control;
    this.listen();
    from.simulation.at(this, start);
  }

  /** Connects. */
  run(): void {
    const { from, to } = this;
    from.enter();
    this.socket = from.socket(4, { ready: () => this.write() });
    this.setBuffers(this.socket);
    this.socket.connect(addressOf(to), PORT);
    from.flush();
  }

  private listen(): void {
    const { to } = this;
    const listener = to.socket(4, { ready: () => this.accept(listener) });
    this.setBuffers(listener);
    listener.bind(addressOf(to), PORT);
    listener.listen(1);
    to.flush();
  }

  private setBuffers(socket: StreamSocket): void {
    if (this.buffer === undefined) return;
    socket.setOption(SocketOption.ReceiveBuffer, this.buffer);
    socket.setOption(SocketOption.SendBuffer, this.buffer);
  }

  private accept(listener: StreamSocket): void {
    const socket = listener.accept();
    if (typeof socket === 'number') return;
    socket.owner = { ready: () => this.read(socket) };
    this.read(socket);
  }

  private read(socket: StreamSocket): void {
    for (;;) {
      const piece = socket.take(BLOCK.length);
      if (typeof piece !== 'number') this.received += piece.length;
      else if (piece === -Errno.EAGAIN) return;
      else throw new Error(`the reader got ${piece}`);
    }
  }

  private write(): void {
    const { socket } = this;
    if (socket === null) return;
    const error = socket.takeError();
    if (error !== 0) throw new Error(`the writer got errno ${error}`);
    while (socket.send(BLOCK, 0, BLOCK.length) > 0);
  }
}

function addressOf(host: Host): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(host.address);
  if (address === null) throw new Error(`${host.name} has no address`);
  return address;
}
