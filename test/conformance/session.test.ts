import { hostOptions } from './options';
import { Ours, type Message } from './support/backend';
import { datagram, datagramSocket } from './support/datagram-talk';
import { Talk, type Entry } from './support/exchange';
import { payload } from './support/peer-side';

const SECOND = 1_000_000;
const IN = 0x1;
const OUT = 0x4;
const NVAL = 0x20;

/** A stack under virtual time, and a peer to talk with. */
async function open(family: 4 | 6 = 4): Promise<[Talk, Ours]> {
  const backend = new Ours(hostOptions({}));
  await backend.request('hello', { proto: 1, io: 'test', pid: 1, flags: '' });
  return [new Talk(backend, family), backend];
}

/** Packets since the last call: 'P. 1:101 ack 1' and so on, and when. */
function packets(talk: Talk): [string, number | null][] {
  return talk.transcript.packets
    .splice(0)
    .map(({ text, after }: Entry) => [text.replace(/^0 | (win|<|ecr|ttl).*$/g, ''), after]);
}

function calls(talk: Talk): string[] {
  return talk.transcript.calls.splice(0).map(({ text }) => text);
}

describe.each([4, 6] as const)('over IPv%d', (family) => {
  test('a program and its peer: connect, both ways, close', async () => {
    const [talk, backend] = await open(family);
    const fd = await talk.connected({ mss: 1000 });
    await talk.write(fd, 1500);
    await talk.peer('P.', { data: 'hello' });
    const read = await backend.request('read', { fd, len: 100 });
    expect(read).toMatchObject({ ret: 5, data: Buffer.from('hello').toString('base64') });
    await talk.close(fd);
    await talk.peer('F.');
    expect(packets(talk).map(([text]) => text)).toEqual([
      'S 0:0',
      '. 1:1 ack 1',
      '. 1:1001 ack 1',
      'P. 1001:1501 ack 1',
      '. 1501:1501 ack 6',
      'F. 1501:1501 ack 6',
      '. 1502:1502 ack 7',
    ]);
  });

  test('a listener: accept tells the peer’s endpoint', async () => {
    const [talk, backend] = await open(family);
    const listener = await talk.listener(8080);
    await talk.peer('S', { mss: 1000 });
    await talk.peer('.');
    const accepted = await backend.request('accept', { fd: listener });
    expect(accepted).toMatchObject({ ret: 4, addr: talk.remote, port: talk.peerPort });
    const vain = await backend.request('accept', { fd: listener });
    expect(vain).toMatchObject({ ret: -1, errno: 'EAGAIN' });
  });

  test('what is for the stack itself stays inside', async () => {
    const [talk, backend] = await open(family);
    const listener = await talk.listener(8080);
    const fd = await talk.socket();
    await talk.connect(fd, 8080, talk.local);
    const { ret } = await backend.request('accept', { fd: listener });
    await backend.request('write', { fd, data: payload('inside').toString('base64'), len: 6 });
    const read = await backend.request('recv', { fd: ret, len: 10, flags: 0 });
    expect(read).toMatchObject({ ret: 6 });
    expect(packets(talk)).toEqual([]);
  });
});

