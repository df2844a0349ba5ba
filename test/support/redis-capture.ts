import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CapturedPacket {
  time: string;
  printedFlags: string;
  /** The whole IP packet. */
  hex: string;
  note: string;
}

/** The seven packets of a handshake with a Redis server and of the close of another connection. */
export const capturedPackets = (
  JSON.parse(
    readFileSync(join(__dirname, '../fixtures/redis-handshake-and-close.json'), 'utf8'),
  ) as { packets: CapturedPacket[] }
).packets;
