import type { z } from 'zod';
import { catalogSchema } from '../schema/catalog-schema.ts';
import type { CatalogShape } from '../schema/catalog-schema.ts';
import { isPinnedImage } from '../schema/image-reference.ts';
import { defaultsSchema, modelSchema } from '../schema/model-schema.ts';
import { hostSchema, protocolShape } from '../schema/host-schema.ts';
import type { CatalogProblem } from '../settings.ts';
import { formatDuration } from '../values/parse-duration.ts';
import { formatMemory } from '../values/parse-memory.ts';
import { checkKeys, warnAboutKeys } from './check-keys.ts';
import { checkEnvironment, checkModel, checkVolumes } from './check-model.ts';
import type { Finding } from './check-model.ts';
import { inOrder, isRecord } from './read-document.ts';
import type { CatalogDocument } from './read-document.ts';
import { describeIssue, shapeProblems } from './shape-problems.ts';

type Raw = Readonly<Record<string, unknown>>;

/**
 * All that is wrong with a catalog, shape and rules between keys together: a section whose own shape is right is checked on, whatever
 * is wrong elsewhere. In the order of the file; empty exactly when `shape` is given.
 */
export function checkCatalog(document: CatalogDocument, raw: Raw): { problems: CatalogProblem[]; shape?: CatalogShape } {
  const parsed = catalogSchema.safeParse(raw, { error: describeIssue });
  const shape = parsed.success ? [] : shapeProblems(document, catalogSchema, parsed.error.issues);
  const rules = [
    ...checkHost(raw),
    ...checkProtocol(raw),
    ...checkDefaults(raw),
    ...checkModels(raw),
    ...checkNames(raw),
    ...checkKeys(raw),
  ];
  const problems = inOrder([...document.problems, ...shape, ...rules.map(({ path, message }) => document.problemAt(path, message))]);
  return parsed.success && problems.length === 0 ? { problems, shape: parsed.data } : { problems };
}

/** What is allowed but seldom meant. */
export function warnAbout(document: CatalogDocument, shape: CatalogShape): CatalogProblem[] {
  return [...warnAboutEngines(document, shape), ...warnAboutKeys(document, shape)];
}

function warnAboutEngines(document: CatalogDocument, shape: CatalogShape): CatalogProblem[] {
  const written = [
    { path: ['defaults'], section: shape.defaults },
    ...Object.entries(shape.models).map(([name, section]) => ({ path: ['models', name], section })),
  ];
  return written.flatMap(({ path, section }) => {
    const warnings: CatalogProblem[] = [];
    if (shape.host.runtime === 'docker' && section.image !== undefined && !isPinnedImage(section.image)) {
      warnings.push(document.problemAt([...path, 'image'], `"${section.image}" can change under Berth. Pin a tag`));
    }
    if (shape.host.runtime === 'process') {
      for (const key of ['image', 'volumes', 'shmSize', 'port'] as const) {
        if (section[key] !== undefined) warnings.push(document.problemAt([...path, key], 'has no effect under the process runtime'));
      }
    }
    return warnings;
  });
}

function checkHost(raw: Raw): Finding[] {
  const host = hostSchema.safeParse(raw['host'] ?? {});
  if (!host.success) return [];
  const { reserve, budgetFraction, simulatedGpus = [] } = host.data;
  return simulatedGpus.flatMap(({ memory }, index) => {
    if (memory * budgetFraction > reserve) return [];
    const message = `${formatMemory(memory)} leave nothing to use after budgetFraction and a reserve of ${formatMemory(reserve)}. Lower reserve`;
    return [{ path: ['host', 'simulatedGpus', index, 'memory'], message }];
  });
}

