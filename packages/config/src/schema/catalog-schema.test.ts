import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { catalogJsonSchema } from './catalog-schema.ts';

const published = z.record(z.string(), z.unknown()).parse(JSON.parse(read('../../schema/berth.schema.json')));

test('the published JSON schema is the one of this code (else run packages/config/scripts/write-schema.ts)', () => {
  expect(published).toEqual(catalogJsonSchema());
});

test('the example is valid by the published JSON schema', () => {
  const validator = z.fromJSONSchema(published);
  expect(validator.safeParse(parse(read('../../../../examples/berth.yaml'))).error?.issues).toBeUndefined();
});

test.each([
  ['an unknown key', { models: { m: { source: 'x/y', kvCahe: '4GiB' } } }],
  ['a size without a unit', { models: { m: { source: 'x/y', kvCache: '4' } } }],
  ['a duration with an unknown unit', { models: { m: { source: 'x/y', idleTimeout: '5min' } } }],
  ['what is not supported yet', { models: { m: { source: 'x/y', memory: { utilization: 0.4 } } } }],
  ['an empty list of keys', { models: {}, keys: [] }],
  ['a key in place of its hash', { models: {}, keys: [{ id: 'a', sha256: 'sk-secret' }] }],
  ['a file without models', {}],
])('the published JSON schema refuses %s', (_, catalog) => {
  expect(z.fromJSONSchema(published).safeParse(catalog).success).toBe(false);
});

test('every key of the published JSON schema is described', () => {
  expect(undescribed(published, '')).toEqual([]);
});

function undescribed(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const properties: Record<string, unknown> = 'properties' in node ? z.record(z.string(), z.unknown()).parse(node.properties) : {};
  const below = Object.entries(properties).flatMap(([key, child]) => [
    ...(typeof child === 'object' && child !== null && 'description' in child ? [] : [`${path}.${key}`]),
    ...undescribed(child, `${path}.${key}`),
  ]);
  const entries = 'additionalProperties' in node ? undescribed(node.additionalProperties, `${path}.*`) : [];
  return [...below, ...entries];
}

function read(relative: string): string {
  return readFileSync(new URL(relative, import.meta.url), 'utf8');
}
