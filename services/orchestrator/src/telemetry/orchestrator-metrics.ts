import type { Endpoint, HostView, ModelName, Plan, StartingEndpoint, StepOutcome } from '@berth/core';
import { BucketTally, LabelCounts, MetricSet, ORCHESTRATOR_METRICS } from '@berth/telemetry';
import type { Sample } from '@berth/telemetry';
import { gpuSamples } from './gpu-samples.ts';

const COLD_START_SECONDS = [1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800];
const STEP_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];
const NO_CODE = 'none';

/** What is asked of the GPU monitor at each scrape. */
export interface ReadingFacts {
  readonly latest: { readonly atMs: number } | null;
  readonly failures: number;
}

/** The host as the leader last saw it. */
interface SeenHost {
  readonly view: HostView;
  readonly endpoints: readonly Endpoint[];
}

/**
 * What one orchestrator tells Prometheus, over all its terms. Endpoints are counted where their changes are written, so that a change which
 * was fenced off counts at nobody. What only a leader can know is forgotten when its term ends.
 */
export class OrchestratorMetrics {
  readonly set = new MetricSet();
  readonly #models: ReadonlySet<string>;
  readonly #coldStarts = new LabelCounts();
  readonly #phases = new LabelCounts();
  readonly #stops = new LabelCounts();
  readonly #drainsCalledOff = new LabelCounts();
  readonly #plans = new LabelCounts();
  readonly #placements = new LabelCounts();
  readonly #durations = new Map<string, BucketTally>();
  readonly #steps = { place: new BucketTally(STEP_SECONDS), tend: new BucketTally(STEP_SECONDS) };
  #epoch: string | null = null;
  #host: SeenHost | null = null;

  constructor(parts: {
    readonly models: readonly { readonly name: string }[];
    readonly readings: ReadingFacts;
    readonly now: () => number;
  }) {
    this.#models = new Set(parts.models.map(({ name }) => name));
    this.#defineCounts();
    this.#defineHost();
    this.#defineReadings(parts.readings, parts.now);
  }

  termBegan(epoch: string): void {
    this.#epoch = epoch;
  }

  termEnded(): void {
    this.#epoch = null;
    this.#host = null;
  }

  hostSeen(view: HostView, endpoints: readonly Endpoint[]): void {
    if (this.#epoch !== null) this.#host = { view, endpoints };
  }

  /** An endpoint's change that is written. A change that leaves its state as it was counts as nothing. */
  endpointChanged(from: Endpoint, to: Endpoint | { readonly state: 'ready' | 'gone' }): void {
    if (from.state === to.state) return;
    const model = this.#nameOf(from.model);
    if (from.state === 'draining' && to.state === 'ready') this.#drainsCalledOff.add({ model });
    if (to.state === 'stopping') this.#stops.add({ model, reason: to.reason });
    if (from.state === 'starting') this.#startEnded(model, from, to);
  }

  /** A start that became ready: ms by phase, none where its beginning was not seen. */
  startProved(model: ModelName, phases: Readonly<Record<string, number>>): void {
    for (const [phase, ms] of Object.entries(phases)) this.#phases.add({ model: this.#nameOf(model), phase }, ms / 1000);
  }

  planned(plan: Plan): void {
    this.#plans.add({ kind: plan.kind });
  }

  placementEnded(model: ModelName, outcome: Exclude<StepOutcome, { kind: 'later' }>): void {
    const code = outcome.kind === 'failed' ? outcome.failure.code : NO_CODE;
    this.#placements.add({ model: this.#nameOf(model), outcome: outcome.kind, code });
  }

  /** The same step, which is timed. */
  timed<Job extends { readonly kind: 'place' | 'tend' }, Rest extends readonly unknown[], Result>(
    step: (job: Job, ...rest: Rest) => Promise<Result>,
  ): (job: Job, ...rest: Rest) => Promise<Result> {
    return async (job, ...rest) => {
      const beganAtMs = performance.now();
      try {
        return await step(job, ...rest);
      } finally {
        this.#steps[job.kind].observe((performance.now() - beganAtMs) / 1000);
      }
    };
  }

  #startEnded(model: string, from: StartingEndpoint, to: Endpoint | { readonly state: 'ready' | 'gone' }): void {
    if (to.state === 'stopping') {
      const failed = to.reason === 'loadFailed' || to.reason === 'loadTimedOut';
      this.#coldStarts.add({ model, outcome: failed ? 'failed' : 'cancelled', code: failed ? (to.failure?.code ?? NO_CODE) : NO_CODE });
    }
    if (to.state !== 'ready' || !('readyAtMs' in to)) return;
    this.#coldStarts.add({ model, outcome: 'ready', code: NO_CODE });
    let durations = this.#durations.get(model);
    if (durations === undefined) this.#durations.set(model, (durations = new BucketTally(COLD_START_SECONDS)));
    durations.observe(Math.max(0, to.readyAtMs - from.createdAtMs) / 1000);
  }

  #defineCounts(): void {
    const { set } = this;
    set.counter(ORCHESTRATOR_METRICS.coldStarts, () => this.#coldStarts.samples());
    set.histogram(ORCHESTRATOR_METRICS.coldStartDuration, () =>
      Array.from(this.#durations, ([model, tally]) => ({ labels: { model }, tally })),
    );
    set.counter(ORCHESTRATOR_METRICS.coldStartPhases, () => this.#phases.samples());
    set.counter(ORCHESTRATOR_METRICS.stops, () => this.#stops.samples());
    set.counter(ORCHESTRATOR_METRICS.drainsCalledOff, () => this.#drainsCalledOff.samples());
    set.counter(ORCHESTRATOR_METRICS.plans, () => this.#plans.samples());
    set.counter(ORCHESTRATOR_METRICS.placements, () => this.#placements.samples());
    set.histogram(ORCHESTRATOR_METRICS.steps, () => Object.entries(this.#steps).map(([job, tally]) => ({ labels: { job }, tally })));
  }

  #defineHost(): void {
    const { set } = this;
    set.gauge({ ...ORCHESTRATOR_METRICS.leading, merge: 'max' }, () => [{ labels: {}, value: this.#epoch === null ? 0 : 1 }]);
    set.gauge({ ...ORCHESTRATOR_METRICS.epoch, merge: 'max' }, () =>
      this.#epoch === null ? [] : [{ labels: {}, value: Number(this.#epoch) }],
    );
    set.gauge({ ...ORCHESTRATOR_METRICS.endpoints, merge: 'sum' }, () => this.#endpointSamples());
    set.gauge({ ...ORCHESTRATOR_METRICS.gpuMemory, merge: 'max' }, () => (this.#host?.view.gpus ?? []).flatMap(gpuSamples));
  }

  #defineReadings(readings: ReadingFacts, now: () => number): void {
    const { set } = this;
    set.gauge({ ...ORCHESTRATOR_METRICS.readingAge, merge: 'min' }, () =>
      readings.latest === null ? [] : [{ labels: {}, value: Math.max(0, now() - readings.latest.atMs) / 1000 }],
    );
    set.counter(ORCHESTRATOR_METRICS.readingFailures, () => [{ labels: {}, value: readings.failures }]);
  }

  #endpointSamples(): Iterable<Sample> {
    const counts = new LabelCounts();
    for (const { model, state } of this.#host?.endpoints ?? []) counts.add({ model: this.#nameOf(model), state });
    return counts.samples();
  }

  /** An endpoint may outlive the catalog that it was started from; names would pile up. */
  #nameOf(model: ModelName): string {
    return this.#models.has(model) ? model : 'unknown';
  }
}
