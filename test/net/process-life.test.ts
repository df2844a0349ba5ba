import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

/** Longer than any of these programs has any business to run, ms. */
const LIMIT = 20_000;

interface Outcome {
  code: number | null;
  /** What it printed, in lines. */
  lines: string[];
  errors: string;
}

/** Runs a program in a process of its own until it ends by itself. */
function run(program: string): Promise<Outcome> {
  const prelude = `
    const { Stack } = require('./lib/stack');
    const { memoryLink } = require('./lib/link/memory');
    async function cable(options) {
      const link = memoryLink();
      const near = await Stack.open({ link, addresses: ['10.0.0.1/24'], ...options });
      const far = await Stack.open({ link, addresses: ['10.0.0.2/24'], ...options });
      return { near, far };
    }
    (async () => {${program}})();`;
  const args = ['--no-warnings', '-r', './test/support/register.js', '-e', prelude];
  const child = spawn(process.execPath, args, { cwd: ROOT, timeout: LIMIT });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  return new Promise((done) =>
    child.on('close', (code) => {
      done({ code, lines: output.split('\n').filter((line) => line !== ''), errors });
    }),
  );
}

async function expectLines(program: string, lines: string[]): Promise<void> {
  expect(await run(program)).toEqual({ code: 0, lines, errors: '' });
}

jest.setTimeout(LIMIT + 5000);

