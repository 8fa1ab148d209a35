// What stops a witness from signing is written down in a file, so that no restart makes it forget.
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../system/index.js';

/** A finding that outlives the process. */
export interface Mark<T> {
  /** Undefined: there is none. */
  read(): Promise<T | undefined>;
  /** Durable when it resolves. */
  write(found: T): Promise<void>;
}

/**
 * A mark in a file that is there as long as the finding stands. A file that is not what was written counts as a
 * finding too, as `unreadable`: damage does not set a witness free.
 */
export function markFile<T>(file: string, unreadable: T, isWhole: (value: unknown) => value is T): Mark<T> {
  return {
    write: (found) => replaceFile(file, `${JSON.stringify(found, null, 2)}\n`),
    async read() {
      let text: string;
      try {
        text = await readFile(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
      try {
        const value: unknown = JSON.parse(text);
        return isWhole(value) ? value : unreadable;
      } catch {
        return unreadable;
      }
    },
  };
}
