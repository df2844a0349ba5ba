import { CongestionEvent, type CongestionControl, type RateSample } from './congestion';
import type {
  CongestionController,
  CongestionEventName,
  DeliverySample,
} from './congestion-controller';
import { View } from './congestion-view';
import type { Connection } from './connection';
import type { Controllers } from './controllers';
import { reno } from './reno';

const EVENTS: Readonly<Record<CongestionEvent, CongestionEventName>> = {
  [CongestionEvent.TransmitStart]: 'transmit-start',
  [CongestionEvent.Restart]: 'restart',
  [CongestionEvent.RecoveryDone]: 'recovery-done',
  [CongestionEvent.Loss]: 'loss',
  [CongestionEvent.Undo]: 'undo',
};

/** A time in µs, or -1 for none, in ms. */
function toMs(us: number): number {
  return us < 0 ? -1 : us / 1000;
}

/** A sample with its times in ms. */
class Sample implements DeliverySample {
  delivered = -1;
  interval = -1;
  rtt = -1;
  ackedSacked = 0;
  losses = 0;
  priorInFlight = 0;
  isAppLimited = false;

  take(sample: Readonly<RateSample>): this {
    Object.assign(this, sample);
    this.interval = toMs(sample.interval);
    this.rtt = toMs(sample.rtt);
    return this;
  }
}

/** A controller of the program's, from which the stack is protected. */
export class ProgramsControl implements CongestionControl {
  readonly name: string;
  readonly control: CongestionControl['control'];
  private readonly view = new View();
  private readonly sample = new Sample();

  constructor(
    private readonly controller: CongestionController,
    private readonly controllers: Controllers,
  ) {
    this.name = controller.name;
    this.control = controller.control === undefined ? undefined : this.byModel.bind(this);
  }

  init(c: Connection): void {
    if (this.controller.init === undefined) return;
    const view = this.enter(c);
    try {
      this.controller.init(view);
    } catch (error) {
      this.controllers.failed(c, error);
    } finally {
      this.leave();
    }
  }

  ssthresh(c: Connection): number {
    const view = this.enter(c);
    const otherwise = reno.ssthresh(c);
    try {
      return view.threshold(this.controller.ssthresh(view), otherwise);
    } catch (error) {
      this.controllers.failed(c, error);
      return otherwise;
    } finally {
      this.leave();
    }
  }

  congAvoid(c: Connection, acked: number, now: number): void {
    const view = this.enter(c);
    try {
      this.controller.congAvoid?.(view, acked, now / 1000);
    } catch (error) {
      this.controllers.failed(c, error);
    } finally {
      this.leave();
    }
  }

  undoCwnd(c: Connection): number {
    const otherwise = Math.max(c.cwnd, c.priorCwnd);
    if (this.controller.undoCwnd === undefined) return otherwise;
    const view = this.enter(c);
    try {
      return view.window(this.controller.undoCwnd(view), otherwise);
    } catch (error) {
      this.controllers.failed(c, error);
      return otherwise;
    } finally {
      this.leave();
    }
  }

  acked(c: Connection, acked: number, rtt: number, now: number): void {
    if (this.controller.acked === undefined) return;
    const view = this.enter(c);
    try {
      this.controller.acked(view, acked, toMs(rtt), now / 1000);
    } catch (error) {
      this.controllers.failed(c, error);
    } finally {
      this.leave();
    }
  }

  event(c: Connection, event: CongestionEvent, now: number): void {
    if (this.controller.event === undefined) return;
    const view = this.enter(c);
    try {
      this.controller.event(view, EVENTS[event], now / 1000);
    } catch (error) {
      this.controllers.failed(c, error);
    } finally {
      this.leave();
    }
  }

  private byModel(c: Connection, sample: Readonly<RateSample>, now: number): void {
    const view = this.enter(c);
    try {
      this.controller.control?.(view, this.sample.take(sample), now / 1000);
    } catch (error) {
      this.controllers.failed(c, error);
    } finally {
      this.leave();
    }
  }

  private enter(c: Connection): View {
    this.controllers.busy = true;
    this.view.connection = c;
    return this.view;
  }

  private leave(): void {
    const { view, controllers } = this;
    controllers.busy = false;
    view.connection = null;
    if (view.nonsense === 0) return;
    controllers.noteNonsense(view.nonsense);
    view.nonsense = 0;
  }
}
