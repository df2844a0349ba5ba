'use strict';

/* A core on its own, filled with connections by hand-made segments; needs dist. */

const { BareCore, check, Flag, newPeer } = require('./bare-core.js');

const FIRST_PORT = 80;
/** Handshakes for one listener, at most: a backlog has 16 bits. */
const PER_LISTENER = 50_000;
const REMOTE_ISS = 1000;
/** Bytes of a request and of its answer. */
const MESSAGE = 100;
/** µs; all happens at once. */
const NOW = 1;

class Population {
  #bare;
  #listeners = [];
  #connections = [];
  #message = new Uint8Array(MESSAGE);
  #made = 0;

  /** @param capacity entries that will be added at most */
  constructor(capacity) {
    this.#bare = new BareCore(MESSAGE, { maxSynBacklog: PER_LISTENER, somaxconn: PER_LISTENER });
    for (let port = FIRST_PORT; (port - FIRST_PORT) * PER_LISTENER < capacity; port++) {
      const listener = this.#bare.bound(port);
      check(listener.listen(PER_LISTENER), 'listen');
      this.#listeners.push(listener);
    }
  }

  /** How many of a kind the core holds. */
  count(kind) {
    const { tcp } = this.#bare.core;
    if (kind === 'syn') return tcp.synReceived.count;
    return kind === 'timeWait' ? tcp.timeWait.count : this.#connections.length;
  }

  /** Adds `count` of 'connection' (idle after a request and its answer), 'syn' or 'timeWait'. */
  add(kind, count) {
    for (let i = 0; i < count; i++) {
      const peer = this.#handshake(kind !== 'syn');
      if (kind === 'syn') continue;
      const socket = this.#converse(peer);
      if (kind === 'timeWait') this.#close(socket, peer);
      else this.#connections.push(socket);
    }
  }

  /** What the remote end of the next connection is, and knows. */
  #newPeer() {
    const number = this.#made++;
    const listener = Math.floor(number / PER_LISTENER) % this.#listeners.length;
    return { ...newPeer(number), listener, sequence: REMOTE_ISS };
  }

  #handshake(complete) {
    const peer = this.#newPeer();
    this.#deliver(peer, Flag.SYN, 0);
    if (complete) this.#deliver(peer, Flag.ACK, 0);
    return peer;
  }

  #converse(peer) {
    const socket = check(this.#listeners[peer.listener].accept(), 'accept');
    this.#deliver(peer, Flag.ACK | Flag.PSH, MESSAGE);
    socket.receive(this.#message, 0, MESSAGE);
    socket.send(this.#message, 0, MESSAGE);
    this.#bare.collect(peer, NOW);
    this.#deliver(peer, Flag.ACK, 0);
    return socket;
  }

  #close(socket, peer) {
    socket.close();
    this.#bare.collect(peer, NOW);
    this.#deliver(peer, Flag.ACK | Flag.FIN, 0);
  }

  /** One segment of the peer, which has all that it was sent, and what our side answers. */
  #deliver(peer, flags, length) {
    const { sequence } = peer;
    const port = FIRST_PORT + peer.listener;
    this.#bare.deliver(peer, {
      flags,
      sequence,
      acknowledgment: peer.heard,
      port,
      length,
      now: NOW,
    });
    peer.sequence += length + ((flags & (Flag.SYN | Flag.FIN)) !== 0 ? 1 : 0);
    this.#bare.collect(peer, NOW);
  }
}

module.exports = { Population };