describe('virtual time', () => {
  test('each packet leaves at its own microsecond, also when time jumps', async () => {
    const [talk, backend] = await open();
    const fd = await talk.socket();
    await talk.connect(fd);
    await backend.pass(40 * SECOND);
    const seconds = backend.packets.map(({ us }) => us - SECOND);
    expect(seconds).toEqual([0, 1, 2, 3, 4, 5, 7, 11, 19, 35].map((s) => s * SECOND));
  });

  test('a retransmission and a delayed acknowledgment on the way to the next request', async () => {
    const [talk] = await open();
    const [fd] = await talk.served(8080, { mss: 1000 }, 100);
    packets(talk);
    await talk.write(fd, 10);
    await talk.pass(1000);
    expect(packets(talk)).toEqual([
      ['P. 1:11 ack 1', 0],
      ['P. 1:11 ack 1', 300_000],
      ['P. 1:11 ack 1', 900_000],
    ]);
  });

  test('what a call that goes on waiting has sent leaves at its own time', async () => {
    const [talk, backend] = await open();
    const listener = await talk.listener(8080);
    await talk.peer('S', { mss: 1000 });
    await talk.peer('.', { win: 50_000 });
    const fd = await talk.accept(listener, 'A', false);
    await talk.setOption(fd, 1, 7, 2500);
    packets(talk);
    const data = Buffer.alloc(90_000).toString('base64');
    const write = await talk.begin('write', { fd, len: 90_000, data });
    await talk.peer('.', { ack: 10_001, win: 50_000 });
    await talk.peer('.', { ack: 30_001, win: 50_000 });
    await backend.pass(1000);
    packets(talk);
    // All of the first part is acknowledged: the next one leaves with this, not with what follows.
    await talk.peer('.', { ack: 35_001, win: 50_000 });
    await backend.pass(1000);
    expect(packets(talk)[0]).toEqual(['. 35001:36001 ack 1', 0]);
    await talk.peer('R', { seq: 1 });
    expect(await write.end()).toMatchObject({ ret: 60_000 });
  });

  test('run goes from timer to timer until a packet leaves', async () => {
    const [talk, backend] = await open();
    const fd = await talk.socket();
    await talk.connect(fd);
    const now = backend.now();
    expect(await backend.request('run', { max: now + 10 * SECOND })).toMatchObject({
      ret: 0,
      t: now + SECOND,
    });
    expect(backend.packets.length).toBe(2);
    // Behind the clock: nothing moves back.
    expect(await backend.request('run', { max: now })).toMatchObject({ t: now + SECOND });
    expect(await backend.request('run', { max: now + 1_900_000 })).toMatchObject({
      t: now + 1_900_000,
    });
    expect(backend.packets.length).toBe(2);
    expect(await backend.request('run', {})).toMatchObject({ errno: 'EINVAL' });
  });

  test('time never goes back: an earlier t is the present', async () => {
    const [, backend] = await open();
    await backend.pass(SECOND);
    expect(await backend.request('tick', { t: 5 })).toMatchObject({ ret: 0, t: 2 * SECOND });
  });

  test('a call that blocks is answered when it is complete, at that time', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080);
    await talk.setFlags(fd, 2);
    const now = backend.now();
    const reading = backend.request('read', { fd, len: 100 });
    const polling = backend.request('poll', { timeout: 500, fds: [[fd, IN]] });
    await backend.pass(400_000);
    await talk.peer('P.', { data: 7 });
    expect(await reading).toMatchObject({ ret: 7, t: now + 400_000 });
    // The reader had taken it: for the other there is nothing.
    await backend.pass(SECOND);
    expect(await polling).toMatchObject({ ret: 0, revents: [0], t: now + 500_000 });
  });

  test('a blocked write sends what is taken, and waits for a third of the buffer', async () => {
    const [talk, backend] = await open();
    const fd = await talk.connected({ mss: 1000, wscale: 8, win: 10_000 });
    await talk.setFlags(fd, 2);
    await talk.setOption(fd, 1, 7, 10_000);
    const data = payload(150_000).toString('base64');
    const writing = backend.request('write', { fd, data, len: 150_000 });
    await backend.pass(0);
    const names = ['unacked', 'notsent_bytes', 'sndbuf_limited', 'busy_time'];
    const told: string[] = [];
    for (const ack of [10_001, 30_001, 70_001, 95_001, 150_001]) {
      await backend.pass(10_000);
      await talk.peer('.', { ack, win: 10_000 });
      await talk.info(fd, names);
      told.push(talk.transcript.calls.at(-1)?.text ?? '');
    }
    expect(told.map((text) => text.match(/\d+/g)?.slice(0, 4).join(' '))).toEqual([
      '20 65000 0 10000',
      '40 25000 0 20000',
      '25 0 0 30000',
      '55 0 10000 40000',
      '0 0 10000 50000',
    ]);
    expect(await writing).toMatchObject({ ret: 150_000 });
  });

  test('SO_RCVTIMEO and SO_SNDTIMEO are on the same clock', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080);
    await talk.setFlags(fd, 2);
    const time = Buffer.alloc(16);
    time.writeBigInt64LE(1n, 0);
    time.writeBigInt64LE(250_000n, 8);
    await talk.setOption(fd, 1, 20, time);
    await talk.setOption(fd, 1, 21, time);
    await talk.setOption(fd, 1, 7, 10_000);
    const now = backend.now();
    const data = payload(50_000).toString('base64');
    const reading = backend.request('read', { fd, len: 10 });
    const writing = backend.request('write', { fd, data, len: 50_000 });
    await backend.pass(3 * SECOND);
    expect(await reading).toMatchObject({ errno: 'EAGAIN', t: now + 1_250_000 });
    // What leaves at once, and a packet of half the peer's window.
    expect(await writing).toMatchObject({ ret: 46_720, t: now + 1_250_000 });
  });
});

