'use strict';

/* A core on its own, whose peers are segments made by hand; needs dist. */

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
/** Remote ports of one remote address. */
const PER_ADDRESS = 1000;
const WINDOW = 65_535;
const MSS = 1460;

class BareCore {
  core;
  #hashKey;
  #slab;
  #in = new SegmentBatch(1);
  #out = new SegmentBatch(64);

  /** @param payload bytes that a segment carries at most */
  constructor(payload, tcp = {}) {
    const slabs = new SlabTable();
    const random = new Xoshiro(1);
    const environment = {
      random,
      ports: new FreePorts(),
      paths: { isLocal: () => true, route: () => ({ source: OURS, mtu: 1500 }) },
      allocate: (bytes) => new Uint8Array(bytes),
    };
    this.#hashKey = Int32Array.of(random.next(), random.next());
    this.#slab = slabs.add(new Uint8Array(payload));
    this.core = new StackCore(environment, slabs, this.#hashKey, { tcp });
  }

  /** A socket at that port of ours. */
  bound(port) {
    const socket = this.core.socket(4);
    check(socket.bind(OURS, port), 'bind');
    return socket;
  }

  /**
   * One segment of the peer arrives.
   * @param now µs
   * @param scale of the window, in a SYN
   * @param sack the edges of a block; null: none
   */
  deliver(
    peer,
    { flags, sequence, acknowledgment, port, length = 0, scale = 7, sack = null, now },
  ) {
    const { words } = this.#in;
    this.#in.count = 0;
    this.#in.push();
    words[Word.Family] = 4;
    words[Word.Protocol] = 6;
    writeAddress(peer.address, words, Word.Source);
    writeAddress(OURS, words, Word.Destination);
    words[Word.SourcePort] = peer.port;
    words[Word.DestinationPort] = port;
    words[Word.Sequence] = sequence;
    words[Word.Acknowledgment] = acknowledgment;
    words[Word.Flags] = flags;
    words[Word.Window] = WINDOW;
    words[Word.Slab] = this.#slab;
    words[Word.PayloadLength] = length;
    words[Word.Options] = Option.Timestamps;
    words[Word.TsVal] = 1;
    words[Word.TsEcr] = peer.tsEcr;
    if ((flags & Flag.SYN) !== 0) {
      words[Word.Options] |= Option.Mss | Option.WindowScale | Option.SackPermitted;
      words[Word.Mss] = MSS;
      words[Word.WindowScale] = scale;
    }
    if (sack !== null) {
      words[Word.Options] |= Option.Sack;
      words[Word.SackCount] = 1;
      words.set(sack, Word.Sack);
    }
    words[Word.Hash] = fourTupleHash(this.#hashKey, words, 0);
    this.core.onSegment(this.#in, 0, now);
  }

  /** Takes what leaves for the peer, which notes the end of what it was sent for the first time. */
  collect(peer, now) {
    const { words } = this.#out;
    do {
      this.#out.count = 0;
      this.core.transmit(this.#out, now);
      for (let index = 0; index < this.#out.count; index++) {
        const base = this.#out.base(index);
        const flags = words[base + Word.Flags];
        if ((flags & Flag.RST) !== 0) throw new Error('a reset');
        const space = (flags & (Flag.SYN | Flag.FIN)) !== 0 ? 1 : 0;
        const end = (words[base + Word.Sequence] + words[base + Word.PayloadLength] + space) | 0;
        if (peer.heard === 0 || ((end - peer.heard) | 0) > 0) peer.heard = end;
        peer.tsEcr = words[base + Word.TsVal];
      }
    } while (this.#out.count === this.#out.capacity);
    while (this.core.pollEvent() !== null);
  }
}

/** The remote end number `number`: each has a four-tuple of its own. */
function newPeer(number) {
  return {
    address: ipv4(0x0b000000 + Math.floor(number / PER_ADDRESS)),
    port: 1024 + (number % PER_ADDRESS),
    /** Of what we have sent: the end. */
    heard: 0,
    tsEcr: 0,
  };
}

/** What a call of a socket has returned: an error of the benchmark if it is one of the call's. */
function check(result, what) {
  if (typeof result === 'number' && result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

module.exports = { BareCore, newPeer, check, Flag };
