import { expect, test } from 'vitest';
import { chooseMode } from './choose-mode.ts';

const facts = { catalogPath: '/srv/berth.yaml', catalogExists: false, configIsSet: false, machine: { dockerAnswers: true, hasGpu: true } };
const nothing = { dockerAnswers: false, hasGpu: false };

test('a catalog is served as it is, on any machine', () => {
  expect(chooseMode({ ...facts, catalogExists: true }).kind).toBe('catalog');
  expect(chooseMode({ ...facts, catalogExists: true, machine: nothing }).kind).toBe('catalog');
});

test('a catalog that BERTH_CONFIG names is never replaced by a simulated one, even if it is missing', () => {
  expect(chooseMode({ ...facts, configIsSet: true, machine: nothing }).kind).toBe('catalog');
});

test('without a catalog, a Docker engine and a GPU get the starter catalog', () => {
  expect(chooseMode(facts).kind).toBe('starter');
});

test.each([
  [{ dockerAnswers: false, hasGpu: true }, 'no Docker engine here'],
  [{ dockerAnswers: true, hasGpu: false }, 'no NVIDIA GPU here'],
  [nothing, 'no Docker engine and no NVIDIA GPU here'],
])('without a catalog and with %j it simulates and says why', (machine, why) => {
  const mode = chooseMode({ ...facts, machine });
  expect(mode.kind).toBe('simulated');
  expect(mode.why).toContain(why);
});