function checkProtocol(raw: Raw): Finding[] {
  const findings: Finding[] = [];
  const atMost = (path: [string, string], value: number, limit: { of: string; value: number }, format: (value: number) => string) => {
    if (value > limit.value) findings.push({ path, message: `${format(value)} is more than ${limit.of} allows (${format(limit.value)})` });
  };
  const bodies = protocolShape.bodies.safeParse(raw['bodies']);
  if (bodies.success) {
    const { waiting, limit, retryLimit } = bodies.data;
    atMost(['bodies', 'retryLimit'], retryLimit, { of: 'bodies.limit', value: limit }, formatMemory);
    atMost(['bodies', 'limit'], limit, { of: 'bodies.waiting', value: waiting }, formatMemory);
  }
  const leases = protocolShape.leases.safeParse(raw['leases']);
  if (leases.success) {
    // A holder stops using a lease at 0.8 of its life, and one renewal may be lost.
    const { ttl, renew } = leases.data;
    atMost(['leases', 'renew'], renew, { of: 'a third of leases.ttl', value: Math.floor(ttl / 3) }, formatDuration);
  }
  const leader = protocolShape.leader.safeParse(raw['leader']);
  if (leader.success) {
    const { ttl, renew, abortAfter } = leader.data;
    atMost(['leader', 'renew'], renew, { of: 'half of leader.abortAfter', value: Math.floor(abortAfter / 2) }, formatDuration);
    atMost(['leader', 'abortAfter'], abortAfter, { of: '0.8 of leader.ttl', value: Math.floor(ttl * 0.8) }, formatDuration);
  }
  const quarantine = protocolShape.quarantine.safeParse(raw['quarantine']);
  if (quarantine.success) {
    const { base, max } = quarantine.data;
    atMost(['quarantine', 'base'], base, { of: 'quarantine.max', value: max }, formatDuration);
  }
  return findings;
}

function checkDefaults(raw: Raw): Finding[] {
  const { value, skipped } = soundPart(defaultsSchema, raw['defaults'] ?? {});
  if (value === undefined) return [];
  return without(skipped, [...checkEnvironment(value.env), ...checkVolumes(value.volumes)]).map(under(['defaults']));
}

function checkModels(raw: Raw): Finding[] {
  const host = isRecord(raw['host']) ? raw['host'] : {};
  const runtime = host['runtime'] === 'process' ? 'process' : 'docker';
  const defaults = soundPart(defaultsSchema, raw['defaults'] ?? {}).value ?? {};
  if (!isRecord(raw['models'])) return [];
  if (Object.keys(raw['models']).length === 0) return [{ path: ['models'], message: 'has no entry. Add at least one model' }];
  return Object.entries(raw['models']).flatMap(([name, entry]) => {
    const { value, skipped } = soundPart(modelSchema, entry);
    return value === undefined ? [] : without(skipped, checkModel(value, defaults, runtime)).map(under(['models', name]));
  });
}

/** A section without the keys whose shape is wrong, so that the rules on all others can still be checked. */
function soundPart<Output>(schema: z.ZodType<Output>, section: unknown): { value?: Output; skipped: ReadonlySet<PropertyKey> } {
  const first = schema.safeParse(section);
  if (first.success) return { value: first.data, skipped: new Set() };
  if (!isRecord(section)) return { skipped: new Set() };
  const skipped = new Set(first.error.issues.flatMap((issue) => issue.path[0] ?? (issue.code === 'unrecognized_keys' ? issue.keys : [])));
  const second = schema.safeParse(Object.fromEntries(Object.entries(section).filter(([key]) => !skipped.has(key))));
  return second.success ? { value: second.data, skipped } : { skipped };
}

/** A rule on a key whose shape is wrong would only repeat that. */
function without(skipped: ReadonlySet<PropertyKey>, findings: readonly Finding[]): Finding[] {
  return findings.filter(({ path: [key = ''] }) => !skipped.has(key));
}

/** Every name and alias asks for one model. Reads names from models that are wrong elsewhere, too. */
function checkNames(raw: Raw): Finding[] {
  const models = isRecord(raw['models']) ? raw['models'] : {};
  const owners = new Map(Object.keys(models).map((name) => [name, name]));
  return Object.entries(models).flatMap(([name, entry]) => {
    const aliases: unknown[] = isRecord(entry) && Array.isArray(entry['aliases']) ? entry['aliases'] : [];
    return aliases.flatMap((alias, index) => {
      if (typeof alias !== 'string') return [];
      const path = ['models', name, 'aliases', index];
      const owner = owners.get(alias);
      if (owner === undefined) {
        owners.set(alias, name);
        return [];
      }
      if (alias === owner) return [{ path, message: `"${alias}" is already the name of a model. Remove the alias` }];
      return [{ path, message: `"${alias}" is already an alias of "${owner}". Remove one of them` }];
    });
  });
}

function under(parent: readonly string[]) {
  return ({ path, message }: Finding): Finding => ({ path: [...parent, ...path], message });
}
