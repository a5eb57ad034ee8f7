import { expect, test } from 'vitest';
import { loadCatalog } from '../catalog/load-catalog.ts';
import type { ModelSettings } from '../settings.ts';
import { revealed, Secret } from '../values/secret.ts';
import { engineEnvironment } from './engine-environment.ts';

test('passes on what envFrom names, lets env win, fills in the port and names what is missing', () => {
  const model = load('{ engine: openai, image: "a:1", env: { PORT: "{port}", B: own }, envFrom: [A, B, NOT_THERE] }');
  const { env, missing } = engineEnvironment(model, { own: { A: 'a', B: 'b', C: 'c', HF_TOKEN: 'hf' }, port: 8123 });
  expect(env).toEqual({ A: 'a', B: 'own', PORT: '8123' });
  expect(missing).toEqual(['NOT_THERE']);
});

test('passes HF_TOKEN on to vLLM, wrapped', () => {
  const { env } = engineEnvironment(load('{ source: x/y }'), { own: { HF_TOKEN: 'hf_1' }, port: 8000 });
  expect(env['HF_TOKEN']).toBeInstanceOf(Secret);
  expect(revealed(env['HF_TOKEN'] ?? '')).toBe('hf_1');
});

test('a token of the catalog wins over that of the orchestrator', () => {
  const { env } = engineEnvironment(load('{ source: x/y, env: { HF_TOKEN: mine } }'), { own: { HF_TOKEN: 'hf_1' }, port: 8000 });
  expect(revealed(env['HF_TOKEN'] ?? '')).toBe('mine');
});

function load(model: string): ModelSettings {
  const text = `models: { m: ${model} }`;
  const [first] = loadCatalog({ path: '/etc/berth/berth.yaml', home: '/home/ada', text }).models;
  if (first === undefined) throw new TypeError('the catalog of this test has a model');
  return first;
}
