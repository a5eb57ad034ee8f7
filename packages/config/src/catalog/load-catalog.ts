import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { OperationalError } from '@berth/core';
import type { CatalogShape } from '../schema/catalog-schema.ts';
import type { Catalog, CatalogProblem, ModelSettings } from '../settings.ts';
import { deepFreeze } from '../values/deep-freeze.ts';
import { checkCatalog, warnAbout } from './check-catalog.ts';
import { readDocument } from './read-document.ts';
import { resolveAdminKey, resolveKey } from './resolve-keys.ts';
import { resolveModel } from './resolve-model.ts';
import { resolveHost, resolveProtocol } from './resolve-settings.ts';

export interface CatalogSource {
  /** Of the file; messages name it, and relative paths inside start from its folder. */
  readonly path: string;
  /** The user's home folder, for `~` in paths. */
  readonly home: string;
  /** The file's text, if it was read already. */
  readonly text?: string;
}

/**
 * Reads and checks a catalog. The result is frozen, complete with defaults and in our units. Throws one `INVALID_CATALOG` that lists
 * every problem as `file:line: key: what is wrong. What to write`, with the same in `details.problems` as data; also when the file
 * cannot be read.
 */
export function loadCatalog({ path, home, text }: CatalogSource): Catalog {
  const absolutePath = resolve(path);
  const document = readDocument(text ?? readText(absolutePath));
  if (document.value === undefined) throw refusal(absolutePath, document.problems);
  const { problems, shape } = checkCatalog(document, document.value);
  if (shape === undefined) throw refusal(absolutePath, problems);
  const models = resolveModels(shape, { folder: dirname(absolutePath), home });
  const names = models.map(({ name }) => name);
  return deepFreeze({
    path: absolutePath,
    host: resolveHost(shape.host, { folder: dirname(absolutePath), home }),
    protocol: resolveProtocol(shape),
    models,
    modelsByName: indexByName(models),
    keys: (shape.keys ?? []).map((key) => resolveKey(key, names)),
    adminKeys: (shape.adminKeys ?? []).map(resolveAdminKey),
    warnings: warnAbout(document, shape),
  });
}

/** One line per problem, ready for a terminal. */
export function formatProblems(path: string, problems: readonly CatalogProblem[]): string {
  return problems.map(({ line, key, message }) => `${path}:${line}: ${key === '' ? '' : `${key}: `}${message}`).join('\n');
}

function resolveModels(shape: CatalogShape, base: { readonly folder: string; readonly home: string }): ModelSettings[] {
  const surroundings = { defaults: shape.defaults, runtime: shape.host.runtime, base };
  return Object.entries(shape.models).map(([name, model]) => resolveModel(name, model, surroundings));
}

/** Without a prototype, so that a request for the model "constructor" finds nothing. */
function indexByName(models: readonly ModelSettings[]): Record<string, ModelSettings> {
  const index: Record<string, ModelSettings> = Object.create(null);
  for (const model of models) for (const name of model.servedNames) index[name] = model;
  return index;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const message = `cannot be read (${error instanceof Error ? error.message : String(error)}). Write it, or set BERTH_CONFIG to where it is`;
    throw refusal(path, [{ line: 1, column: 1, key: '', message }], error);
  }
}

function refusal(path: string, problems: readonly CatalogProblem[], cause?: unknown): OperationalError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new OperationalError({
    code: 'INVALID_CATALOG',
    message: `The catalog ${path} has ${count}:\n${formatProblems(path, problems)}`,
    retryable: false,
    details: { path, problems },
    ...(cause === undefined ? {} : { cause }),
  });
}
