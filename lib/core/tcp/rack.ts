import { Timer, CaState, type Connection } from './connection';
import { Pending, type Flight } from './flight';
import { Mark } from './sent-queue';
import type { Tcp } from './tcp';

/** The bits of the setting `recovery`. */
const enum Recovery {
  Rack = 1,
  StaticWindow = 2,
  NoDupThreshold = 4,
}

/** Recoveries after which a window that had grown is as it was (RFC 8985 §6.2 step 4). */
const PERSIST = 16;
const MOST_STEPS = 255;
/** Least timeout: Linux's timers go off with a tick of its clock, µs. */
const TICK = 2000;

/** Whether time decides what is lost: needs SACK (RFC 8985 §3.1). */
export function usesRack(tcp: Tcp): boolean {
  return (tcp.settings.recovery & Recovery.Rack) !== 0;
}

/** RFC 8985 §6.2 step 2: of what was delivered, the segment that was sent last. */
export function rackAdvance(c: Connection, flight: Flight, row: number, now: number): void {
  const sentAt = flight.sentAt(row);
  const rtt = now - sentAt;
  // Too soon for its retransmission: the original was delivered.
  if (rtt < c.minRtt && flight.has(row, Mark.EverRetransmitted)) return;
  flight.rackAdvanced = true;
  flight.rackRtt = rtt;
  const order = flight.order(row);
  if (((order - flight.rackOrder) | 0) <= 0) return;
  flight.rackSentAt = sentAt;
  flight.rackOrder = order;
}

/** RFC 8985 §6.2 step 4: for how long what was overtaken may still be on its way, µs. */
function reorderingWindow(tcp: Tcp, c: Connection, flight: Flight): number {
  if (!c.reorderingSeen) {
    if (c.caState >= CaState.Recovery) return 0;
    const threshold = (tcp.settings.recovery & Recovery.NoDupThreshold) === 0;
    if (threshold && flight.sackedOut >= c.reordering) return 0;
  }
  return Math.min((c.minRtt >> 2) * c.reoWndSteps, c.srtt >> 3);
}

/**
 * RFC 8985 §6.2 step 5: marks lost what was sent long enough before what was delivered. What left
 * at the same time is told apart by its order rather than, as in the RFC, by its numbers.
 */
function detectLoss(tcp: Tcp, c: Connection, flight: Flight): number {
  const window = reorderingWindow(tcp, c, flight);
  let wait = 0;
  let row = flight.sent.first;
  while (row >= 0) {
    const at = flight.sentAt(row);
    if (((flight.rackOrder - flight.order(row)) | 0) <= 0) break;
    const left = flight.rackRtt + window - (tcp.now - at);
    if (left > 0) {
      // Those behind it were sent later, and before what was delivered.
      wait = Math.max(flight.rackRtt + window - (tcp.now - flight.rackSentAt), left);
      break;
    }
    const following = flight.following(row);
    countLoss(tcp, flight, row);
    row = following;
  }
  return wait;
}

/** Marks a row lost, and counts it; a retransmission that is lost, too. */
export function countLoss(tcp: Tcp, flight: Flight, row: number): void {
  const again = flight.has(row, Mark.Retransmitted) && flight.has(row, Mark.Lost);
  if (!flight.markLost(row)) return;
  flight.losses = (flight.losses + 1) | 0;
  if (again) tcp.counters.TcpExtTCPLostRetransmit++;
}

/** After an acknowledgment: finds losses, and waits for what may yet turn out to be one. */
export function rackDetectLoss(tcp: Tcp, c: Connection, flight: Flight): boolean {
  if (!flight.rackAdvanced) return false;
  flight.rackAdvanced = false;
  const wait = detectLoss(tcp, c, flight);
  if (wait <= 0) return false;
  flight.pending = Pending.Reorder;
  // What was delivered late may have taken longer than what is waited for.
  tcp.timers.set(c.row, Timer.Retransmit, tcp.now + Math.min(wait + TICK, c.rto));
  return true;
}

/** The timer of `rackDetectLoss` went off: whether something is lost. */
export function rackTimeout(tcp: Tcp, c: Connection, flight: Flight): boolean {
  const before = flight.inFlight;
  detectLoss(tcp, c, flight);
  return flight.inFlight !== before;
}

/** RFC 8985 §6.2 step 4: the window grows where retransmissions turn out to be needless. */
export function rackUpdateWindow(tcp: Tcp, c: Connection, flight: Flight, prior: number): void {
  if ((tcp.settings.recovery & Recovery.StaticWindow) !== 0) return;
  // At most once in a round trip.
  if (((prior - flight.rackDelivered) | 0) < 0) flight.dsackSeen = false;
  if (flight.dsackSeen) {
    c.reoWndSteps = Math.min(c.reoWndSteps + 1, MOST_STEPS);
    flight.dsackSeen = false;
    flight.rackDelivered = c.delivered;
    c.reoWndPersist = PERSIST;
  } else if (c.reoWndPersist === 0) {
    c.reoWndSteps = 1;
  }
}

/** A needless recovery was taken back by D-SACK: the window stays as it is for longer. */
export function rackPersist(c: Connection): void {
  c.reoWndPersist = Math.min(c.reoWndPersist + 1, PERSIST);
}
