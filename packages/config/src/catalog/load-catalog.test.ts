import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import { Secret } from '../values/secret.ts';
import { findModel } from '../settings.ts';
import { loadCatalog } from './load-catalog.ts';

const EXAMPLE = fileURLToPath(new URL('../../../../examples/berth.yaml', import.meta.url));

test('the example catalog is valid and without warnings', () => {
  const catalog = loadCatalog({ path: EXAMPLE, home: '/home/ada' });
  expect(catalog.warnings).toEqual([]);
  expect(catalog.models.map(({ name }) => name)).toEqual(['qwen2.5-0.5b', 'llama-3.1-8b', 'my-finetune', 'reranker']);
});

test.each(['simulated.yaml', 'cold-start.yaml'])('the simulated example %s is valid and without warnings', (file) => {
  const path = fileURLToPath(new URL(`../../../../examples/${file}`, import.meta.url));
  const catalog = loadCatalog({ path, home: '/home/ada' });
  expect([catalog.warnings, catalog.host.runtime]).toEqual([[], 'process']);
});

test('the example shows every default as it is', () => {
  const example = loadCatalog({ path: EXAMPLE, home: '/home/ada' });
  const bare = loadText('models: { a: { source: x/y } }');
  expect(example.host).toEqual(bare.host);
  expect(example.protocol).toEqual(bare.protocol);
  const [finetune] = example.models.filter(({ name }) => name === 'my-finetune');
  const [plain] = bare.models;
  for (const key of ['image', 'kvCacheBytes', 'loadTimeoutMs', 'pullTimeoutMs', 'shmSizeBytes', 'port', 'healthPath'] as const) {
    expect(finetune?.[key]).toEqual(plain?.[key]);
  }
});

test('converts to MiB, bytes and milliseconds', () => {
  const catalog = loadText(`
host: { reserve: 1GB, simulatedGpus: [{ name: Sim, memory: 24GB, count: 2 }] }
coldStart: { wait: 4m30s, streamWait: 1h }
models:
  a: { source: x/y, kvCache: 1.5GiB, idleTimeout: 90s, memory: { atLeast: 15.0001GiB } }
`);
  expect(catalog.host.reserveMiB).toBe(954);
  expect(catalog.host.simulatedGpus).toEqual([
    { name: 'Sim', totalMiB: 22_888 },
    { name: 'Sim', totalMiB: 22_888 },
  ]);
  expect(catalog.protocol.coldStart).toMatchObject({ waitMs: 270_000, streamWaitMs: 3_600_000 });
  expect(catalog.models[0]).toMatchObject({ kvCacheBytes: 1_610_612_736, idleTimeoutMs: 90_000, memoryAtLeastMiB: 15_361 });
});

test('a model inherits from defaults, merges env by variable and volumes by mount point, and wins', () => {
  const catalog = loadText(`
defaults:
  image: example/vllm:1
  kvCache: 2GiB
  loadTimeout: 5m
  env: { A: 1, B: 1.10 }
  envFrom: [HTTPS_PROXY]
  volumes: [./adapters:/adapters:ro, cache:/cache]
models:
  a: { source: x/y, kvCache: 3GiB, env: { B: true, C: x }, envFrom: [NO_PROXY, HTTPS_PROXY], volumes: [/fast:/cache] }
  b: { source: x/z }
`);
  expect(findModel(catalog, 'a')).toMatchObject({
    image: 'example/vllm:1',
    kvCacheBytes: 3 * 2 ** 30,
    loadTimeoutMs: 300_000,
    env: { A: '1', B: 'true', C: 'x' },
    envFrom: ['HTTPS_PROXY', 'NO_PROXY'],
    volumes: [
      { source: '/etc/berth/adapters', target: '/adapters', readOnly: true },
      { source: '/fast', target: '/cache', readOnly: false },
    ],
  });
  expect(findModel(catalog, 'b')).toMatchObject({ kvCacheBytes: 2 * 2 ** 30, env: { A: '1', B: '1.10' } });
});

test('arguments keep the spelling that YAML would change', () => {
  const catalog = loadText('models: { a: { source: x/y, args: [--seed, 0x10, --ratio, 1.10, --flag, true, --none, "null"] } }');
  expect(catalog.models[0]?.args).toEqual(['--seed', '0x10', '--ratio', '1.10', '--flag', 'true', '--none', 'null']);
});

test('an openai engine runs its command in an image, needs no port placeholder with a fixed port, and gets no KV cache', () => {
  const catalog = loadText(`
models:
  reranker: { engine: openai, image: "example/reranker:1.2", args: ["--port", "{port}"], gpus: 0 }
  fixed: { engine: openai, image: "example/tool:1", port: 8080, healthPath: /v1/models }
  tool: { engine: openai, command: [/opt/tool, --listen, "127.0.0.1:{port}"] }
  by-variable: { engine: openai, image: "example/tool:1", env: { PORT: "{port}" } }
`);
  expect(catalog.models.map(({ image, command, port, kvCacheBytes }) => ({ image, command, port, kvCacheBytes }))).toEqual([
    { image: 'example/reranker:1.2', command: null, port: 8000, kvCacheBytes: null },
    { image: 'example/tool:1', command: null, port: 8080, kvCacheBytes: null },
    { image: 'vllm/vllm-openai:v0.30.0', command: ['/opt/tool', '--listen', '127.0.0.1:{port}'], port: 8000, kvCacheBytes: null },
    { image: 'example/tool:1', command: null, port: 8000, kvCacheBytes: null },
  ]);
});

