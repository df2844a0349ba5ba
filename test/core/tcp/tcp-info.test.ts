import { SocketOption } from '../../../lib/core/socket/options';
import { Totals } from '../../../lib/core/tcp/totals';
import { Lab, pattern, transfer } from '../../support/lab';
import { Peer } from '../../support/peer';

const MS = 1000;

describe('TCP_INFO', () => {
  test('what both ends count agrees with each other and with the wire', () => {
    const sent = { a: 0, b: 0, data: 0 };
    let lost = 0;
    const lab = new Lab({
      log: false,
      filter: (packet, from, index) => {
        if (from === lab.a) sent.a++;
        else sent.b++;
        const headers = 20 + 4 * (packet[32] >> 4);
        if (from === lab.a && packet.length > headers) sent.data++;
        if (index % 29 !== 17) return undefined;
        lost += from === lab.a ? 1 : 0;
        return false;
      },
    });
    const { client, server } = lab.pair();
    const bytes = pattern(150_000);
    expect(transfer(lab, client, server, bytes)).toEqual(bytes);
    lab.run(() => client.outQueue === 0);
    lab.pass(1_000_000);
    const near = client.tcpInfo();
    const far = server.tcpInfo();
    expect(near).toMatchObject({
      tcpi_state: 1,
      tcpi_bytes_acked: bytes.length + 1,
      tcpi_segs_out: sent.a,
      tcpi_data_segs_out: sent.data,
      tcpi_unacked: 0,
      tcpi_notsent_bytes: 0,
      tcpi_bytes_received: 0,
    });
    expect(near.tcpi_bytes_sent - near.tcpi_bytes_retrans).toBe(bytes.length);
    expect(far.tcpi_bytes_received).toBe(bytes.length);
    expect(far.tcpi_segs_in).toBe(sent.a - lost);
    expect(far.tcpi_segs_out).toBeLessThan(sent.b);
    expect(far.tcpi_rcv_ooopack).toBeGreaterThan(0);
    expect(far.tcpi_rcv_ooopack).toBeLessThan(far.tcpi_data_segs_in);
    expect(near.tcpi_busy_time).toBeGreaterThan(0);
  });

  test('byte counts go on beyond 2^32', () => {
    const totals = new Totals();
    totals.begin(0);
    totals.begin(1);
    for (let i = 0; i < 3; i++) totals.sent(1, 0xffff_ff00 | 0, 0x100);
    totals.sent(1, 0x100, 0x200);
    totals.received(1, 0xffff_ffff | 0, 0);
    expect(totals.sentBytes(1, 0x200)).toBe(3 * 2 ** 32 + 0x200);
    expect(totals.sentBytes(1, -1)).toBe(4 * 2 ** 32 - 1);
    expect(totals.receivedBytes(1, 5)).toBe(2 ** 32 + 5);
    expect(totals.sentBytes(0, 7)).toBe(7);
    // The row is another connection's now.
    totals.end(1);
    totals.begin(1);
    expect(totals.sentBytes(1, 7)).toBe(7);
    expect(totals.receivedBytes(1, 7)).toBe(7);
  });

  test('a thousand connections have a row each', () => {
    const totals = new Totals();
    for (let row = 0; row < 1000; row++) {
      totals.begin(row);
      totals.arrived(row, row, true);
    }
    for (let row = 0; row < 1000; row++) expect(totals.get(row, 0)).toBe(row);
  });

  test('busy is the time with something to send; what limits it is told apart', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    peer.window = 2000;
    const socket = peer.answer();
    const time = (): number[] => {
      const info = socket.tcpInfo();
      return [info.tcpi_busy_time, info.tcpi_rwnd_limited, info.tcpi_sndbuf_limited];
    };
    peer.pass(500 * MS);
    expect(time()).toEqual([0, 0, 0]);
    socket.send(pattern(1000), 0, 1000);
    peer.pass(30 * MS);
    // It goes on while nobody asks.
    expect(time()).toEqual([30 * MS, 0, 0]);
    peer.say('.', { ack: 1001 });
    peer.pass(70 * MS);
    expect(time()).toEqual([30 * MS, 0, 0]);
    socket.send(pattern(5000), 0, 5000);
    peer.pass(40 * MS);
    expect(time()).toEqual([70 * MS, 40 * MS, 0]);
    peer.window = 9000;
    peer.say('.', { ack: 3001 });
    peer.pass(50 * MS);
    expect(time()).toEqual([120 * MS, 40 * MS, 0]);
    peer.say('.', { ack: 6001 });
    peer.pass(1000 * MS);
    expect(time()).toEqual([120 * MS, 40 * MS, 0]);
  });

  test('a full send buffer that was sent is a limit, until there is room again', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    socket.setOption(SocketOption.SendBuffer, 3000);
    // A packet that was begun is filled up.
    expect(socket.send(pattern(5000), 0, 5000)).toBe(5000);
    peer.listen();
    expect(socket.send(pattern(1), 0, 1)).toBe(-11);
    peer.pass(20 * MS);
    peer.say('.', { ack: 3001 });
    peer.pass(10 * MS);
    expect(socket.tcpInfo()).toMatchObject({
      tcpi_busy_time: 30 * MS,
      tcpi_sndbuf_limited: 20 * MS,
      tcpi_rwnd_limited: 0,
    });
  });

  // TCPI_OPT_TIMESTAMPS 1, TCPI_OPT_SACK 2, TCPI_OPT_WSCALE 4.
  test.each([
    [{ syn: { mss: 1000 } }, 0],
    [{ syn: { mss: 1000 }, timestamps: true }, 1],
    [{ syn: { mss: 1000, sackPermitted: true } }, 2],
    [{ syn: { mss: 1000, scale: 3 } }, 4],
  ])('%j: options %d, as soon as they are agreed on', (options, agreed) => {
    const peer = new Peer(options);
    const socket = peer.dial();
    expect(socket.tcpInfo()).toMatchObject({ tcpi_options: 0, tcpi_rcv_mss: 88 });
    peer.answer(socket);
    expect(socket.tcpInfo()).toMatchObject({ tcpi_options: agreed, tcpi_rcv_mss: 536 });
  });

  test('timeouts of the SYN: each, and one recovery for all', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.pass(2500 * MS);
    const told = { tcpi_total_rto: 2, tcpi_total_rto_recoveries: 1, tcpi_total_rto_time: 1500 };
    expect(socket.tcpInfo()).toMatchObject(told);
    peer.answer(socket);
    peer.pass(1000 * MS);
    expect(socket.tcpInfo()).toMatchObject(told);
  });

  test('data that is sent again was sent of late, a FIN is no data', () => {
    const peer = new Peer();
    const socket = peer.open();
    const last = () => socket.tcpInfo().tcpi_last_data_sent;
    socket.send(pattern(5), 0, 5);
    peer.pass(500 * MS);
    expect(peer.lines()).toEqual(['P. 1:6 ack 1', 'P. 1:6 ack 1']);
    expect(last()).toBeLessThan(310);
    peer.say('.');
    peer.pass(1000 * MS);
    const before = last();
    socket.shutdown(1);
    peer.pass(500 * MS);
    expect(peer.lines()).toEqual(['F. 6 ack 1', 'F. 6 ack 1']);
    expect(last()).toBe(before + 500);
  });

  test('a round trip that began when the stack did', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.open();
    socket.send(pattern(1000), 0, 1000);
    peer.listen();
    peer.pass(80 * MS);
    peer.say('.');
    expect(socket.tcpInfo().tcpi_rtt).toBeGreaterThan(9 * MS);
  });

  test('after the end, however it came, the last values', () => {
    const peer = new Peer();
    const socket = peer.answer();
    socket.send(pattern(10), 0, 10);
    peer.say('.', { ack: 11 });
    peer.say('P.', { data: pattern(20) });
    peer.say('R', { seq: 21 });
    const told = { tcpi_state: 7, tcpi_bytes_sent: 10, tcpi_bytes_received: 20 };
    expect(socket.tcpInfo()).toMatchObject(told);
    // Its place in the tables is another's now.
    peer.renew();
    const other = peer.answer();
    expect(other.tcpInfo()).toMatchObject({ tcpi_state: 1, tcpi_bytes_received: 0 });
    expect(socket.tcpInfo()).toMatchObject(told);
    socket.disconnect();
    expect(socket.tcpInfo()).toMatchObject({
      tcpi_state: 7,
      tcpi_bytes_sent: 0,
      tcpi_snd_mss: 536,
    });
  });

  test('into TIME-WAIT, and of what ended before it was accepted', () => {
    const lab = new Lab();
    const { client, server } = lab.pair();
    client.send(pattern(100), 0, 100);
    client.shutdown(1);
    lab.pass(100 * MS);
    expect(client.tcpInfo()).toMatchObject({ tcpi_state: 5, tcpi_bytes_sent: 100 });
    server.close();
    lab.pass(100 * MS);
    expect(client.tcpInfo()).toMatchObject({ tcpi_state: 7, tcpi_bytes_acked: 102 });
    const listener = lab.listen(lab.b, 81);
    const second = lab.connect(lab.a, lab.b, 81);
    lab.run(() => listener.waiting > 0);
    second.send(pattern(5), 0, 5);
    lab.pass(100 * MS);
    second.abort();
    lab.pass(100 * MS);
    const accepted = listener.accept();
    if (typeof accepted === 'number') throw new Error('not accepted');
    expect(accepted.tcpInfo()).toMatchObject({ tcpi_state: 7, tcpi_bytes_received: 5 });
  });
});
