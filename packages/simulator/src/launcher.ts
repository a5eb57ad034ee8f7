import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Compiled programs, kept where git and packages do not look: with them a program starts in a third of the time. */
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url));

/**
 * Writes an executable that runs a program of this package with the Node that runs this file, wherever it is started; `exec` keeps the
 * process id. An executable that is already right keeps its file times.
 */
export function writeLauncher(path: string, program: URL, more: { environment?: Record<string, string>; args?: string[] } = {}): void {
  const environment = Object.entries({ NODE_COMPILE_CACHE: compileCache, ...more.environment });
  const defaults = environment.map(([name, value]) => `${name}="\${${name}:-${value}}"\nexport ${name}\n`);
  const args = [process.execPath, fileURLToPath(program), ...(more.args ?? [])].map((argument) => `'${argument}'`);
  const text = `#!/bin/sh\n${defaults.join('')}exec ${args.join(' ')} "$@"\n`;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
