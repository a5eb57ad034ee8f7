import type { ModelName } from '@berth/core';

interface Noted {
  readonly beganAtMs: number;
  steps: number;
  lastPlan: string;
}

/** What is remembered of each placement while its job goes on, for its log alone: no decision depends on it. */
export class PlacementNotes {
  readonly #byModel = new Map<ModelName, Noted>();

  /** Counts a step; the first one begins the placement. */
  step(model: ModelName, nowMs: number): void {
    const noted = this.#byModel.get(model);
    if (noted === undefined) this.#byModel.set(model, { beganAtMs: nowMs, steps: 1, lastPlan: '' });
    else noted.steps += 1;
  }

  /** Whether this plan differs from the one before. */
  isNews(model: ModelName, plan: string): boolean {
    const noted = this.#byModel.get(model);
    if (noted === undefined) return true;
    if (noted.lastPlan === plan) return false;
    noted.lastPlan = plan;
    return true;
  }

  /** Ends the placement and tells how long it took since this process took part in it. */
  end(model: ModelName, nowMs: number): { readonly tookMs: number; readonly steps: number } {
    const noted = this.#byModel.get(model);
    this.#byModel.delete(model);
    return { tookMs: noted === undefined ? 0 : nowMs - noted.beganAtMs, steps: noted?.steps ?? 0 };
  }
}
