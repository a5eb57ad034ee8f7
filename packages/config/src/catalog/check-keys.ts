import type { CatalogShape } from '../schema/catalog-schema.ts';
import type { CatalogProblem } from '../settings.ts';
import { matchesGlob } from '../values/model-glob.ts';
import type { Finding } from './check-model.ts';
import { isRecord } from './read-document.ts';
import type { CatalogDocument, KeyPath } from './read-document.ts';

/** What `printf %s "$KEY" | sha256sum` prints when `KEY` is not set. */
const HASH_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * Every key has a name of its own in its list, and a hash of its own in both: a key that opened the models and the admin API would undo what the two lists
 * are for. Reads entries that are wrong elsewhere, too. No message repeats a hash.
 */
export function checkKeys(raw: Readonly<Record<string, unknown>>): Finding[] {
  const owners = new Map<string, KeyPath>();
  return ['keys', 'adminKeys'].flatMap((list) => {
    const ids = new Set<string>();
    const entries: readonly unknown[] = Array.isArray(raw[list]) ? raw[list] : [];
    return entries.flatMap((entry, index) => {
      if (!isRecord(entry)) return [];
      return [...checkId(entry['id'], [list, index, 'id'], ids), ...checkHash(entry['sha256'], [list, index, 'sha256'], owners)];
    });
  });
}

/** Globs that stand for no model of this catalog. */
export function warnAboutKeys(document: CatalogDocument, { keys = [], models }: CatalogShape): CatalogProblem[] {
  const names = Object.keys(models);
  return keys.flatMap((key, index) =>
    key.models.flatMap((glob, at) => {
      if (names.some((name) => matchesGlob(glob, name))) return [];
      const owner = Object.entries(models).find(([, { aliases }]) => aliases.some((alias) => matchesGlob(glob, alias)))?.[0];
      const advice =
        owner === undefined ? 'Write the name of a model, or a part of it with *' : `Models are matched by their own names: write ${owner}`;
      return [document.problemAt(['keys', index, 'models', at], `"${glob}" matches no model. ${advice}`)];
    }),
  );
}

function checkId(id: unknown, path: KeyPath, ids: Set<string>): Finding[] {
  if (typeof id !== 'string') return [];
  if (ids.has(id)) return [{ path, message: 'is the name of another entry of this list. Give each key a name of its own' }];
  ids.add(id);
  return [];
}

function checkHash(hash: unknown, path: KeyPath, owners: Map<string, KeyPath>): Finding[] {
  if (typeof hash !== 'string') return [];
  const digits = hash.toLowerCase();
  if (digits === HASH_OF_NOTHING) return [{ path, message: 'is the SHA-256 of nothing at all. Set KEY before you hash it' }];
  const owner = owners.get(digits);
  if (owner === undefined) {
    owners.set(digits, path);
    return [];
  }
  const [list, index] = owner;
  return [{ path, message: `is the same key as ${String(list)}[${String(index)}]. Make another one: openssl rand -hex 32` }];
}
