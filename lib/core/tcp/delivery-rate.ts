import { seqGt } from '../sequence';
import type { AckNews } from './ack-news';
import type { Connection } from './connection';
import type { Flight } from './flight';
import { Mark, Sent, SentTime } from './sent-queue';
import type { Tcp } from './tcp';

// Delivery rate: draft-ietf-ccwg-bbr §4.1 (before: draft-cheng-iccrg-delivery-rate-estimation), as
// Linux has it. For each segment that is delivered: how much was delivered between its sending and
// now, over the longer of the times in which that was sent and acknowledged.

/** Notes with a row that leaves what had been delivered by then. */
export function rateSent(c: Connection, flight: Flight, row: number, now: number): void {
  const { times, words } = flight;
  const t = row * SentTime.Stride;
  times[t + SentTime.First] = flight.firstSentAt;
  times[t + SentTime.Delivered] = flight.deliveredAt;
  times[t + SentTime.At] = now;
  words[row * Sent.Stride + Sent.Delivered] = c.delivered;
  if (flight.appLimited !== 0) flight.mark(row, Mark.AppLimited);
  else flight.unmark(row, Mark.AppLimited);
}

/**
 * Before the first segment leaves after nothing was in flight.
 * @param wasIdle nothing waited either: the program was the limit
 */
export function rateStart(c: Connection, flight: Flight, now: number, wasIdle: boolean): void {
  flight.firstSentAt = flight.deliveredAt = now;
  if (wasIdle) flight.appLimited = c.delivered === 0 ? 1 : c.delivered;
}

/** A row was delivered: the sample is taken by the one that was sent last. */
export function rateDelivered(flight: Flight, row: number, news: AckNews): void {
  const { times, words } = flight;
  const t = row * SentTime.Stride;
  const deliveredAt = times[t + SentTime.Delivered];
  if (deliveredAt === 0) return;
  times[t + SentTime.Delivered] = 0;
  const sentAt = times[t + SentTime.At];
  const end = flight.end(row);
  const isNewest =
    news.sampleAt === 0 ||
    sentAt > news.sampleSentAt ||
    (sentAt === news.sampleSentAt && seqGt(end, news.sampleEnd));
  if (!isNewest) return;
  news.sampleDelivered = words[row * Sent.Stride + Sent.Delivered];
  news.sampleAt = deliveredAt;
  news.sampleSentAt = sentAt;
  news.sampleEnd = end;
  news.isAppLimited = flight.has(row, Mark.AppLimited);
  news.interval = sentAt - times[t + SentTime.First];
  flight.firstSentAt = sentAt;
}

/** The sample of an acknowledgment: kept if it is a faster one, or not the program's limit. */
export function rateSample(tcp: Tcp, c: Connection, flight: Flight, news: AckNews): void {
  if (flight.appLimited !== 0 && seqGt(c.delivered, flight.appLimited)) flight.appLimited = 0;
  if (news.ackedSacked > 0) flight.deliveredAt = tcp.now;
  if (news.sampleAt === 0 || flight.reneged) {
    news.delivered = news.interval = -1;
    return;
  }
  news.delivered = (c.delivered - news.sampleDelivered) | 0;
  news.interval = Math.max(news.interval, tcp.now - news.sampleAt);
  // Shorter than a round trip: acknowledgments came in a lump.
  if (news.interval < c.minRtt || news.interval <= 0) {
    news.interval = -1;
    return;
  }
  const rate = Math.min((news.delivered * c.sndMss * 1000) / news.interval, 0x3fffffff);
  if (!news.isAppLimited || rate >= c.deliveryRate) {
    c.noteRate(Math.max(Math.round(rate), 1), news.isAppLimited);
  }
}

/** The program has nothing more to send now, and the window would take it. */
export function noteAppLimited(c: Connection, flight: Flight): void {
  if (flight.inFlight >= c.cwnd || flight.lostOut > flight.retransOut) return;
  const end = (c.delivered + flight.inFlight) | 0;
  flight.appLimited = end === 0 ? 1 : end;
}
