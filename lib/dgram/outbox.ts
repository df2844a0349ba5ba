import { AsyncResource } from 'node:async_hooks';
import { Errno } from '../core/errno';
import type { IpAddress } from '../core/ip/address';
import { isIpv4 } from '../core/ip/address';
import { truesize } from '../core/memory/truesize';
import type { DatagramSocket } from '../core/socket/datagram-socket';
import { countUdp } from '../core/udp/udp-counters';
import type { Driver } from '../driver/driver';
import { systemError } from '../errors';
import type { Callback } from './arguments';

type AnyCallback = (...args: unknown[]) => void;

// Taken when the module is loaded, so that a test's fake timers don't stop the stack.
const nextTick = process.nextTick.bind(process);

/** A datagram, and who is told what becomes of it. */
export interface Letter {
  readonly parts: readonly Uint8Array[];
  /** null: to the peer. */
  readonly to: IpAddress | null;
  readonly port: number;
  /** As the program has given it, for errors. */
  readonly address: string | undefined;
  readonly callback: Callback | undefined;
  /** From where; absent: from where the socket is bound. */
  readonly from?: { readonly address: IpAddress; readonly port: number };
}

function post(stream: DatagramSocket, { parts, to, port, from }: Letter): number {
  if (from === undefined || to === null) return stream.sendParts(parts, to, port);
  return stream.sendFrom(from.address, from.port, parts, to, port);
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

/** Tells what has become of a datagram: its length, or minus an errno. */
function tell({ callback, address, port }: Letter, result: number): void {
  if (callback === undefined) return;
  if (result >= 0) nextTick(callback as AnyCallback, null, result);
  else {
    const error = systemError(-result, 'send', address, port);
    nextTick(callback as AnyCallback, error);
  }
}

/**
 * Sends datagrams, and keeps those that the stack doesn't take now because its link is slower than
 * the program: as libuv does, but no more than another send buffer of them. What is more is
 * dropped, ENOBUFS, and counted (UdpSndbufErrors).
 */
export class Outbox {
  /** Bytes of the datagrams that wait. */
  size = 0;
  #letters: Letter[] = [];
  /** What Linux would count for them. */
  #held = 0;

  constructor(
    private readonly driver: Driver,
    private readonly stream: DatagramSocket,
  ) {}

  get count(): number {
    return this.#letters.length;
  }

  send(letter: Letter): void {
    const { driver, stream } = this;
    driver.enter();
    const limit = stream.options.sendBuffer;
    if (this.count === 0) {
      if (stream.outgoing.held >= limit) driver.transmit();
      const sent = post(stream, letter);
      if (sent !== -Errno.EAGAIN || stream.outgoing.held < limit) {
        tell(letter, sent);
        return;
      }
    }
    this.#keep(letter, limit);
  }

  #keep(letter: Letter, limit: number): void {
    const length = lengthOf(letter.parts);
    if (length > 0xffff) {
      tell(letter, -Errno.EMSGSIZE);
      return;
    }
    if (this.#held >= limit) {
      const to = letter.to ?? this.stream.remoteAddress;
      if (this.count > 0) countUdp(this.driver.core.counters, isIpv4(to), 'sndbufErrors');
      tell(letter, -Errno.ENOBUFS);
      return;
    }
    // The program may use its memory again.
    const bytes = Buffer.concat(letter.parts, length);
    const callback =
      letter.callback && AsyncResource.bind(letter.callback as AnyCallback, 'NETLANDUDPSEND');
    this.#letters.push({ ...letter, parts: [bytes], callback });
    this.#held += truesize(length);
    this.size += length;
  }

  /** There is room again. */
  flush(): void {
    const letters = this.#letters;
    let done = 0;
    while (done < letters.length) {
      const letter = letters[done];
      const sent = post(this.stream, letter);
      if (sent === -Errno.EAGAIN) break;
      done++;
      this.#gone(letter);
      tell(letter, sent);
    }
    if (done > 0) this.#letters = letters.slice(done);
  }

  #gone({ parts: [bytes] }: Letter): void {
    this.#held -= truesize(bytes.length);
    this.size -= bytes.length;
  }

  /** The socket is closed. */
  clear(): void {
    for (const letter of this.#letters) tell(letter, -Errno.ECANCELED);
    this.#letters = [];
    this.#held = this.size = 0;
  }
}
