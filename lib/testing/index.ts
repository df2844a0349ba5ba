export { Network } from './network';
export type { Linkable, NetworkOptions, RunOptions } from './network';
export type { BlockAction } from './host/firewall';
export type { Host, HostState } from './host/host';
export type { HostOptions } from './host/options';
export type { Cable, DirectionOptions } from './link/cable';
export type { WireCounters } from './link/counters';
export type {
  EcnOptions,
  GilbertElliott,
  LinkOptions,
  SegmentFilter,
  WireOptions,
} from './link/options';
export type { Router, RouterCounters, RouterOptions } from './router';
export type { Switch, SwitchCounters } from './switch';
export type { EcnCodepoint, SegmentView } from './segment-view';
export type { CaptureOptions } from './trace/capture';
export type { LineOptions } from './trace/lines';
export type { SegmentFilter as TraceFilter, TracedSegment } from './trace/segments';
export type { Trace, TraceOptions } from './trace/trace';
