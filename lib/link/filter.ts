import { Direction } from '../core/segment/layout';
import { invalidArgType } from '../errors';
import { Conversations } from '../observe/conversations';
import { PacketBytes } from '../observe/packet-bytes';
import { type Court, type FilterCounts, Judge, type LinkFilter } from './filter/judge';
import { type ImpairmentClock, systemClock } from './impair/clock';
import type { Lane, Way } from './impair/lane';
import { openLanes } from './impair/lanes';
import type { Link } from './link';

export type { LinkFilter } from './filter/judge';
export type { LiveSegment, RejectReason } from './filter/live-segment';
export type { SegmentFields } from './filter/fields';

/**
 * A link whose packets a function of the program's sees, in both directions, before the stack or
 * the link has them: TCP segments, datagrams, ICMP and all else (`segment.protocol`). It lets them
 * pass, drops or delays them by what it returns, changes them (`segment.change`) and answers them
 * (`segment.answer`, `segment.reset`, `segment.reject`).
 *
 * Super-segments are cut to segments of at most one MSS first; what is sent as fragments is seen
 * whole, and received fragments one by one (`segment.fragment`). What the function throws is an
 * uncaught exception; the packet is dropped then. Packets that are kept when the port closes leave
 * at once.
 *
 * Counters: `outFiltered` and `inFiltered` (dropped by the function), and the same with `Changed`,
 * `Delayed`, `Answers` (sent by it that way), `Split`, `Overflow` (dropped because more than 64 MiB
 * were kept, or because no such packet can be).
 *
 * @param clock where delays take the time from
 * @throws TypeError ERR_INVALID_ARG_TYPE
 */
export function filter(link: Link, decide: LinkFilter, clock: ImpairmentClock = systemClock): Link {
  if (typeof decide !== 'function') throw invalidArgType('decide', 'of type function', decide);
  return {
    kind: link.kind,
    open(context) {
      const judges = new Map<Direction, Judge>();
      const lanes = new Map<Direction, Lane>();
      const court: Court = {
        filter: decide,
        slabs: context.slabs,
        bytes: new PacketBytes(context.slabs.slabs),
        conversations: new Conversations(),
        answer: (direction, draft) => {
          const other = direction === Direction.In ? Direction.Out : Direction.In;
          judges.get(other)?.send(draft);
          lanes.get(other)?.arm();
        },
      };
      const courseOf = (direction: Direction) => {
        const counts: FilterCounts = {
          filtered: 0,
          delayed: 0,
          changed: 0,
          answers: 0,
          split: 0,
          overflow: 0,
        };
        return {
          counts,
          assemble: (way: Way) => {
            const judge = new Judge(way, court, counts);
            judges.set(direction, judge);
            return way.time(judge);
          },
        };
      };
      return openLanes(link, context, clock, courseOf, (direction, lane) => {
        lanes.set(direction, lane);
      });
    },
  };
}
