'use strict';

/* A core on its own, filled with connections by hand-made segments; needs dist. */

const load = (file) => require(`../../dist/${file}.js`);
const { ipv4, writeAddress } = load('core/ip/address');
const { SlabTable } = load('core/memory/slabs');
const { fourTupleHash } = load('core/random/half-sip-hash');
const { Xoshiro } = load('core/random/xoshiro');
const { SegmentBatch } = load('core/segment/batch');
const { Flag, Option, Word } = load('core/segment/layout');
const { FreePorts } = load('core/stack/free-ports');
const { StackCore } = load('core/stack/stack-core');

const OURS = ipv4(0x0a000001);
const FIRST_PORT = 80;
/** Handshakes for one listener, at most: a backlog has 16 bits. */
const PER_LISTENER = 50_000;
/** Remote ports of one remote address. */
const PER_ADDRESS = 1000;
const REMOTE_ISS = 1000;
/** Bytes of a request and of its answer. */
const MESSAGE = 100;

class Population {
  #core;
  #hashKey;
  #payloadSlab;
  #in = new SegmentBatch(1);
  #out = new SegmentBatch(8);
  #listeners = [];
  #connections = [];
  #message = new Uint8Array(MESSAGE);
  #made = 0;

  /** @param capacity entries that will be added at most */
  constructor(capacity) {
    const slabs = new SlabTable();
    const random = new Xoshiro(1);
    const environment = {
      random,
      ports: new FreePorts(),
      paths: { isLocal: () => true, route: () => ({ source: OURS, mtu: 1500 }) },
      allocate: (bytes) => new Uint8Array(bytes),
    };
    this.#hashKey = Int32Array.of(random.next(), random.next());
    this.#payloadSlab = slabs.add(new Uint8Array(MESSAGE));
    const tcp = { maxSynBacklog: PER_LISTENER, somaxconn: PER_LISTENER };
    this.#core = new StackCore(environment, slabs, this.#hashKey, { tcp });
    for (let port = FIRST_PORT; (port - FIRST_PORT) * PER_LISTENER < capacity; port++) {
      const listener = this.#core.socket(4);
      listener.bind(OURS, port);
      const result = listener.listen(PER_LISTENER);
      if (result < 0) throw new Error(`listen: errno ${-result}`);
      this.#listeners.push(listener);
    }
  }

  /** How many of a kind the core holds. */
  count(kind) {
    const { tcp } = this.#core;
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
    return {
      address: ipv4(0x0b000000 + Math.floor(number / PER_ADDRESS)),
      port: 1024 + (number % PER_ADDRESS),
      listener: Math.floor(number / PER_LISTENER) % this.#listeners.length,
      sequence: REMOTE_ISS,
      acknowledgment: 0,
      tsEcr: 0,
    };
  }

  #handshake(complete) {
    const peer = this.#newPeer();
    this.#deliver(peer, Flag.SYN, 0);
    if (complete) this.#deliver(peer, Flag.ACK, 0);
    return peer;
  }

  #converse(peer) {
    const socket = this.#listeners[peer.listener].accept();
    if (typeof socket === 'number') throw new Error(`accept: errno ${-socket}`);
    this.#deliver(peer, Flag.ACK | Flag.PSH, MESSAGE);
    socket.receive(this.#message, 0, MESSAGE);
    socket.send(this.#message, 0, MESSAGE);
    this.#collect(peer);
    this.#deliver(peer, Flag.ACK, 0);
    return socket;
  }

  #close(socket, peer) {
    socket.close();
    this.#collect(peer);
    this.#deliver(peer, Flag.ACK | Flag.FIN, 0);
  }

  /** One segment of the peer, and what our side answers. */
  #deliver(peer, flags, length) {
    const { words } = this.#in;
    this.#in.count = 0;
    this.#in.push();
    words[Word.Family] = 4;
    words[Word.Protocol] = 6;
    writeAddress(peer.address, words, Word.Source);
    writeAddress(OURS, words, Word.Destination);
    words[Word.SourcePort] = peer.port;
    words[Word.DestinationPort] = FIRST_PORT + peer.listener;
    words[Word.Sequence] = peer.sequence;
    words[Word.Acknowledgment] = peer.acknowledgment;
    words[Word.Flags] = flags;
    words[Word.Window] = 65_535;
    words[Word.Slab] = this.#payloadSlab;
    words[Word.PayloadLength] = length;
    words[Word.Options] = Option.Timestamps;
    words[Word.TsVal] = 1;
    words[Word.TsEcr] = peer.tsEcr;
    if ((flags & Flag.SYN) !== 0) {
      words[Word.Options] |= Option.Mss | Option.WindowScale | Option.SackPermitted;
      words[Word.Mss] = 1460;
      words[Word.WindowScale] = 7;
    }
    words[Word.Hash] = fourTupleHash(this.#hashKey, words, 0);
    peer.sequence += length + ((flags & (Flag.SYN | Flag.FIN)) !== 0 ? 1 : 0);
    this.#core.onSegment(this.#in, 0, 1);
    this.#collect(peer);
  }

  /** Takes what is sent to the peer, which notes what it has to acknowledge. */
  #collect(peer) {
    const { words } = this.#out;
    this.#out.count = 0;
    this.#core.transmit(this.#out, 1);
    for (let index = 0; index < this.#out.count; index++) {
      const base = this.#out.base(index);
      const flags = words[base + Word.Flags];
      if ((flags & Flag.RST) !== 0) throw new Error('a reset');
      const sequenceSpace = (flags & (Flag.SYN | Flag.FIN)) !== 0 ? 1 : 0;
      const end = words[base + Word.Sequence] + words[base + Word.PayloadLength] + sequenceSpace;
      peer.acknowledgment = end | 0;
      peer.tsEcr = words[base + Word.TsVal];
    }
    while (this.#core.pollEvent() !== null);
  }
}

module.exports = { Population };
