import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocatedOn } from '../memory/allocation.ts';
import { availableFor, buildLedger } from '../memory/ledger.ts';
import { hosts, hostsWithForeign, type Operation, type RandomHost, run } from '../testing/random-hosts.ts';
import { SimulatedHost, type SimulatedModel, type Step } from '../testing/simulated-host.ts';
import type { Claim, Snapshot } from './snapshot.ts';
import { plan } from './planner.ts';
import { isSettled } from './residency.ts';

const RUNS = { numRuns: 100 };

function stepsOf(specs: readonly SimulatedModel[], budgetsMiB: readonly number[], operations: readonly Operation[]): readonly Step[] {
  return run(new SimulatedHost(specs, budgetsMiB), operations).steps;
}

function overcommitted(snapshot: Snapshot): number {
  return [...buildLedger(snapshot).values()].reduce((total, ledger) => total + ledger.overcommittedMiB, 0);
}

function writtenClaims({ plan: decided }: Step): readonly Claim[] {
  return decided.kind === 'apply' ? decided.actions.flatMap((action) => (action.kind === 'write-claim' ? [action.claim] : [])) : [];
}

function everyStep(given: fc.Arbitrary<RandomHost>, check: (step: Step) => void): void {
  fc.assert(
    fc.property(given, ({ models: specs, budgets: budgetsMiB, operations }) => {
      for (const step of stepsOf(specs, budgetsMiB, operations)) check(step);
    }),
    RUNS,
  );
}

// Other work on the machine is no reason to fail.
const TIMEOUT = { timeout: 60_000 };

describe('every step of every placement', TIMEOUT, () => {
  test('keeps each GPU within its budget, while others start and stop', () => {
    everyStep(hosts, (step) => expect(overcommitted(step.after)).toBe(0));
  });

  test('takes no memory beyond what foreign memory left', () => {
    everyStep(hostsWithForeign, (step) => expect(overcommitted(step.after)).toBeLessThanOrEqual(overcommitted(step.before)));
  });

  test('has one endpoint per GPU start at a time', () => {
    everyStep(hostsWithForeign, ({ after }) => {
      for (const { uuid } of after.gpus) {
        const starts = after.endpoints.filter(
          ({ endpoint }) => endpoint.state === 'starting' && endpoint.allocations.some((one) => one.gpuUuid === uuid),
        );
        expect(starts.length).toBeLessThanOrEqual(1);
      }
    });
  });

  test('claims no pinned endpoint, unless it stops already', () => {
    everyStep(hostsWithForeign, (step) => {
      const pinned = step.before.endpoints
        .filter((view) => view.pinned && view.endpoint.state !== 'stopping')
        .map((view) => view.endpoint.generation);
      for (const claim of writtenClaims(step)) expect(claim.victims.filter((victim) => pinned.includes(victim))).toEqual([]);
    });
  });

  test('makes no endpoint the victim of two claims', () => {
    everyStep(hostsWithForeign, ({ after }) => {
      const victims = after.claims.flatMap((claim) => claim.victims);
      expect(new Set(victims).size).toBe(victims.length);
    });
  });

  test('chooses no superfluous victim', () => {
    everyStep(hosts, (step) => {
      const ledgers = buildLedger(step.after);
      for (const claim of writtenClaims(step).filter((written) => !written.discovery)) {
        for (const spared of claim.victims) {
          const sufficesWithout = claim.allocations.every(({ gpuUuid, vramMiB }) => {
            const others = step.after.endpoints.filter(
              ({ endpoint }) => endpoint.generation !== spared && claim.victims.includes(endpoint.generation),
            );
            const freed = others.reduce((total, { endpoint }) => total + allocatedOn(endpoint.allocations, gpuUuid), 0);
            const ledger = ledgers.get(gpuUuid);
            return ledger !== undefined && (availableFor(ledger, claim.model) ?? 0) + freed >= vramMiB;
          });
          expect(sufficesWithout && step.before.claims.every((before) => before.model !== claim.model)).toBe(false);
        }
      }
    });
  });

  test('drains only endpoints that are settled', () => {
    everyStep(hostsWithForeign, ({ plan: decided, before }) => {
      const drained =
        decided.kind === 'apply' ? decided.actions.flatMap((action) => (action.kind === 'begin-drain' ? [action.generation] : [])) : [];
      const views = before.endpoints.filter((view) => drained.includes(view.endpoint.generation));
      expect(views.filter((view) => !isSettled(view, before.settings, before.nowMs))).toEqual([]);
    });
  });

  test('is the same for the same snapshot, whatever order its lists are in', () => {
    everyStep(hostsWithForeign, ({ model, before, plan: decided }) => {
      const { gpus, endpoints, placements, claims } = before;
      const reversed = {
        ...before,
        gpus: gpus.toReversed(),
        endpoints: endpoints.toReversed(),
        placements: placements.toReversed(),
        claims: claims.toReversed(),
      };
      expect(plan(before, model)).toEqual(decided);
      const again = plan(reversed, model);
      expect(again.kind).toBe(decided.kind);
      if (again.kind === 'apply' && decided.kind === 'apply') {
        expect(again.actions.map((action) => action.kind).toSorted()).toEqual(decided.actions.map((action) => action.kind).toSorted());
      }
    });
  });

  test('never withdraws the claim of an older placement', () => {
    everyStep(hostsWithForeign, ({ model, before, plan: decided }) => {
      const arrivalsOf = (name: string): readonly number[] =>
        before.placements.filter((open) => open.model === name).map((open) => open.arrivedAtMs);
      // A claim is as old as the strongest right that waits for its model, which is the youngest of them.
      const claimedSinceMs = (name: string): number =>
        arrivalsOf(name).length === 0 ? Number.POSITIVE_INFINITY : Math.max(...arrivalsOf(name));
      const withdrawn =
        decided.kind === 'apply' ? decided.actions.flatMap((action) => (action.kind === 'withdraw-claim' ? [action.model] : [])) : [];
      for (const other of withdrawn) expect(claimedSinceMs(other)).toBeGreaterThanOrEqual(Math.min(...arrivalsOf(model)));
    });
  });
});

describe('everybody who can be served', TIMEOUT, () => {
  test('is served once the requests in flight have ended', () => {
    fc.assert(
      fc.property(hostsWithForeign, ({ models: specs, budgets: budgetsMiB, operations }) => {
        const unpinned = specs.map((spec) => ({ ...spec, pinned: false }));
        const simulated = run(new SimulatedHost(unpinned, budgetsMiB), operations);
        for (const at of budgetsMiB.keys()) simulated.setForeign(at, 0);
        for (const { name } of unpinned) simulated.setInFlight(name, 0);
        for (const open of simulated.openModels()) simulated.arrive(open, 'displace');
        for (let round = 0; round < 1000 && simulated.openModels().length > 0; round += 1) {
          for (const open of simulated.openModels()) simulated.step(open);
          simulated.advance(5000);
        }
        expect(simulated.openModels()).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
