/**
 * A program of its own: a real HTTP server on the kernel's TCP, for `npm start` to fetch from.
 * Tells the process that forked it when it listens, and ends with it.
 */
import { webServer } from './web-server';

const [address, port, bytes] = process.argv.slice(2);

const server = webServer(Number(bytes));
server.on('error', (error) => {
  process.send?.({ error: error.message });
  process.disconnect();
});
server.listen(Number(port), address, () => process.send?.({ listening: server.address() }));
process.on('disconnect', () => process.exit());
