export { Network } from './network';
export type { NetworkOptions, RunOptions } from './network';
export type { Host, HostOptions, HostState } from './host/host';
export type { Cable } from './link/cable';
export type { LinkOptions } from './link/options';
export type { Router } from './router';
