import { isAbsolute, join, normalize, resolve } from 'node:path';

/** Where relative paths of a catalog start from. */
export interface PathBase {
  /** Absolute folder of the catalog file. */
  readonly folder: string;
  /** The user's home folder, for `~`. */
  readonly home: string;
}

/** Whether text names a path rather than a Hugging Face id or a Docker volume: it begins with `./`, `../`, `/` or `~`. */
export function isPath(text: string): boolean {
  return /^(\.{1,2}(\/|$)|\/|~(\/|$))/.test(text);
}

/** The absolute, normalised path: `~` is the home folder, a relative path stands in the catalog's folder. */
export function resolvePath(text: string, base: PathBase): string {
  if (text === '~' || text.startsWith('~/')) return withoutEndSlash(normalize(join(base.home, text.slice(1))));
  return withoutEndSlash(isAbsolute(text) ? normalize(text) : resolve(base.folder, text));
}

/** What Docker mounts: an absolute path, or the name of a volume as it is. */
export function resolveMountSource(text: string, base: PathBase): string {
  return isPath(text) ? resolvePath(text, base) : text;
}

function withoutEndSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
