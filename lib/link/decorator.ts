import type { GroupAuthority, Paths, PortAuthority } from '../core/environment';
import type { SegmentBatch } from '../core/segment/batch';
import type { LinkCounters, LinkPort } from './link';

/** A port that stands before another one and is, in all that it doesn't override, that port. */
export abstract class PortDecorator implements LinkPort {
  constructor(protected readonly port: LinkPort) {}

  get name(): string {
    return this.port.name;
  }

  get mtu(): number {
    return this.port.mtu;
  }

  get gsoMax(): number {
    return this.port.gsoMax;
  }

  get paths(): Paths | undefined {
    return this.port.paths;
  }

  get ports(): PortAuthority | undefined {
    return this.port.ports;
  }

  get udpPorts(): PortAuthority | undefined {
    return this.port.udpPorts;
  }

  get groups(): GroupAuthority | undefined {
    return this.port.groups;
  }

  get hardwareAddress(): Uint8Array | undefined {
    return this.port.hardwareAddress;
  }

  get autoconf(): boolean | undefined {
    return this.port.autoconf;
  }

  get isUp(): boolean | undefined {
    return this.port.isUp;
  }

  get counters(): LinkCounters {
    return this.port.counters;
  }

  abstract transmit(batch: SegmentBatch): boolean;

  ref(): void {
    this.port.ref();
  }

  unref(): void {
    this.port.unref();
  }

  close(): void {
    this.port.close();
  }
}
