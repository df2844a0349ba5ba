/**
 * Mutants that can't change what anyone sees, each with a reason that a reader can check in the
 * code. They don't count.
 */

interface Equivalent {
  readonly file: string;
  /** The line in which the mutant begins, and as many before it as tell it from others. */
  readonly code: string;
  /** The source that is replaced, and by what, as `npm run mutants` prints them. */
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

/** Whether some lines of `source` are the entry's; the last of them is `line`, if given. */
export function hasCode(entry: Equivalent, source: string, line?: number): boolean {
  const lines = source.split('\n').map((text) => text.trim());
  const code = entry.code.trim().split('\n');
  const ends = line === undefined ? lines.keys() : [line];
  return [...ends].some((end) =>
    code.every((text, i) => text.trim() === lines[end - code.length + 1 + i]),
  );
}

/**
 * Whether all that is changed is that a place is subtracted, not added, which is 0.
 * @param own the source that it stands in
 * @param sources all, where the enum may be of another
 */
export function subtractsZero(
  original: string,
  replacement: string,
  own: string,
  sources: Iterable<string>,
): boolean {
  const [, sum, name, member] = /^(.*) \+ (\w+)\.(\w+)$/s.exec(original) ?? [];
  if (name === undefined || replacement !== `${sum} - ${name}.${member}`) return false;
  const declared = new RegExp(`enum ${name} \\{[^}]*\\}`);
  const text = [own, ...sources].find((source) => declared.test(source)) ?? '';
  return new RegExp(`\\b${member} = 0,`).test(declared.exec(text)?.[0] ?? '');
}

export const EQUIVALENT: readonly Equivalent[] = [
  {
    file: 'lib/core/tcp/path-mtu.ts',
    code: 'learn(tcp, c, error.mtu, false);',
    original: 'false',
    replacement: 'true',
    reason: 'IPv6: what is locked concerns DF, which only headers of IPv4 have (emit.ts)',
  },
  {
    file: 'lib/core/stack/four-tuples.ts',
    code: `
      fill(row: number, words: Int32Array, base: number): void {
      const rows = this.words;
      const at = row * Field.Stride;
      for (let i = 0; i < 4; i++) {`,
    original: 'i < 4',
    replacement: 'i <= 4',
    reason: 'writes the right word of the remote address again, and a port that is written below',
  },
  {
    file: 'lib/core/stack/port-holds.ts',
    code: 'if (wildcard !== NONE && this.words[this.base(wildcard) + Hold.Count] === 0) {',
    original: 'wildcard !== NONE',
    replacement: 'true',
    reason: 'of row -1 the count is undefined, which is not 0',
  },
  {
    file: 'lib/core/time/row-heap.ts',
    code: `
    if (position > 0 && this.before(row, this.rows[(position - 1) >> 1])) this.up(position, row);`,
    original: 'position > 0',
    replacement: 'true',
    reason: 'rows[-1] is undefined, which nothing is before',
  },
  {
    file: 'lib/core/memory/block-pool.ts',
    code: 'if (this.divided >= 0) this.previous[this.divided] = large;',
    original: 'this.divided >= 0',
    replacement: 'true',
    reason: 'a typed array has no place -1: nothing is written',
  },
  {
    file: 'lib/core/time/timer-table.ts',
    code: 'if (next >= 0) this.previous[next] = previous;',
    original: 'next >= 0',
    replacement: 'true',
    reason: 'a typed array has no place -1: nothing is written',
  },
  {
    file: 'lib/core/time/timer-table.ts',
    code: 'if (place === Place.Heap && this.place[row] === Place.Heap) {',
    original: 'place === Place.Heap && this.place[row] === Place.Heap',
    replacement: 'false',
    reason: 'a short cut: the row is taken out of the heap below and comes to the same place in it',
  },
  {
    file: 'lib/core/time/row-heap.ts',
    code: `
    if (position > 0 && this.before(row, this.rows[(position - 1) >> 1])) this.up(position, row);`,
    original: 'position > 0',
    replacement: 'position >= 0',
    reason: 'rows[-1] is undefined, which nothing is before',
  },
  {
    file: 'lib/core/stack/ports.ts',
    code: 'return domain === 6 && ipv6Only === 0 && isWildcard(address) ? IPV4 | IPV6 : IPV6;',
    original: 'domain === 6',
    replacement: 'true',
    reason: 'an address of IPv6 was given, which bind() refuses to a socket of domain 4',
  },
  {
    file: 'lib/core/socket/stream-socket.ts',
    code: 'if (taken < 0) return taken;',
    original: 'taken < 0',
    replacement: 'taken <= 0',
    reason: 'a port that was taken is 1 or more',
  },
  {
    file: 'lib/core/tcp/receive-buffer.ts',
    code: 'while (done < wanted && this.queue.head !== null) {',
    original: 'this.queue.head !== null',
    replacement: 'true',
    reason: 'wanted is at most readable, the bytes in the queue',
  },
  {
    file: 'lib/core/tcp/acknowledgment.ts',
    code: 'if (window > c.maxSndWnd) c.maxSndWnd = window;',
    original: 'window > c.maxSndWnd',
    replacement: 'window >= c.maxSndWnd',
    reason: 'sets it to what it is',
  },
  {
    file: 'lib/core/tcp/cwnd-validation.ts',
    code: 'for (; idle > 0 && c.cwnd > least; idle -= c.rto) c.cwnd >>= 1;',
    original: 'c.cwnd > least',
    replacement: 'true',
    reason: 'what is halved below the initial window is raised to it in the next line',
  },
  {
    file: 'lib/core/tcp/delayed-ack.ts',
    code: 'if (c.quick > 0) {',
    original: 'c.quick > 0',
    replacement: 'true',
    reason: 'less than 0 is like 0: it is asked whether it is more, and raised by Math.max',
  },
  {
    file: 'lib/core/tcp/reassembly.ts',
    code: 'if (high > 0 && seqLt(this.runs[high - 1].right, left)) return high;',
    original: 'high > 0 && seqLt(this.runs[high - 1].right, left)',
    replacement: 'false',
    reason: 'a short cut: the search below comes to the same',
  },
  {
    file: 'lib/core/tcp/path-mtu.ts',
    code: 'if (tcp.pathMtus.count === 0 && !c.has(Has.PathMtu)) return;',
    original: 'tcp.pathMtus.count === 0 && !c.has(Has.PathMtu)',
    replacement: 'false',
    reason: 'a short cut: nothing is found below, and nothing was known: it returns there',
  },
  {
    file: 'lib/core/tcp/undo.ts',
    code: `
    if (c.has(Has.Sack) || c.sndUna !== f.highSeq) return false;
    if (!f.anyRetransmitted) f.retransmitting = false;`,
    original: '!f.anyRetransmitted',
    replacement: 'true',
    reason: 'without SACK nothing from `highSeq` on was sent again: markHead, the timeout, TLP',
  },
  {
    file: 'lib/core/tcp/receive-buffer.ts',
    code: 'if (reassembly.isEmpty) this.reassembly = null;',
    original: 'reassembly.isEmpty',
    replacement: 'false',
    reason: 'an empty one does what none does: `join` appends, no bytes, no pieces, no blocks',
  },
  {
    file: 'lib/core/tcp/syn-table.ts',
    code: `
    const row = this.take();
    if (row < 0) return -1;`,
    original: 'row < 0',
    replacement: 'false',
    reason: 'row is -1 then, and returned below; a typed array has no places below 0',
  },
  {
    file: 'lib/core/tcp/rtt.ts',
    code: 'if (c.mdevMax < c.rttvar) c.rttvar -= (c.rttvar - c.mdevMax) >> 2;',
    original: 'c.mdevMax < c.rttvar',
    replacement: 'c.mdevMax <= c.rttvar',
    reason: 'subtracts 0',
  },
  {
    file: 'lib/core/tcp/send-buffer.ts',
    code: 'if (this.cursor === NONE || start >= this.cursorAt) {',
    original: 'start >= this.cursorAt',
    replacement: 'false',
    reason: 'notes where the next search may begin: from the head it comes to the same',
  },
  {
    file: 'lib/core/time/timer-table.ts',
    code: 'if (this.dues[i] < earliest) earliest = this.dues[i];',
    original: 'this.dues[i] < earliest',
    replacement: 'this.dues[i] <= earliest',
    reason: 'sets it to what it is',
  },
  {
    file: 'lib/core/tcp/icmp-arrives.ts',
    code: 'switch (tuple < 0 ? Shape.None : tcp.tuples.shape(tuple)) {',
    original: 'tuple < 0',
    replacement: 'false',
    reason: 'a typed array has no place -1: the shape is undefined & 3, which is None',
  },
  {
    file: 'lib/core/tcp/send-buffer.ts',
    code: 'while (block !== this.tail && offset - start >= pool.sizeOf(block)) {',
    original: 'offset - start >= pool.sizeOf(block)',
    replacement: 'offset - start > pool.sizeOf(block)',
    reason: 'of a block without room the loop below goes on to the next one, too',
  },
  {
    file: 'lib/core/tcp/delayed-ack.ts',
    code: '} else if (gap <= minimum >> 1) {',
    original: 'gap <= minimum >> 1',
    replacement: 'gap < minimum >> 1',
    reason: 'where they are the same the next case, too, adds the gap, to less than the timeout',
  },
];
