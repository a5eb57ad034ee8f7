import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { OperationalError } from '@berth/core';

/** A program of this machine. */
export interface ResolvedProgram {
  readonly path: string;
  /** Stands in for an image id: changes with the program's path, size or time. */
  readonly imageId: string;
}

/** Finds a program by path, or by name on `searchPath`. Throws `IMAGE_MISSING` with what to do. */
export async function resolveProgram(name: string, searchPath: string): Promise<ResolvedProgram> {
  const candidates = name.includes('/')
    ? [resolve(name)]
    : searchPath
        .split(delimiter)
        .filter(Boolean)
        .map((folder) => join(folder, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      const real = await realpath(candidate);
      const { size, mtimeMs } = await stat(real);
      const hash = createHash('sha256').update(`${real}\n${size}\n${mtimeMs}`).digest('hex');
      return { path: candidate, imageId: `program:${hash}` };
    } catch {
      continue;
    }
  }
  throw new OperationalError({
    code: 'IMAGE_MISSING',
    message: name.includes('/')
      ? `The program ${name} does not exist or may not be run. Correct \`command\` in the catalog, or install it there.`
      : `The program "${name}" is not on the PATH that Berth was started with. Install it (vLLM: \`pip install vllm\`), or name it with its full path in \`command\`.`,
    retryable: false,
    details: { program: name },
  });
}
