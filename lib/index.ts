export { Stack } from './stack';
export type { CloseOptions, StackCounters, StackOptions } from './stack';
export type { StackRoute } from './driver/paths';
export { capture, captureRing } from './link/capture';
export type { RingLink } from './link/capture';
export { filter } from './link/filter';
export type { LinkFilter, LiveSegment, RejectReason, SegmentFields } from './link/filter';
export { impair } from './link/impair';
export { memoryLink } from './link/memory';
export { packetLink } from './link/packet';
export type { PacketLinkOptions } from './link/packet';
export { rawLink } from './link/raw';
export { streamLink } from './link/stream';
export type { StreamLinkOptions } from './link/stream';
export { tunLink } from './link/tun';
export type { Link, LinkCounters } from './link/link';
export type { Dgram, DatagramSocketConstructor } from './dgram/dgram';
export type { Socket as DatagramSocket } from './dgram/socket';
export type {
  BindOptions,
  RemoteInfo,
  SocketOptions as DatagramSocketOptions,
  SocketType,
} from './dgram/types';
export type { Net, Connect, ServerConstructor, SocketConstructor } from './net/net';
export type { Server } from './net/server';
export type { Socket } from './net/socket';
export type { Syn, SynRejection } from './net/syn';
export type {
  AddressInfo,
  CongestionControlName,
  ConnectionOptions,
  ConnectOptions,
  DropInfo,
  KeepAliveOptions,
  ListenOptions,
  PathMtuDiscovery,
  ServerOptions,
  SocketOptions,
} from './net/types';
export type {
  CongestionController,
  CongestionEventName,
  CongestionView,
  DeliverySample,
} from './core/tcp/congestion-controller';
export type { ConnectionEntry } from './core/tcp/listing';
export type { TcpInfo } from './core/tcp/tcp-info';
export type { SettingName, Settings } from './core/tcp/settings';
export type { NodeError, SystemError } from './errors';
