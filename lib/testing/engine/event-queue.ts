/** Something that happens at a time. One object is in the queue once, and can be used again. */
export abstract class SimEvent {
  /** @internal µs; Infinity while it is not in the queue */
  at = Infinity;
  /** @internal Of events at one time the one that was set first comes first. */
  order = 0;
  /** @internal */
  position = -1;

  /** It is time. The event is not in the queue any more, and may be set anew. */
  abstract run(): void;
}

/** A binary heap of events by time. */
export class EventQueue {
  private readonly heap: SimEvent[] = [];
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** The time of the earliest event; Infinity: there is none. */
  next(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0].at;
  }

  /** Sets the event to a time, µs, behind those that have the same; Infinity: unsets it. */
  set(event: SimEvent, at: number): void {
    if (at === Infinity) {
      this.remove(event);
      return;
    }
    const earlier = at < event.at;
    event.at = at;
    event.order = this.order++;
    if (event.position < 0) this.up(this.heap.push(event) - 1, event);
    else if (earlier) this.up(event.position, event);
    else this.down(event.position, event);
  }

  /** Takes the earliest event out; there is one. */
  take(): SimEvent {
    const event = this.heap[0];
    this.remove(event);
    return event;
  }

  private remove(event: SimEvent): void {
    const { position } = event;
    if (position < 0) return;
    event.position = -1;
    event.at = Infinity;
    const last = this.heap.pop() as SimEvent;
    if (last === event) return;
    if (position > 0 && before(last, this.heap[(position - 1) >> 1])) this.up(position, last);
    else this.down(position, last);
  }

  private up(position: number, event: SimEvent): void {
    const { heap } = this;
    let at = position;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent])) break;
      this.put(at, heap[parent]);
      at = parent;
    }
    this.put(at, event);
  }

  private down(position: number, event: SimEvent): void {
    const { heap } = this;
    let at = position;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], event)) break;
      this.put(at, heap[child]);
      at = child;
    }
    this.put(at, event);
  }

  private put(position: number, event: SimEvent): void {
    this.heap[position] = event;
    event.position = position;
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
