import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SimulatorError } from '../errors.ts';

/** Copies a program of this machine into a root directory under `target`, with every shared library that `ldd` says it loads. */
export function copyProgram(root: string, program: string, target: string): void {
  copyInto(root, realpathSync(program), target);
  for (const library of sharedLibraries(program)) copyInto(root, realpathSync(library), library);
}

/** The absolute paths of `ldd`; none for a static program. */
export function sharedLibraries(program: string): string[] {
  try {
    const output = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return [...output.matchAll(/(?:=>\s+|^\s+)(\/\S+)/gm)].map((match) => match[1] ?? '');
  } catch (cause) {
    if (String(Reflect.get(Object(cause), 'stderr')).includes('not a dynamic executable')) return [];
    throw new SimulatorError('TOOL_MISSING', `ldd failed on ${program}`, { cause });
  }
}

export function copyInto(root: string, source: string, target: string): void {
  const path = join(root, target);
  mkdirSync(dirname(path), { recursive: true });
  cpSync(source, path, { recursive: true });
}