describe('a process lives', () => {
  it('not because of a stack that does nothing', () =>
    expectLines('await cable(); console.log("open")', ['open']));

  it('while a server listens', () =>
    expectLines(
      `const { near } = await cable();
       const server = near.net.createServer().listen(0);
       setTimeout(() => { console.log('alive'); server.close(); }, 200).unref();`,
      ['alive'],
    ));

  it("not because of a server that is unref'd", () =>
    expectLines(
      `const { near } = await cable();
       near.net.createServer().listen(0, () => console.log('listening')).unref();
       setTimeout(() => console.log('too long'), 5000).unref();`,
      ['listening'],
    ));

  it('while a connection is open, and not in TIME-WAIT', () =>
    expectLines(
      `const { near, far } = await cable();
       const server = far.net.createServer((peer) => {
         peer.pipe(peer);
         server.close();
       }).listen(7, '10.0.0.2', () => {
         const client = near.net.connect(7, '10.0.0.2');
         client.on('data', (data) => console.log(String(data)));
         client.on('close', () => console.log('closed'));
         setTimeout(() => client.end('still here'), 100).unref();
       });
       server.on('close', () => console.log('server closed'));`,
      ['server closed', 'still here', 'closed'],
    ));

  it("not because of a connection that is unref'd on both sides", () =>
    expectLines(
      `const { near, far } = await cable();
       far.net.createServer((peer) => peer.unref()).listen(7, '10.0.0.2', () => {
         const client = near.net.connect(7, '10.0.0.2', () => {
           console.log('up');
           client.unref();
         });
       }).unref();`,
      ['up'],
    ));

  it('until what was written has arrived, and the FIN', () =>
    expectLines(
      `const { near, far } = await cable();
       let bytes = 0;
       const server = far.net.createServer((peer) => {
         peer.unref();
         peer.on('data', (data) => (bytes += data.length)).on('end', () => console.log(bytes));
       });
       server.listen(7, '10.0.0.2', () => {
         server.unref();
         const client = near.net.connect(7, '10.0.0.2', () => {
           client.end(Buffer.alloc(900000), () => client.destroy());
         });
       });`,
      ['900000'],
    ));

  it('no longer than exitTimeout for a peer that says nothing any more', async () => {
    const started = Date.now();
    await expectLines(
      `const { near, far } = await cable({ exitTimeout: 300 });
       const server = far.net.createServer().listen(7, '10.0.0.2', () => {
         const client = near.net.connect(7, '10.0.0.2', () => {
           server.unref();
           client.write('x', () => console.log('written'));
           client.destroy();
         });
         server.on('connection', (peer) => peer.unref());
       });
       // From now on nothing arrives.
       const { Driver } = require('./lib/driver/driver');
       let segments = 0;
       const receive = Driver.prototype.receive;
       Driver.prototype.receive = function (batch) {
         if (++segments <= 3) receive.call(this, batch);
       };`,
      ['written'],
    );
    expect(Date.now() - started).toBeLessThan(LIMIT / 2);
  });

  it('while it connects, until that has failed', () =>
    expectLines(
      `const { near } = await cable({ tcp: { synRetries: 1, rtoInitial: 50 } });
       const client = near.net.connect(7, '10.0.0.99');
       client.on('error', (error) => console.log(error.message));`,
      ['connect ETIMEDOUT 10.0.0.99:7'],
    ));

  it('until close() is done, and no longer', () =>
    expectLines(
      `const { near, far } = await cable();
       far.net.createServer({ allowHalfOpen: true }, (peer) => {
         let bytes = 0;
         peer.on('data', (data) => (bytes += data.length));
         peer.on('end', () => { console.log('got', bytes); peer.end(); });
       }).listen(7, '10.0.0.2', async () => {
         const client = near.net.connect(7, '10.0.0.2', async () => {
           client.write(Buffer.alloc(3000000));
           await near.close();
           console.log('near closed');
           await far.close();
           console.log('far closed');
         });
         client.resume();
       });`,
      ['got 3000000', 'near closed', 'far closed'],
    ));

  it('on after an exception that it catches itself', () =>
    expectLines(
      `process.on('uncaughtException', (error) => console.log('caught', error.message));
       const { near, far } = await cable();
       let connections = 0;
       const server = far.net.createServer((peer) => {
         if (++connections === 2) server.close();
         peer.end();
       }).listen(7, '10.0.0.2', () => {
         for (const name of ['first', 'second']) {
           near.net.connect(7, '10.0.0.2', () => { throw new Error(name); }).resume();
         }
       });
       server.on('close', () => console.log('closed', connections));`,
      ['caught first', 'caught second', 'closed 2'],
    ));

  it('on after a listener that throws, with all that has arrived besides', () =>
    expectLines(
      `process.on('uncaughtException', (error) => console.log('caught', error.message));
       const { near, far } = await cable();
       let connections = 0, bytes = 0, pieces = 0;
       const server = far.net.createServer((peer) => {
         peer.on('data', (data) => {
           bytes += data.length;
           if (++pieces === 1) throw new Error('data');
         });
         if (++connections === 3) server.close();
         if (connections === 1) throw new Error('connection');
       }).listen(7, '10.0.0.2', () => {
         for (let i = 0; i < 3; i++) near.net.connect(7, '10.0.0.2').end(Buffer.alloc(100000));
       });
       server.on('close', () => console.log(connections, bytes));`,
      ['caught data', 'caught connection', '3 300000'],
    ));

  it('on after a listener of SYNs that throws, which drops the SYN', () =>
    expectLines(
      `process.on('uncaughtException', (error) => console.log('caught', error.message));
       const { near, far } = await cable({ tcp: { rtoInitial: 20 } });
       let syns = 0;
       const server = far.net.createServer((peer) => peer.end()).listen(7, '10.0.0.2');
       server.on('syn', (syn) => {
         if (++syns === 1) {
           syn.signal.addEventListener('abort', () => console.log('aborted'));
           setImmediate(() => console.log(syn.accept()));
           throw new Error('syn');
         }
         syn.accept(() => server.close());
       });
       near.net.connect(7, '10.0.0.2').resume().on('close', () => console.log('closed', syns));`,
      ['caught syn', 'false', 'closed 2'],
    ));

  it('on after a trace that throws', () =>
    expectLines(
      `process.once('uncaughtException', (error) => console.log('caught', error.message));
       let count = 0;
       const trace = () => { if (count++ === 0) throw new Error('trace'); };
       const { near } = await cable({ trace });
       near.net.connect(9, '10.0.0.1').on('error', (error) => console.log(error.code));`,
      ['caught trace', 'ECONNREFUSED'],
    ));

  it('on after a congestion controller that throws, or that calls the stack', () =>
    expectLines(
      `process.on('uncaughtException', (error) => console.log('caught', error.message));
       const { near, far } = await cable();
       let client;
       const ssthresh = () => 2;
       const congAvoid = () => undefined;
       const control = (acked) => ({ name: 'mine', ssthresh, congAvoid, acked });
       far.net.createServer((peer) => peer.pipe(peer)).listen(7, '10.0.0.2', () => {
         const congestionControl = control(() => { throw new Error('broken'); });
         client = near.net.connect({ port: 7, host: '10.0.0.2', congestionControl });
         client.write(Buffer.alloc(100000));
         let bytes = 0;
         client.on('data', (data) => {
           bytes += data.length;
           if (bytes !== 100000 && bytes !== 200000) return;
           console.log(client.getCongestionControl());
           if (bytes === 200000) setImmediate(() => process.exit(0));
           client.setCongestionControl(control(() => client.setNoDelay()));
           client.write(Buffer.alloc(100000));
         });
       });`,
      [
        'caught broken',
        'reno',
        // Its first acknowledgment comes before the last of the answer.
        'caught A congestion controller must not call the stack, its sockets or servers',
        'reno',
      ],
    ));

  it('not on after an error that nobody listens to', async () => {
    const outcome = await run(
      `const { near } = await cable();
       near.net.connect(9, '10.0.0.1');`,
    );
    expect(outcome.code).toBe(1);
    expect(outcome.errors).toContain('Error: connect ECONNREFUSED 10.0.0.1:9');
  });

  it('not on after process.exit', () =>
    expectLines(
      `const { near, far } = await cable();
       far.net.createServer((peer) => peer.pipe(peer)).listen(7, '10.0.0.2', () => {
         const client = near.net.connect(7, '10.0.0.2');
         client.write('x');
         client.on('data', () => { console.log('leaving'); process.exit(0); });
       });`,
      ['leaving'],
    ));
});

describe('a server on all addresses of a memory link', () => {
  it('gives a warning, once', () =>
    expectLines(
      `process.on('warning', ({ name, code }) => console.log(name, code));
       const { near } = await cable();
       for (const host of ['10.0.0.1', '0.0.0.0', '::', undefined]) {
         const server = near.net.createServer().listen({ port: 0, host });
         await new Promise((done) => server.on('listening', done));
         console.log(server.address().address);
         server.close();
       }`,
      ['10.0.0.1', 'NetlandWarning NETLAND_MEMORY_ONLY', '0.0.0.0', '::', '::'],
    ));
});
