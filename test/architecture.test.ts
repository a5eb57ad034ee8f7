import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where each library may be imported. The board's own type of queue is what Bull Board asks for; it never leaves the package either. */
const ADAPTERS: Readonly<Record<string, string>> = { dockerode: 'packages/docker/', ioredis: 'packages/redis/', bullmq: 'packages/redis/' };

test('packages/core imports nothing but its own files', () => {
  const outside = sources('packages/core').flatMap((file) =>
    importsOf(file)
      .filter((name) => !name.startsWith('.'))
      .map((name) => `${file}: ${name}`),
  );
  expect(outside).toEqual([]);
});

test('packages/core reads no clock, no randomness and no environment', () => {
  const impure = sources('packages/core').filter((file) =>
    /\bDate\.now\(|\bMath\.random\(|\bprocess\.\w|\bperformance\.\w/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(impure).toEqual([]);
});

test('no dockerode, ioredis or BullMQ leaves its adapter', () => {
  const leaks = [...sources('packages'), ...sources('services')].flatMap((file) =>
    importsOf(file)
      .filter((name) => ADAPTERS[name] !== undefined && !file.startsWith(ADAPTERS[name]))
      .map((name) => `${file}: ${name}`),
  );
  expect(leaks).toEqual([]);
});

test('adapters do not know each other', () => {
  const adapters = ['redis', 'docker', 'process', 'nvidia', 'vllm'];
  const known = adapters.flatMap((adapter) =>
    sources(`packages/${adapter}`).flatMap((file) =>
      importsOf(file)
        .filter((name) => adapters.some((other) => other !== adapter && name === `@berth/${other}`))
        .map((name) => `${file}: ${name}`),
    ),
  );
  expect(known).toEqual([]);
});

test('only a main reads the environment of the process', () => {
  const readers = [...sources('packages'), ...sources('services')].filter(
    (file) =>
      !file.endsWith('main.ts') &&
      !file.startsWith('packages/simulator/') &&
      readFileSync(join(root, file), 'utf8').includes('process.env'),
  );
  expect(readers).toEqual([]);
});

/** Product code below a folder: no tests, and nothing that only tests import. */
function sources(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)(testing|test-support|node_modules|scripts)\//.test(file))
    .map((file) => relative(root, join(root, folder, file)))
    .filter((file) => statSync(join(root, file)).isFile());
}

function importsOf(file: string): readonly string[] {
  return [...readFileSync(join(root, file), 'utf8').matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
}
