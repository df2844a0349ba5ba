/**
 * Mutants that can't change what anyone sees, each with the reason, which must be one that a reader
 * can check in the code. They don't count.
 */

interface Equivalent {
  readonly file: string;
  /** The line of the source (where the mutant begins), without its indentation. */
  readonly line: string;
  /** The source that is replaced, and by what, as `npm run mutants` prints them. */
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

export const EQUIVALENT: readonly Equivalent[] = [];
