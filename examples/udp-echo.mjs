// An echo server for UDP and its client: two stacks on one wire, inside this process.
import { once } from 'node:events';
import { Stack, memoryLink } from 'netland';

const link = memoryLink();
const near = await Stack.open({ link, addresses: ['10.0.0.1/24'] });
const far = await Stack.open({ link, addresses: ['10.0.0.2/24'] });

const server = far.dgram.createSocket('udp4');
server.on('message', (message, { port, address }) => server.send(message, port, address));
server.bind('echo');
await once(server, 'listening');

const client = near.dgram.createSocket('udp4');
client.send('hello', 'echo', '10.0.0.2');
const [message, sender] = await once(client, 'message');
console.log(`${message} from ${sender.address}:${sender.port}`);
await Promise.all([near.close(), far.close()]);
