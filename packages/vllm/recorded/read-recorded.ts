import { readFileSync } from 'node:fs';

/** For tests: the lines of a file beside this one. */
export function readRecorded(name: string): string[] {
  return readFileSync(new URL(`./${name}`, import.meta.url), 'utf8')
    .replace(/\n$/u, '')
    .split('\n');
}
