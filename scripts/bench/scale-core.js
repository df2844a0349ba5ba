'use strict';

/* A core on its own with connections in a certain shape, for scale.js; needs dist. */

const { BareCore, check, Flag, newPeer } = require('./bare-core.js');
const { SocketOption } = require('../../dist/core/socket/options.js');

const PORT = 80;
/** Payload of a segment, bytes. */
const PAYLOAD = 1000;
const BUFFER = 2 ** 28;
const SCALE = 14;
/** µs between two operations. */
const STEP = 1;

class ScaleCore {
  now = 1_000_000;
  #bare = new BareCore(PAYLOAD);
  #sockets = [];
  #peers = [];
  #bytes = new Uint8Array(PAYLOAD);
  #seed = 1;
  /** Segments. */
  #cwnd = 0;
  /** Holes that there are. */
  #holes = 0;

  /**
   * @param shape connections; and of the first, segments in flight, or holes among those that we
   *   have sent or received
   */
  constructor({ connections, inFlight = 0, sendingHoles = 0, receivingHoles = 0 }) {
    const listener = this.#bare.bound(PORT);
    listener.setOption(SocketOption.SendBuffer, BUFFER);
    listener.setOption(SocketOption.ReceiveBuffer, BUFFER);
    listener.setOption(SocketOption.NoDelay, 1);
    check(listener.listen(16), 'listen');
    for (let i = 0; i < connections; i++) this.#connect(listener);
    if (inFlight > 0) this.#fill(inFlight - 1);
    if (sendingHoles > 0) this.#makeSendingHoles(sendingHoles);
    if (receivingHoles > 0) this.#makeReceivingHoles(receivingHoles);
  }

  #connect(listener) {
    const number = this.#peers.length;
    // Next number of the peer's; what it has of ours.
    const peer = { ...newPeer(number), seq: 1000, ack: 0 };
    this.#peers.push(peer);
    this.#deliver(peer, Flag.SYN, peer.seq++, 0);
    peer.ack = peer.heard;
    this.#deliver(peer, Flag.ACK, peer.seq, 0);
    this.#sockets.push(check(listener.accept(), 'accept'));
    // Past the beginning, where every segment is acknowledged at once, on both sides.
    for (let i = 0; i < 20; i++) this.#receive(number);
    for (let i = 0; i < 3; i++) this.#send(number);
  }

  // --- operations ----------------------------------------------------------------------------

  receiveSame(operations) {
    for (let i = 0; i < operations; i++) this.#receive(0);
  }

  receiveRandom(operations) {
    for (let i = 0; i < operations; i++) this.#receive(this.#any());
  }

  sendSame(operations) {
    for (let i = 0; i < operations; i++) this.#send(0);
  }

  sendRandom(operations) {
    for (let i = 0; i < operations; i++) this.#send(this.#any());
  }

  /** The program gets a segment, and the peer its acknowledgment if one is due. */
  #receive(index) {
    const peer = this.#peers[index];
    this.#deliver(peer, Flag.ACK | Flag.PSH, peer.seq, PAYLOAD);
    peer.seq = (peer.seq + PAYLOAD) | 0;
    const got = this.#sockets[index].receive(this.#bytes, 0, PAYLOAD);
    if (got !== PAYLOAD) throw new Error(`received ${got}`);
    this.#collect(peer);
  }

  /** The program sends a segment, and the peer acknowledges the oldest. */
  #send(index) {
    const peer = this.#peers[index];
    this.#write(index);
    peer.ack = (peer.ack + PAYLOAD) | 0;
    this.#deliver(peer, Flag.ACK, peer.seq, 0);
  }

  #write(index) {
    this.now += STEP;
    const taken = this.#sockets[index].send(this.#bytes, 0, PAYLOAD);
    if (taken !== PAYLOAD) throw new Error(`send: ${taken}`);
    this.#collect(this.#peers[index]);
  }

  /** Sends without an acknowledgment. */
  #fill(segments) {
    // Nobody would wait for slow start.
    this.#sockets[0].status.cwnd = 4 * segments + 1000;
    const peer = this.#peers[0];
    const before = peer.heard;
    for (let i = 0; i < segments; i++) this.#write(0);
    const left = ((peer.heard - before) | 0) / PAYLOAD;
    if (left !== segments) throw new Error(`${left} of ${segments} left`);
  }

  #makeSendingHoles(holes) {
    const peer = this.#peers[0];
    // As much again is under way, so that what is SACKed has been for a round trip.
    this.#fill(4 * holes);
    this.#cwnd = 16 * holes + 1000;
    // A path that is known to reorder, and as long: nothing is found lost a second time.
    const { status } = this.#sockets[0];
    status.noteReordering();
    status.srtt = 8 * holes * 3 * STEP;
    status.minRtt = Math.max(holes * 3 * STEP, 1);
    for (let i = 0; i < holes; i++) this.#sack(peer.ack + (2 * i + 1) * PAYLOAD);
    this.#holes = holes;
  }

  /** The peer says that it has the segment at `left`. */
  #sack(left) {
    const peer = this.#peers[0];
    this.#deliver(peer, Flag.ACK, peer.seq, 0, left | 0);
  }

  moveSendingHoles(operations) {
    const peer = this.#peers[0];
    const { status } = this.#sockets[0];
    for (let i = 0; i < operations; i++) {
      // Recovery never ends here, and would leave no room.
      status.cwnd = this.#cwnd;
      this.#write(0);
      this.#write(0);
      peer.ack = (peer.ack + 2 * PAYLOAD) | 0;
      this.#sack(peer.ack + (2 * this.#holes - 1) * PAYLOAD);
    }
    const { flight } = status;
    if (flight.sackedOut !== this.#holes) throw new Error(`${flight.sackedOut} are SACKed`);
  }

  #makeReceivingHoles(holes) {
    const peer = this.#peers[0];
    this.#holes = holes;
    // Nobody would wait until the window has grown.
    this.#sockets[0].status.rcvSsthresh = BUFFER;
    for (let i = 0; i < 4; i++) this.#receive(0);
    for (let i = 0; i < holes; i++) this.#skip(peer.seq + (2 * i + 1) * PAYLOAD);
  }

  #skip(seq) {
    this.#deliver(this.#peers[0], Flag.ACK | Flag.PSH, seq | 0, PAYLOAD);
  }

  moveReceivingHoles(operations) {
    const peer = this.#peers[0];
    const socket = this.#sockets[0];
    for (let i = 0; i < operations; i++) {
      this.#skip(peer.seq + (2 * this.#holes + 1) * PAYLOAD);
      this.#skip(peer.seq);
      peer.seq = (peer.seq + 2 * PAYLOAD) | 0;
      for (let left = 2 * PAYLOAD; left > 0;) {
        const got = socket.receive(this.#bytes, 0, PAYLOAD);
        if (got <= 0) throw new Error(`received ${got}`);
        left -= got;
      }
    }
  }

  #any() {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 2 ** 32) * this.#peers.length);
  }

  // --- the wire ------------------------------------------------------------------------------

  #deliver(peer, flags, sequence, length, left = null) {
    this.now += STEP;
    this.#bare.deliver(peer, {
      flags,
      sequence,
      acknowledgment: peer.ack,
      port: PORT,
      length,
      scale: SCALE,
      sack: left === null ? null : [left, (left + PAYLOAD) | 0],
      now: this.now,
    });
    this.#collect(peer);
  }

  #collect(peer) {
    const { core } = this.#bare;
    this.#bare.collect(peer, this.now);
    if (core.nextDeadline() <= this.now) core.onTimer(this.now);
  }
}

module.exports = { ScaleCore };