test('a KV cache holds on the CPU too', () => {
  expect(loadText('models: { a: { source: x/y, gpus: 0, kvCache: 1GiB } }').models[0]).toMatchObject({ gpus: 0, kvCacheBytes: 2 ** 30 });
});

test('relative paths start from the folder of the file and ~ from the home folder', () => {
  const catalog = loadText(`
host: { huggingfaceCache: ~/hf, vllmCache: compiled }
models:
  relative: { source: ./models/x }
  above: { source: ../x/ }
  home: { source: ~/x }
  absolute: { source: /srv//x }
  hub: { source: org/x }
`);
  expect(catalog.host).toMatchObject({ huggingfaceCache: '/home/ada/hf', vllmCache: 'compiled' });
  expect(catalog.models.map(({ source }) => source)).toEqual([
    { kind: 'path', path: '/etc/berth/models/x' },
    { kind: 'path', path: '/etc/x' },
    { kind: 'path', path: '/home/ada/x' },
    { kind: 'path', path: '/srv/x' },
    { kind: 'hub', id: 'org/x' },
  ]);
});

test('finds a model by its name and by its aliases, and nothing by what every object has', () => {
  const catalog = loadText('models: { a: { source: x/y, aliases: [gpt-4o, "org/b:latest"] } }');
  expect(['a', 'gpt-4o', 'org/b:latest'].map((name) => findModel(catalog, name)?.name)).toEqual(['a', 'a', 'a']);
  expect(['constructor', '__proto__', 'toString', 'A'].map((name) => findModel(catalog, name))).toEqual(Array(4).fill(undefined));
});

test('the process runtime has no images, volumes and shared memory limits, and warns where they are written', () => {
  const catalog = loadText(`
host: { runtime: process }
models:
  a: { source: x/y, image: example/vllm:1, shmSize: 1GiB, volumes: [/a:/b] }
  tool: { engine: openai, command: [/opt/tool, "--port={port}"], gpus: 0 }
`);
  expect(catalog.models[0]).toMatchObject({ image: null, shmSizeBytes: null, volumes: [], command: null });
  expect(catalog.models[1]).toMatchObject({ command: ['/opt/tool', '--port={port}'], kvCacheBytes: null, source: null });
  expect(catalog.warnings.map(({ line, key }) => [line, key])).toEqual([
    [4, 'models.a.image'],
    [4, 'models.a.volumes'],
    [4, 'models.a.shmSize'],
  ]);
});

test('an image that can change under Berth is a warning, not a problem', () => {
  const catalog = loadText('defaults: { image: "localhost:5000/vllm" }\nmodels: { a: { source: x/y, image: "vllm/vllm-openai:latest" } }');
  expect(catalog.warnings.map(({ key }) => key)).toEqual(['defaults.image', 'models.a.image']);
});

test('the catalog is frozen all through', () => {
  const catalog = loadText('models: { a: { source: x/y, env: { HF_TOKEN: hf_secret }, args: [--x] } }');
  const parts = [catalog, catalog.models, catalog.models[0], catalog.models[0]?.args, catalog.models[0]?.env, catalog.host.docker];
  expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
  expect(Object.isFrozen(catalog.modelsByName)).toBe(true);
});

test('secrets of the catalog do not print', () => {
  const catalog = loadText('models: { a: { source: x/y, env: { HF_TOKEN: hf_secret, PLAIN: seen } } }');
  expect(catalog.models[0]?.env['HF_TOKEN']).toBeInstanceOf(Secret);
  expect(JSON.stringify(catalog)).not.toContain('hf_secret');
  expect(JSON.stringify(catalog)).toContain('seen');
});

test('sections with everything commented out count as empty', () => {
  expect(loadText('host:\ndefaults:\nmodels: { a: { source: x/y } }').host.id).toBe('local');
});

test('anchors and merges work', () => {
  const catalog = loadText('models:\n  a: &base { source: x/y, gpus: 2 }\n  b: { <<: *base, source: x/z }\n');
  expect(catalog.models.map(({ gpus, source }) => [gpus, source])).toEqual([
    [2, { kind: 'hub', id: 'x/y' }],
    [2, { kind: 'hub', id: 'x/z' }],
  ]);
});

test('a missing file is refused with what to do', () => {
  const error = caught(() => loadCatalog({ path: '/nowhere/berth.yaml', home: '/home/ada' }));
  expect(isOperationalError(error, 'INVALID_CATALOG')).toBe(true);
  expect(String(error)).toMatch(/\/nowhere\/berth\.yaml:1: cannot be read \(ENOENT.*BERTH_CONFIG/);
});

test('an error carries its problems as data', () => {
  const error = caught(() => loadText('models:\n  a: { source: x/y, kvCahe: 4GiB }\n'));
  if (!isOperationalError(error)) throw error;
  expect(error).toMatchObject({ code: 'INVALID_CATALOG', retryable: false });
  expect(error.details['problems']).toEqual([
    { line: 2, column: 21, key: 'models.a.kvCahe', message: 'unknown key. Did you mean kvCache?' },
  ]);
});

test('the example parses to the same settings when given as text', () => {
  const text = readFileSync(EXAMPLE, 'utf8');
  expect(loadCatalog({ path: EXAMPLE, home: '/h', text })).toEqual(loadCatalog({ path: EXAMPLE, home: '/h' }));
});

function loadText(text: string) {
  return loadCatalog({ path: '/etc/berth/berth.yaml', home: '/home/ada', text });
}

function caught(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
