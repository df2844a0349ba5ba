import type { AnySocketFile } from './files';
import { Epoll, EpollCtl, Event, O_RDWR } from './linux';
import { CallError } from './request';
import { events, Progress } from './readiness';

/** A file in an epoll set. */
interface Item {
  readonly fd: number;
  readonly file: AnySocketFile;
  events: number;
  data: unknown;
  /** Edge-triggered: something has happened since it was last reported. */
  ready: boolean;
  readonly progress: Progress;
}

const ALWAYS = Event.ERR | Event.HUP;
/** Bits that are no events; a one-shot item that has fired has no others. */
const FLAGS = Epoll.ET | Epoll.ONESHOT | Epoll.EXCLUSIVE | (1 << 29);

/** epoll(7): its items in the order in which they are reported. */
export class EpollSet {
  /** What F_GETFL says. */
  readonly flags = O_RDWR;
  private items: Item[] = [];

  /** Whether epoll_wait has something to report: what poll(2) says of the set. */
  get isReadable(): boolean {
    return this.items.some((item) => item.ready && pending(item) !== 0);
  }

  control(operation: number, fd: number, file: AnySocketFile, mask: number, data: unknown): void {
    const known = this.items.find((item) => item.file === file && item.fd === fd);
    switch (operation as EpollCtl) {
      case EpollCtl.ADD:
        if (known !== undefined) throw new CallError('EEXIST');
        this.items.push({
          fd,
          file,
          events: mask | ALWAYS,
          data,
          ready: true,
          progress: new Progress(file),
        });
        return;
      case EpollCtl.DEL:
        if (known === undefined) throw new CallError('ENOENT');
        this.items = this.items.filter((item) => item !== known);
        return;
      case EpollCtl.MOD:
        if (known === undefined) throw new CallError('ENOENT');
        known.events = mask | ALWAYS;
        known.data = data;
        known.ready = true;
        return;
      default:
        throw new CallError('EINVAL');
    }
  }

  /** The file is closed. */
  forget(file: AnySocketFile): void {
    this.items = this.items.filter((item) => item.file !== file);
  }

  /** After something has happened to the stack: notes the edges. */
  observe(): void {
    for (const item of this.items) {
      if (item.progress.advance()) item.ready = true;
    }
  }

  /** epoll_wait(2): at most `max` pairs of events and data; those reported go to the end. */
  take(max: number): [number, unknown][] {
    const reported: Item[] = [];
    const result: [number, unknown][] = [];
    for (const item of this.items) {
      if (result.length === max) break;
      if (!item.ready) continue;
      const mask = pending(item);
      // Level-triggered items are looked at each time.
      item.ready = (item.events & Epoll.ET) === 0;
      if (mask === 0) continue;
      result.push([mask, item.data]);
      reported.push(item);
      if ((item.events & Epoll.ONESHOT) !== 0) item.events &= FLAGS;
    }
    this.items = [...this.items.filter((item) => !reported.includes(item)), ...reported];
    return result;
  }
}

/** The events that the program asked for and that hold. */
function pending(item: Item): number {
  return item.events & ~FLAGS & events(item.file);
}
