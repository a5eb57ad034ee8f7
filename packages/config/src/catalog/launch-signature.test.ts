import { expect, test } from 'vitest';
import type { ModelSettings } from '../settings.ts';
import { launchInputs, launchSignature } from './launch-signature.ts';
import { loadCatalog } from './load-catalog.ts';

const BASE =
  'source: x/y, args: [--a, --b], env: { ONE: 1, TWO: 2, HF_TOKEN: first }, envFrom: [P, Q], volumes: [/a:/m, /b:/n], aliases: [c]';

test('is 16 hex digits and the same on every machine', () => {
  expect(signature('{ source: org/model }')).toBe('62ed2384d091368d');
});

test.each([
  [
    'the order of keys',
    `{ aliases: [c], volumes: [/b:/n, /a:/m], envFrom: [Q, P], env: { HF_TOKEN: first, TWO: 2, ONE: 1 }, args: [--a, --b], source: x/y }`,
  ],
  ['the value of a secret', `{ ${BASE.replace('first', 'second')} }`],
  ['an alias', `{ ${BASE.replace('aliases: [c]', 'aliases: [d, e]')} }`],
  ['timeouts', `{ ${BASE}, idleTimeout: 1m, loadTimeout: 1h, pullTimeout: 1h }`],
  ['pinning and preloading', `{ ${BASE}, pinned: true, preload: true }`],
  ['ports and paths of the engine', `{ ${BASE}, port: 9000, healthPath: /live }`],
  ['a memory hint', `{ ${BASE}, memory: { atLeast: 1GiB } }`],
  ['a default written out', `{ ${BASE}, kvCache: 4096MiB, gpus: 1, engine: vllm }`],
])('%s does not change it', (_, model) => {
  expect(signature(model)).toBe(signature(`{ ${BASE} }`));
});

test.each([
  ['the source', `{ ${BASE.replace('x/y', 'x/z')} }`],
  ['the order of arguments', `{ ${BASE.replace('[--a, --b]', '[--b, --a]')} }`],
  ['where arguments part', `{ ${BASE.replace('[--a, --b]', '["--a --b"]')} }`],
  ['a value in env', `{ ${BASE.replace('ONE: 1', 'ONE: 3')} }`],
  ['the name of a secret', `{ ${BASE.replace('HF_TOKEN', 'MY_TOKEN')} }`],
  ['a variable passed on', `{ ${BASE.replace('[P, Q]', '[P]')} }`],
  ['a volume', `{ ${BASE.replace('/b:/n', '/b:/n:ro')} }`],
  ['the image', `{ ${BASE}, image: "other:1" }`],
  ['the number of GPUs', `{ ${BASE}, gpus: 2 }`],
  ['the KV cache', `{ ${BASE}, kvCache: 5GiB }`],
  ['shared memory', `{ ${BASE}, shmSize: 1GiB }`],
  ['the program', `{ ${BASE}, command: [x] }`],
  ['the engine', `{ engine: openai, port: 1, ${BASE}, image: "vllm/vllm-openai:v0.30.0" }`],
])('%s changes it', (_, model) => {
  expect(signature(model)).not.toBe(signature(`{ ${BASE} }`));
});

test('the probe enters with its keys in order, since memory peaks under it', () => {
  const openai = 'engine: openai, image: "a:1", port: 1';
  const one = signature(`{ ${openai}, probe: { path: /p, body: { a: 1, b: { c: [1, 2], d: 2 } } } }`);
  const same = signature(`{ ${openai}, probe: { body: { b: { d: 2, c: [1, 2] }, a: 1 }, path: /p } }`);
  const other = signature(`{ ${openai}, probe: { path: /p, body: { a: 1, b: { c: [2, 1], d: 2 } } } }`);
  expect(same).toBe(one);
  expect(other).not.toBe(one);
});

test('under the process runtime the image of the defaults does not enter', () => {
  const host = 'host: { runtime: process }';
  const without = load(`${host}\nmodels: { m: { source: x/y } }`);
  const withImage = load(`${host}\ndefaults: { image: "a:1" }\nmodels: { m: { source: x/y } }`);
  expect(launchSignature(withImage)).toBe(launchSignature(without));
});

test('the inputs carry no secret', () => {
  expect(JSON.stringify(launchInputs(load(`models: { m: { ${BASE} } }`)))).not.toContain('first');
});

function signature(model: string): string {
  return launchSignature(load(`models: { m: ${model} }`));
}

function load(text: string): ModelSettings {
  const [model] = loadCatalog({ path: '/etc/berth/berth.yaml', home: '/home/ada', text }).models;
  if (model === undefined) throw new TypeError('the catalog of this test has a model');
  return model;
}
