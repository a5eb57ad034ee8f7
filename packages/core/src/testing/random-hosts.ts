import * as fc from 'fast-check';
import type { SimulatedHost, SimulatedModel } from './simulated-host.ts';

/** One thing that happens to a host. */
export type Operation =
  | { readonly kind: 'arrive'; readonly model: number; readonly right: 'use' | 'place' | 'displace' }
  | { readonly kind: 'leave'; readonly model: number }
  | { readonly kind: 'step'; readonly model: number }
  | { readonly kind: 'advance'; readonly durationMs: number }
  | { readonly kind: 'busy'; readonly model: number; readonly inFlight: number }
  | { readonly kind: 'foreign'; readonly gpu: number; readonly vramMiB: number | null };

const MODELS = 6;
const index = fc.nat({ max: MODELS - 1 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      model: index,
      right: fc.constantFrom('displace', 'displace', 'displace', 'displace', 'place', 'use'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), model: index }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('step' as const), model: index }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), durationMs: fc.constantFrom(100, 2000, 10_000, 61_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('busy' as const), model: index, inFlight: fc.nat({ max: 1 }) }) },
);
const foreign: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constant('foreign' as const),
  gpu: fc.nat({ max: 2 }),
  vramMiB: fc.option(fc.nat({ max: 60 }), { nil: null }),
});
const models: fc.Arbitrary<readonly SimulatedModel[]> = fc
  .array(
    fc.record({
      vramMiB: fc.integer({ min: 5, max: 100 }),
      gpuCount: fc.constantFrom(1, 1, 1, 2),
      loadMs: fc.constantFrom(1000, 20_000, 200_000),
      pinned: fc.constantFrom(false, false, false, false, true),
    }),
    { minLength: MODELS, maxLength: MODELS },
  )
  .map((specs) => specs.map((spec, at) => ({ ...spec, name: `m${at}` })));
const budgets = fc.array(fc.constantFrom(100, 100, 80), { minLength: 1, maxLength: 3 });

/** Lets it all happen. A step of a model that nobody asks for is none. */
export function run(host: SimulatedHost, operations: readonly Operation[]): SimulatedHost {
  for (const each of operations) perform(host, each);
  return host;
}

function perform(host: SimulatedHost, each: Operation): void {
  if (each.kind === 'arrive') host.arrive(`m${each.model}`, each.right);
  if (each.kind === 'leave') host.leave(`m${each.model}`);
  if (each.kind === 'step') for (const open of host.openModels()) if (open === `m${each.model}`) host.step(open);
  if (each.kind === 'advance') host.advance(each.durationMs);
  if (each.kind === 'busy') host.setInFlight(`m${each.model}`, each.inFlight);
  if (each.kind === 'foreign') host.setForeign(each.gpu, each.vramMiB);
}

/** A host and what happens to it. */
export interface RandomHost {
  readonly models: readonly SimulatedModel[];
  readonly budgets: readonly number[];
  readonly operations: readonly Operation[];
}

const host = { models, budgets, operations: fc.array(operation, { maxLength: 150, size: 'max' }) };
const hostWithForeign = {
  ...host,
  operations: fc.array(fc.oneof({ weight: 12, arbitrary: operation }, { weight: 1, arbitrary: foreign }), { maxLength: 150, size: 'max' }),
};

/** Without foreign memory, so that nothing but the planner can exceed a budget. */
export const hosts: fc.Arbitrary<RandomHost> = fc.record(host);

/** With foreign memory that comes, goes, and is unknown at times. */
export const hostsWithForeign: fc.Arbitrary<RandomHost> = fc.record(hostWithForeign);
