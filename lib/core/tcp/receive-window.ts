import { Has, type Connection } from './connection';
import type { Tcp } from './tcp';

/** The largest window that a header without scaling can announce, bytes. */
export const MAX_WINDOW = 65_535;
/** RFC 7323 §2.3. */
export const MAX_SCALE = 14;
/** What timestamps take of every segment, with their padding. */
export const TIMESTAMP_BYTES = 12;

/** The smallest shift with which a window of `bytes` fits the header (RFC 7323 §2.2). */
export function windowScaleFor(bytes: number): number {
  let scale = 0;
  while (scale < MAX_SCALE && bytes >> scale > MAX_WINDOW) scale++;
  return scale;
}

/** The window of a SYN: whole segments of the buffer, as far as the header can say them. */
export function initialWindow(receiveBuffer: number, mss: number): number {
  const segments = receiveBuffer > mss ? receiveBuffer - (receiveBuffer % mss) : receiveBuffer;
  return Math.min(segments, MAX_WINDOW);
}

/**
 * The widest window that is offered once the connection is established: a segment's room of the
 * buffer stays in reserve (Linux: tcp_init_buffer_space), until the buffer grows. Deviation: what
 * the program has set (TCP_WINDOW_CLAMP) holds until it sets another; Linux forgets it when the
 * buffer grows by itself, or when the socket is disconnected.
 */
export function windowClamp(c: Connection): number {
  const full = c.rcvBuf;
  const most = c.options.windowClamp === 0 ? Infinity : c.options.windowClamp;
  if (full > c.options.receiveBuffer) return Math.min(full, most);
  const segment = c.advMss - (c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0);
  const room = full > 2 * segment ? Math.max(full - segment, 2 * segment) : full;
  return Math.min(room, most, MAX_WINDOW << c.rcvScale);
}

/** TCP_WINDOW_CLAMP was set (Linux: tcp_set_window_clamp). */
export function clampWindow(c: Connection): void {
  const clamp = windowClamp(c);
  c.rcvSsthresh =
    c.rcvSsthresh > clamp ? clamp : Math.max(Math.min(c.rcvWnd, clamp), c.rcvSsthresh);
}

/**
 * Space for payload that has not arrived yet, bytes. Deviation: instead of payload Linux counts the
 * memory that packets took on their device, which changes with the driver.
 */
export function receiveSpace(c: Connection): number {
  const held = c.receiveBuffer === null ? 0 : c.receiveBuffer.held;
  return Math.max(c.rcvBuf - held, 0);
}

/**
 * The window to announce: what there is room for, but nothing instead of a silly little
 * (RFC 9293 §3.8.6.2.2), and not more than the peer has shown to use. Without scaling it opens by a
 * segment, or half of what it can be, at least; with scaling the units see to that. Once half of
 * the buffer is full acknowledgments are no longer quick, as on Linux.
 */
export function offeredWindow(c: Connection): number {
  const full = c.rcvBuf;
  const space = receiveSpace(c);
  const segment = Math.min(c.rcvMss, full >> 1);
  if (space < full >> 1) c.quick = 0;
  if (space < full >> 4 || space < segment) return 0;
  const limit = Math.max(c.rcvSsthresh, segment);
  if (c.rcvScale > 0) {
    const unit = 1 << c.rcvScale;
    return (Math.min(space, limit) + unit - 1) & -unit;
  }
  const current = c.receiveWindow;
  const window = Math.min(space, limit, MAX_WINDOW);
  return window - current >= Math.min(segment, limit >> 1) ? window : current;
}

/**
 * Sets RCV.WND for the acknowledgment that is about to leave, and returns the header's field. The
 * right edge never moves left (RFC 9293 §3.8.6): what was announced once is taken. What the field
 * says is rounded up to the window's unit where there is room for it, else down, or a peer could
 * move the edge on with segments of a byte each (RFC 7323 §2.4).
 */
export function announceWindow(c: Connection): number {
  const current = c.receiveWindow;
  let window = offeredWindow(c);
  if (window < current) {
    const unit = 1 << c.rcvScale;
    const rounded = (current + unit - 1) & -unit;
    window = rounded <= receiveSpace(c) ? rounded : current;
  }
  c.rcvWnd = Math.min(window, MAX_WINDOW << c.rcvScale);
  c.rcvWup = c.rcvNxt;
  return c.rcvWnd >> c.rcvScale;
}

/**
 * Data arrived: where there is room, the window grows by two segments for each (Linux:
 * tcp_grow_window).
 */
export function growWindow(tcp: Tcp, c: Connection, length: number): void {
  if (length < 128) return;
  if (tcp.memory.isHigh) {
    shrinkUnderPressure(c);
    return;
  }
  const room = Math.min(windowClamp(c), receiveSpace(c)) - c.rcvSsthresh;
  if (room <= 0) return;
  c.rcvSsthresh += Math.min(room, 2 * Math.max(c.advMss, length));
  // The sender learns of it at once.
  c.quick |= 1;
}

/** Linux: tcp_adjust_rcv_ssthresh. What was announced once is taken all the same. */
function shrinkUnderPressure(c: Connection): void {
  c.rcvSsthresh = Math.min(c.rcvSsthresh, 4 * c.advMss);
}
