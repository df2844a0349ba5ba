import { SETTINGS, type SettingName, type Settings } from '../../lib/core/tcp/settings';
import { Chance } from './chance';

/** How many hosts of a hundred leave a setting as it is by default. */
const DEFAULT = 60;

/**
 * Values of settings that are not a choice among a few, for those who don't keep the default. What
 * is not here keeps it.
 */
const VALUES: Partial<Record<SettingName, readonly number[]>> = {
  synRetries: [2, 10],
  synLinearTimeouts: [0, 1],
  synackRetries: [1, 8],
  orphanRetries: [10, 12],
  maxOrphans: [0, 2],
  rtoMin: [20, 50, 1000],
  finTimeout: [100],
  msl: [100, 1000],
  maxTimeWait: [0, 2],
  maxSynBacklog: [1, 3],
  somaxconn: [1, 4],
  initialCwnd: [1, 2, 40],
  receiveBuffer: [1024, 3000, 20_000, 1_048_576],
  sendBuffer: [1024, 5000, 65_536],
  receiveBufferMax: [3000, 100_000],
  delayedAckMin: [1, 100],
  delayedAckMax: [100, 500],
  challengeAckLimit: [5, 100],
  invalidRatelimit: [0, 1000],
  minBurst: [1, 10],
  syncookies: [0, 2],
  reordering: [1, 10],
  maxReordering: [3],
  minRttWindow: [0, 1000],
  noPathMtuDiscovery: [1, 2, 3],
  minPathMtu: [68, 1000],
  pathMtuExpires: [100, 5000],
  pacingSlowStartRatio: [150, 1000],
  pacingAvoidanceRatio: [100, 200],
};

/** A number from a text (FNV-1a). */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const letter of text) value = Math.imul(value ^ letter.charCodeAt(0), 0x01000193);
  return value >>> 0;
}

/**
 * Settings of a host, drawn each by itself: one that is new in the table changes nothing in how the
 * others are drawn.
 * @param name of the host
 * @returns those that are not the default
 */
export function drawSettings(seed: number, name: string): Partial<Settings> {
  const drawn: Partial<Settings> = {};
  for (const [key, { unit, min, max, default: usual }] of Object.entries(SETTINGS)) {
    const setting = key as SettingName;
    const chance = new Chance(hash(`${seed} ${name} ${setting}`));
    if (chance.percent(DEFAULT)) continue;
    const isChoice = unit === 'bool' || unit === 'choice' || unit === 'bits';
    const values = VALUES[setting];
    let value: number = usual;
    if (isChoice) value = min + chance.below(max - min + 1);
    else if (values !== undefined) value = chance.pick(values);
    if (value !== usual) drawn[setting] = value;
  }
  // An orphan must outlive the storm: given up silently, its peer may wait for ever.
  if ((drawn.rtoMin ?? SETTINGS.rtoMin.default) < SETTINGS.rtoMin.default) drawn.orphanRetries = 15;
  return drawn;
}

/** As a replay shows them. */
export function describeSettings(name: string, settings: Partial<Settings>): string {
  const words = Object.entries(settings).map(([setting, value]) => `${setting}=${value}`);
  return `${name}: ${words.join(' ') || 'defaults'}`;
}
