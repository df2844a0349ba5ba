import { MtuDiscover } from '../../lib/core/socket/options';
import type { StackCore } from '../../lib/core/stack/stack-core';
import { SETTINGS, type SettingName } from '../../lib/core/tcp/settings';
import { CallError, type Reply, type Request } from './request';

/** Where Linux's unit isn't ours: ours for one of Linux's. */
const UNITS: Readonly<Record<string, number>> = {
  'net.ipv4.tcp_fin_timeout': 1000,
  'net.ipv4.tcp_keepalive_time': 1000,
  'net.ipv4.tcp_keepalive_intvl': 1000,
  'net.ipv4.tcp_rto_min_us': 1 / 1000,
  'net.ipv4.route.mtu_expires': 1000,
};

/** Three numbers: least, default, largest. Linux counts twice the payload of what it receives. */
const TRIPLES: Readonly<Record<string, readonly [SettingName | null, SettingName | null, number]>> =
  {
    'net.ipv4.tcp_rmem': ['receiveBuffer', 'receiveBufferMax', 1 / 2],
    'net.ipv4.tcp_wmem': ['sendBuffer', 'sendBufferMax', 1],
  };

/** What sockets have that didn't choose for themselves. */
const CONGESTION = 'net.ipv4.tcp_congestion_control';

const MEMORY = ['memoryLow', 'memoryPressure', 'memoryMax'] as const;
/** Linux counts tcp_mem in pages, bytes. */
const PAGE = 4096;

/** sysctl -w: a setting of the stack by Linux's name. */
export function sysctl(core: StackCore, request: Request): Reply {
  const key = request.text('key').replaceAll('/', '.');
  if (key === CONGESTION) {
    const name = request.raw('value');
    const control = typeof name === 'string' ? core.tcp.controllers.find(name.trim()) : null;
    if (control === null) throw new CallError('ENOENT');
    core.tcp.defaultOptions.congestion = control;
    return { ret: 0 };
  }
  const values = numbers(request);
  // Linux 6.6 and later take it and go by what packets really weigh.
  if (key === 'net.ipv4.tcp_adv_win_scale') {
    if (values.length !== 1 || !(Math.abs(values[0]) <= 31)) throw new CallError('EINVAL');
    return { ret: 0 };
  }
  if (key === 'net.ipv4.tcp_mem') {
    if (values.length !== 3) throw new CallError('EINVAL');
    for (const [i, name] of MEMORY.entries()) set(core, name, values[i] * PAGE);
    return { ret: 0 };
  }
  if (Object.hasOwn(TRIPLES, key)) {
    const [middle, last, unit] = TRIPLES[key];
    if (values.length !== 3) throw new CallError('EINVAL');
    if (middle !== null) set(core, middle, values[1] * unit);
    // The window's scale is chosen for what the buffer may become, by Linux's count.
    if (last !== null) set(core, last, values[2]);
    return { ret: 0 };
  }
  const names = Object.keys(SETTINGS) as SettingName[];
  const name = names.find((other) => SETTINGS[other].sysctl === key);
  if (name === undefined) throw new CallError('ENOENT');
  if (values.length !== 1) throw new CallError('EINVAL');
  set(core, name, values[0] * (UNITS[key] ?? 1));
  return { ret: 0 };
}

function numbers(request: Request): number[] {
  const value = request.raw('value');
  if (typeof value === 'number') return [value];
  if (typeof value !== 'string') throw new CallError('EINVAL');
  return value
    .trim()
    .split(/\s+/)
    .map((text) => (/^-?\d+$/.test(text) ? Number(text) : NaN));
}

function set(core: StackCore, name: SettingName, value: number): void {
  const { min, max } = SETTINGS[name];
  const rounded = Math.floor(value);
  if (!(rounded >= min && rounded <= max)) throw new CallError('EINVAL');
  const { settings, defaultOptions } = core.tcp;
  settings[name] = rounded;
  // What sockets have that didn't choose for themselves.
  switch (name) {
    case 'keepAliveTime':
      defaultOptions.keepIdle = rounded;
      return;
    case 'keepAliveInterval':
      defaultOptions.keepInterval = rounded;
      return;
    case 'keepAliveProbes':
      defaultOptions.keepCount = rounded;
      return;
    case 'noPathMtuDiscovery':
      defaultOptions.mtuDiscover = rounded === 0 ? MtuDiscover.Want : MtuDiscover.Dont;
      return;
    case 'receiveBuffer':
    case 'sendBuffer':
    case 'ttl':
      defaultOptions[name] = rounded;
      return;
    default:
      return;
  }
}