describe('calls that block', () => {
  test('write takes all, as the peer acknowledges', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080, { mss: 1000 });
    await talk.setFlags(fd, 2);
    await talk.setOption(fd, 1, 7, 5000);
    const writing = await talk.begin('write', {
      fd,
      data: payload(12_000).toString('base64'),
      len: 12_000,
    });
    await talk.peer('.');
    await talk.peer('.');
    await talk.peer('.');
    expect(await writing.end()).toMatchObject({ ret: 12_000 });
    const sent = backend.packets.length;
    expect(sent).toBeGreaterThan(12);
  });

  test('close while another call is blocked: that one goes on', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080);
    await talk.setFlags(fd, 2);
    packets(talk);
    const reading = backend.request('read', { fd, len: 10 });
    await talk.close(fd);
    expect(packets(talk)).toEqual([]);
    expect(await backend.request('read', { fd, len: 1 })).toMatchObject({ errno: 'EBADF' });
    await talk.peer('P.', { data: 'abc' });
    expect(await reading).toMatchObject({ ret: 3 });
    await talk.pass(0);
    expect(packets(talk).map(([text]) => text)).toEqual(['. 1:1 ack 4', 'F. 1:1 ack 4']);
  });

  test('SO_LINGER: close waits for the acknowledgment, at most so long', async () => {
    for (const answered of [true, false]) {
      const [talk, backend] = await open();
      const [fd] = await talk.served(8080);
      await talk.setFlags(fd, 2);
      const linger = Buffer.alloc(8);
      linger.writeInt32LE(1, 0);
      linger.writeInt32LE(5, 4);
      await talk.setOption(fd, 1, 13, linger);
      const now = backend.now();
      const closing = await talk.begin('close', { fd });
      await talk.pass(1000);
      if (answered) await talk.peer('.');
      await talk.pass(9000);
      expect(await closing.end()).toMatchObject({ t: now + (answered ? 1 : 5) * SECOND });
    }
  });

  test('MSG_WAITALL waits for all, or the end of the stream', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080);
    await talk.setFlags(fd, 2);
    const reading = backend.request('recv', { fd, len: 10, flags: 0x100 });
    await talk.peer('P.', { data: 'abc' });
    await talk.peer('F.', { data: 'de' });
    expect(await reading).toMatchObject({ ret: 5 });
  });
});

