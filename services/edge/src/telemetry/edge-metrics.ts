import type { Catalog } from '@berth/config';
import type { EdgeSession, ModelName } from '@berth/core';
import { EDGE_METRICS, MetricSet } from '@berth/telemetry';
import type { HistogramSample, Labels, Sample } from '@berth/telemetry';
import { KeyTally } from './key-tally.ts';
import { endsIndex, ModelTally, REQUEST_PATHS, STATUS_CLASSES, UPSTREAM_ERRORS } from './model-tally.ts';
import type { RequestEnd } from './request-end.ts';
import { BROKEN_CAUSES, REQUEST_OUTCOMES } from './request-record.ts';
import type { RequestRecord } from './request-record.ts';

const UNKNOWN = 'unknown';
const LEASE_STATES = ['open', 'draining', 'suspected', 'uncertain'] as const;

export interface EdgeMetricsParts {
  readonly catalog: Pick<Catalog, 'models'>;
  readonly session: EdgeSession;
  /** Epoch ms. */
  readonly nowMs: () => number;
}

/**
 * What this edge tells Prometheus. A request costs one call of `observe` at its end, 0.1 µs; what the session knows anyway is read from it when
 * somebody scrapes. Series of every model exist from the start, so that a first event is seen as a rise.
 */
export class EdgeMetrics {
  readonly set = new MetricSet();
  readonly #tallies: ReadonlyMap<string, ModelTally>;
  readonly #unknown = new ModelTally();
  readonly #keys = new KeyTally();
  readonly #parts: EdgeMetricsParts;

  constructor(parts: EdgeMetricsParts) {
    this.#parts = parts;
    this.#tallies = new Map(parts.catalog.models.map((model) => [model.name, new ModelTally()]));
    this.#defineRequests();
    this.#defineModels();
    this.#defineHistograms();
    this.#defineSession();
  }

  /** Counts one request that ended. */
  observe(record: RequestRecord, end: RequestEnd): void {
    const tally = record.model === null ? undefined : this.#tallies.get(record.model);
    (tally ?? this.#unknown).add(record, end);
    if (record.keyId !== null) this.#keys.add(record.keyId, end.status);
  }

  /** Counts what went wrong with an engine that was asked before the one whose answer the client has. */
  observeErrors(model: ModelName, record: RequestRecord): void {
    (this.#tallies.get(model) ?? this.#unknown).addErrors(record);
  }

  #defineRequests(): void {
    const { set } = this;
    set.counter(EDGE_METRICS.requests, () => this.#each((tally, model) => endsOf(tally, model)));
    set.counter(EDGE_METRICS.keyRequests, () => this.#keys.samples());
    set.counter(EDGE_METRICS.failures, () =>
      this.#each(({ failures }, model) => Array.from(failures, ([code, value]) => ({ labels: { model, code }, value }))),
    );
  }

  #defineModels(): void {
    const { set } = this;
    const total = (definition: (typeof EDGE_METRICS)[keyof typeof EDGE_METRICS], read: (tally: ModelTally) => number): void =>
      set.counter(definition, () => this.#each((tally, model) => [{ labels: { model }, value: read(tally) }]));
    total(EDGE_METRICS.coldStarts, ({ coldStarts }) => coldStarts);
    total(EDGE_METRICS.retries, ({ retries }) => retries);
    total(EDGE_METRICS.bytesIn, ({ bytesIn }) => bytesIn);
    total(EDGE_METRICS.bytesOut, ({ bytesOut }) => bytesOut);
    set.counter(EDGE_METRICS.tokens, () =>
      this.#each(({ promptTokens, completionTokens }, model) => [
        { labels: { model, kind: 'prompt' }, value: promptTokens },
        { labels: { model, kind: 'completion' }, value: completionTokens },
      ]),
    );
    set.counter(EDGE_METRICS.upstreamErrors, () =>
      this.#each(({ errors }, model) => UPSTREAM_ERRORS.map((kind) => ({ labels: { model, kind }, value: errors[kind] }))),
    );
    set.counter(EDGE_METRICS.brokenStreams, () =>
      this.#each(({ broken }, model) => BROKEN_CAUSES.map((cause) => ({ labels: { model, cause }, value: broken[cause] }))),
    );
  }

  #defineHistograms(): void {
    const { set } = this;
    for (const kind of ['firstByte', 'duration'] as const) {
      set.histogram(EDGE_METRICS[kind], () =>
        this.#each((tally, model) => seen(REQUEST_PATHS.map((path, at) => [{ model, path }, tally[kind][at]]))),
      );
    }
    set.histogram(EDGE_METRICS.coldWait, () =>
      this.#each(({ queueWait, placeWait }, model) =>
        seen([
          [{ model, phase: 'queue' }, queueWait],
          [{ model, phase: 'place' }, placeWait],
        ]),
      ),
    );
  }

  #defineSession(): void {
    const { set } = this;
    const { catalog, session, nowMs } = this.#parts;
    set.gauge({ ...EDGE_METRICS.inFlight, merge: 'sum' }, () => {
      const { leases } = session.counts();
      return catalog.models.map(({ name: model }) => {
        const own = leases.filter((lease) => lease.model === model);
        return { labels: { model }, value: own.reduce((sum, { inFlight }) => sum + inFlight, 0) };
      });
    });
    set.gauge({ ...EDGE_METRICS.waiters, merge: 'sum' }, () => {
      const { waiters } = session.counts();
      return catalog.models.map(({ name: model }) => ({ labels: { model }, value: waiters.get(model) ?? 0 }));
    });
    set.gauge({ ...EDGE_METRICS.leases, merge: 'sum' }, () => {
      const { leases } = session.counts();
      return LEASE_STATES.map((state) => ({ labels: { state }, value: leases.filter((lease) => lease.state === state).length }));
    });
    set.gauge({ ...EDGE_METRICS.syncAge, merge: 'max' }, () => {
      const { syncAgeMs } = session.counts();
      return syncAgeMs === null ? [] : [{ labels: {}, value: syncAgeMs / 1000 }];
    });
    set.gauge({ ...EDGE_METRICS.redisFailing, merge: 'max' }, () => {
      const { failingSinceMs } = session;
      return [{ labels: {}, value: failingSinceMs === null ? 0 : Math.max(0, nowMs() - failingSinceMs) / 1000 }];
    });
  }

  *#each<Row>(read: (tally: ModelTally, model: string) => Iterable<Row>): Iterable<Row> {
    for (const [model, tally] of this.#tallies) yield* read(tally, model);
    yield* read(this.#unknown, UNKNOWN);
  }
}

/** Of the many combinations only those that occurred. */
function* endsOf({ ends }: ModelTally, model: string): Iterable<Sample> {
  for (const [route, counts] of ends) {
    for (const [at, outcome] of REQUEST_OUTCOMES.entries()) {
      for (const [statusAt, status] of STATUS_CLASSES.entries()) {
        for (const [pathAt, path] of REQUEST_PATHS.entries()) {
          const value = counts[endsIndex(at, statusAt, pathAt)] ?? 0;
          if (value > 0) yield { labels: { model, route, outcome, status, path }, value };
        }
      }
    }
  }
}

function seen(rows: readonly (readonly [Labels, HistogramSample['tally'] | undefined])[]): readonly HistogramSample[] {
  return rows.flatMap(([labels, tally]) => (tally === undefined || tally.count === 0 ? [] : [{ labels, tally }]));
}
