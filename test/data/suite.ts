/** What one public suite gave. */
export interface SuiteResult {
  name: string;
  passed: number;
  /** One line for each probe that did not go as expected. */
  failures: string[];
  /** What a reader should know about the numbers. */
  notes: string[];
}