describe('options and settings', () => {
  test('TCP_INFO has flat members', async () => {
    const [talk, backend] = await open();
    const [fd, listener] = await talk.served(8080, { mss: 1000, ts: 1, wscale: 3 }, 50);
    const info = (of: number) => backend.request('getsockopt', { fd: of, level: 6, opt: 11 });
    expect(await info(fd)).toMatchObject({
      tcpi_state: 1,
      tcpi_snd_mss: 988,
      tcpi_snd_cwnd: 10,
      tcpi_rtt: 50_000,
      tcpi_rto: 250_000,
      tcpi_snd_wscale: 3,
      tcpi_options: 5,
      tcpi_unacked: 0,
    });
    expect(await info(listener)).toMatchObject({ tcpi_state: 10, tcpi_sacked: 8 });
    expect(await info(await talk.socket('F'))).toMatchObject({ tcpi_state: 7 });
  });

  test('sysctl: by Linux’s names and units; ENOENT else', async () => {
    const [talk, backend] = await open();
    const set = async (key: string, value: unknown): Promise<unknown> => {
      const { ret, errno } = await backend.request('sysctl', { key, value });
      return errno ?? ret;
    };
    expect(await set('net.ipv4.tcp_syn_linear_timeouts', 0)).toBe(0);
    expect(await set('net.ipv4.tcp_rmem', '4096 20000 6291456')).toBe(0);
    expect(await set('net.ipv4.tcp_keepalive_time', '7')).toBe(0);
    expect(await set('net.ipv4.tcp_nonsense', 1)).toBe('ENOENT');
    expect(await set('net.ipv4.tcp_rmem', 5)).toBe('EINVAL');
    expect(await set('net.ipv4.tcp_syn_retries', 'x')).toBe('EINVAL');
    expect(await set('net.ipv4.tcp_syn_retries', -1)).toBe('EINVAL');
    expect(await set('net.ipv4.tcp_syn_retries', {})).toBe('EINVAL');
    const fd = await talk.socket();
    expect(await backend.request('getsockopt', { fd, level: 6, opt: 4 })).toMatchObject({ val: 7 });
    await talk.connect(fd);
    await backend.pass(8 * SECOND);
    expect(backend.packets.map(({ us }) => us / SECOND)).toEqual([1, 2, 4, 8]);
    expect(talk.transcript.packets[0].text).toContain('win 8760');
  });

  test('TCP_CONGESTION, its sysctl, and SO_MAX_PACING_RATE', async () => {
    const [talk, backend] = await open();
    const get = async (fd: number, level: number, opt: number): Promise<Buffer> => {
      const { raw } = await backend.request('getsockopt', { fd, level, opt, optlen: 16 });
      return Buffer.from(raw as string, 'base64');
    };
    const set = async (fd: number, level: number, opt: number, value: Buffer) => {
      const raw = value.toString('base64');
      const { ret, errno } = await backend.request('setsockopt', { fd, level, opt, raw });
      return errno ?? ret;
    };
    const name = async (fd: number) => (await get(fd, 6, 13)).toString().replaceAll('\0', '');
    const key = 'net.ipv4.tcp_congestion_control';
    const first = await talk.socket();
    expect(await name(first)).toBe('cubic');
    expect(await backend.request('sysctl', { key, value: 'reno' })).toMatchObject({ ret: 0 });
    expect(await backend.request('sysctl', { key, value: 'x' })).toMatchObject({ errno: 'ENOENT' });
    expect(await name(await talk.socket())).toBe('reno');
    expect(await set(first, 6, 13, Buffer.from('reno\0'))).toBe(0);
    expect(await set(first, 6, 13, Buffer.from('vegas'))).toBe('ENOENT');
    expect(await name(first)).toBe('reno');
    expect((await get(first, 1, 47)).readBigUInt64LE()).toBe(2n ** 64n - 1n);
    expect(await set(first, 1, 47, Buffer.of(0x10, 0x27, 0, 0))).toBe(0);
    expect((await get(first, 1, 47)).readBigUInt64LE()).toBe(10_000n);
    expect(await set(first, 1, 47, Buffer.of(0, 0, 0, 0, 2, 0, 0, 0))).toBe(0);
    const short = { fd: first, level: 1, opt: 47, optlen: 4 };
    expect(await backend.request('getsockopt', short)).toMatchObject({ val: -1, raw: '/////w==' });
    expect(await set(first, 1, 47, Buffer.of(255, 255, 255, 255))).toBe(0);
    expect((await get(first, 1, 47)).readBigUInt64LE()).toBe(2n ** 64n - 1n);
  });

  test('an option that the stack has not: ENOPROTOOPT', async () => {
    const [talk, backend] = await open();
    const fd = await talk.socket();
    for (const [level, opt] of [
      [1, 25],
      [6, 23],
      [0, 12],
      [41, 26],
    ]) {
      const request = { fd, level, opt, val: 1, optlen: 4 };
      expect(await backend.request('setsockopt', request)).toMatchObject({ errno: 'ENOPROTOOPT' });
      expect(await backend.request('getsockopt', request)).toMatchObject({ errno: 'ENOPROTOOPT' });
    }
  });

  test('local address and MTU stand in the options of hello', async () => {
    const backend = new Ours(hostOptions({}));
    await backend.request('hello', { proto: 1, flags: 'local=10.0.0.7,mtu=1000,remote=10.0.0.1' });
    const talk = new Talk(backend, 4);
    const fd = await talk.socket();
    await talk.bind(fd, 80, '192.168.0.1');
    await talk.bind(fd, 80, '10.0.0.7');
    await talk.connect(fd, 80, '10.0.0.1');
    expect(calls(talk).map((text) => text.replace(/.*: /, ''))).toEqual([
      'EADDRNOTAVAIL',
      '{"ret":0}',
      'EINPROGRESS',
    ]);
    expect(talk.transcript.packets[0].text).toContain('mss 960');
  });
});

describe('faulty memory', () => {
  test('EFAULT, and nothing is consumed or sent', async () => {
    const [talk, backend] = await open();
    const [fd] = await talk.served(8080);
    await talk.peer('P.', { data: 'abc' });
    packets(talk);
    const fault = { fd, len: 3, flags: 0, fault: true };
    expect(await backend.request('recv', fault)).toMatchObject({ errno: 'EFAULT' });
    expect(await backend.request('read', fault)).toMatchObject({ errno: 'EFAULT' });
    expect(await backend.request('write', fault)).toMatchObject({ errno: 'EFAULT' });
    expect(await backend.request('recv', { fd, len: 9, flags: 0 })).toMatchObject({ ret: 3 });
    expect(packets(talk)).toEqual([]);
  });
});

