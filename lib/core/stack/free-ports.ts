import type { PortAuthority } from '../environment';

/** Linux's ip_local_port_range. */
const FIRST = 32_768;
const LAST = 60_999;

/** The ports of an address that is the stack's own: nobody else wants them, all are allowed. */
export class FreePorts implements PortAuthority {
  readonly allowsAnyPort = true;
  private readonly count: number;

  /**
   * @param first first ephemeral port, 1 to 65535
   * @param last last ephemeral port, `first` to 65535
   * @throws RangeError when they are no range of ports
   */
  constructor(
    private readonly first = FIRST,
    last = LAST,
  ) {
    if (!(first >= 1 && first <= last && last <= 65_535)) {
      throw new RangeError(`${first} to ${last} is no range of ports`);
    }
    this.count = last - first + 1;
  }

  reserve(): number {
    return 0;
  }

  release(): void {
    // Nothing was taken.
  }

  ephemeralCount(): number {
    return this.count;
  }

  ephemeralPort(_family: number, index: number): number {
    return this.first + index;
  }

  growEphemeral(): boolean {
    return false;
  }
}
