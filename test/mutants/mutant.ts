/**
 * One protection taken out: in `file` (a source path) the text `find`, which must occur exactly once,
 * becomes `replace`; then a test whose name contains `name` in the test file `test` must fail.
 */
export interface Mutant {
  /** What is taken out, in words: "the fsync of the folder after a rename". */
  readonly desc: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Source path of the test file, e.g. `witness/state-file.test.ts`. */
  readonly test: string;
  /** Part of the test's name, when the file holds many; a literal, not a pattern. */
  readonly name?: string;
}
