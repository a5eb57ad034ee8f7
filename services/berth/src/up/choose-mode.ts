import type { Machine } from './machine.ts';

/** How `berth up` serves. `why` is said to the user. */
export type Mode =
  | { readonly kind: 'catalog'; readonly why: string }
  | { readonly kind: 'starter'; readonly why: string }
  | { readonly kind: 'simulated'; readonly why: string };

/**
 * 1. A catalog is there, or `BERTH_CONFIG` names one: exactly that, never simulated unless it says so (a file that is missing is its own error).
 * 2. A Docker engine and a GPU: a starter catalog.
 * 3. Neither: the simulated catalog.
 */
export function chooseMode(facts: {
  readonly catalogPath: string;
  readonly catalogExists: boolean;
  readonly configIsSet: boolean;
  readonly machine: Machine;
}): Mode {
  const { catalogPath, machine } = facts;
  if (facts.catalogExists || facts.configIsSet) return { kind: 'catalog', why: `serving the catalog ${catalogPath}` };
  if (machine.dockerAnswers && machine.hasGpu) {
    return { kind: 'starter', why: `there is no catalog yet: wrote ${catalogPath} with three small open models` };
  }
  const missing = [machine.dockerAnswers ? '' : 'no Docker engine', machine.hasGpu ? '' : 'no NVIDIA GPU'].filter((part) => part !== '');
  return {
    kind: 'simulated',
    why: `there is no catalog (${catalogPath}) and ${missing.join(' and ')} here: GPUs and engines are SIMULATED, and so are all answers`,
  };
}