test('poll passes negative descriptors over, and says POLLNVAL of unknown ones', async () => {
  const [talk, backend] = await open();
  const fd = await talk.socket();
  const fds: Message['fds'] = [
    [-1, IN],
    [99, IN],
    [fd, OUT],
  ];
  expect(await backend.request('poll', { timeout: 0, fds })).toMatchObject({
    ret: 2,
    revents: [0, NVAL, OUT | 0x10],
  });
});

test('descriptors: the lowest free number is the next', async () => {
  const [talk] = await open();
  const first = await talk.socket('a');
  expect([first, await talk.socket('b'), await talk.socket('c')]).toEqual([3, 4, 5]);
  await talk.close(4);
  expect(await talk.socket('d')).toBe(4);
});

test('the error queue of an IPv6 socket that connects to IPv4, as Linux 6.18 has it', async () => {
  const [talk, backend] = await open();
  const { ret: fd } = await backend.request('socket', { domain: 6, type: 1, nonblock: 1 });
  const remote = { addr: `::ffff:${talk.remote}`, port: talk.peerPort };
  await talk.call('connect', { fd, family: 6, ...remote });
  await talk.icmp({ type: 3, code: 1 }, 0);
  const told = await backend.request('recvmsg', { fd, len: 100, ctrllen: 100, flags: 0x2000 });
  const error =
    '710000000203010000000000000000000a0000000000000000000000000000000000ffffc00002fe00000000';
  const cmsgs = [[41, 25, Buffer.from(error, 'hex').toString('base64')]];
  expect(told).toMatchObject({ ret: 20, msg_flags: 0x2000, cmsgs, ...remote });
  expect(await backend.request('recvfrom', { fd, len: 9, flags: 0x2000 })).toMatchObject({
    errno: 'EAGAIN',
  });
});

test('TCP_TIMESTAMP is what the next segment says', async () => {
  const [talk, backend] = await open();
  const fd = await talk.connected({ mss: 1000, ts: 1 });
  await talk.write(fd, 1);
  const option = { fd, level: 6, opt: 24, optlen: 4 };
  const { val } = await backend.request('getsockopt', option);
  expect(val).toBe(talk.lastStamp);
  await backend.pass(5000);
  expect((await backend.request('getsockopt', option)).val).toBe((talk.lastStamp + 5) | 0);
});

describe('datagram sockets', () => {
  const TRUNC = 0x20;

  test('MSG_TRUNC tells the whole length, epoll each datagram; what TCP’s calls say', async () => {
    const [talk, backend] = await open();
    const fd = await datagramSocket(talk, 8900);
    const { ret: epfd } = await backend.request('epoll_create', {});
    await backend.request('epoll_ctl', { epfd, fd, ctl: 1, events: (1 << 31) | IN });
    for (const data of ['0123456789', 'second']) {
      await datagram(talk, { data });
      const waited = await backend.request('epoll_wait', { epfd, max: 8, timeout: 0 });
      expect(waited).toMatchObject({ ret: 1, events: [[IN, fd]] });
    }
    expect(await backend.request('ioctl', { fd, name: 'SIOCINQ' })).toMatchObject({ val: 10 });
    const cut = await backend.request('recv', { fd, len: 2, flags: TRUNC });
    expect(cut).toMatchObject({ ret: 10, data: Buffer.from('01').toString('base64') });
    expect(await backend.request('sendto', { fd, data: '', flags: 1 })).toMatchObject({
      errno: 'EOPNOTSUPP',
    });
    expect(await backend.request('getsockopt', { fd, level: 6, opt: 1 })).toMatchObject({
      errno: 'EOPNOTSUPP',
    });
  });

  test('an IPv6 socket hears IPv4, and tells it as a mapped address', async () => {
    const [talk, backend] = await open(4);
    const domain = { domain: 6, type: 2, nonblock: 1 };
    const { ret: fd } = await backend.request('socket', domain);
    await backend.request('bind', { fd, family: 6, addr: '::', port: 8901 });
    await datagram(talk, { data: 'four', destinationPort: 8901 });
    const heard = await backend.request('recvfrom', { fd, len: 10 });
    expect(heard).toMatchObject({ ret: 4, addr: `::ffff:${talk.remote}`, port: talk.peerPort });
    const { addr, port } = heard;
    const members = { fd, family: 6, addr, port, data: 'eA==', len: 1, flags: 0 };
    expect(await backend.request('sendto', members)).toMatchObject({ ret: 1 });
    expect(backend.packets).toHaveLength(1);
    expect(backend.packets[0].bytes[0] >> 4).toBe(4);
  });
});
