// A process with a link and nothing else that keeps it alive.

import { SlabTable } from '../../../lib/core/memory/slabs';
import { rawLink } from '../../../lib/link/raw';
import { tunLink } from '../../../lib/link/tun';

async function main([kind, life]: string[]): Promise<void> {
  const link = kind === 'raw' ? rawLink() : tunLink();
  const port = await link.open({
    host: {
      receive: () => undefined,
      writable: () => undefined,
      changed: () => undefined,
      down: () => undefined,
    },
    slabs: new SlabTable(),
    hashKey: Int32Array.of(1, 2),
    addresses: [],
  });
  port.unref();
  if (life === 'ref') {
    port.ref();
    console.log('referenced');
  }
  if (life === 'close') {
    port.ref();
    port.close();
    port.close();
  }
}

void main(process.argv.slice(2));
