import { BucketTally } from '@berth/telemetry';
import type { RequestEnd } from './request-end.ts';
import { REQUEST_OUTCOMES } from './request-record.ts';
import type { BrokenCause, RequestRecord } from './request-record.ts';

/** `none`: it ended before it needed an endpoint. */
export const REQUEST_PATHS = ['none', 'hot', 'cold'] as const;
export const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
export const UPSTREAM_ERRORS = ['unreached', 'refused', 'silent', 'broken', 'error_frame', 'status_5xx'] as const;
type UpstreamError = (typeof UPSTREAM_ERRORS)[number];

const FIRST_BYTE_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const DURATION_SECONDS = [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];
const WAIT_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

/** All that is counted of the requests for one model, in numbers that cost nanoseconds to add to. */
export class ModelTally {
  /** By route, then at `endsIndex`. */
  readonly ends = new Map<string, Float64Array>();
  readonly failures = new Map<string, number>();
  readonly errors: Record<UpstreamError, number> = { unreached: 0, refused: 0, silent: 0, broken: 0, error_frame: 0, status_5xx: 0 };
  readonly broken: Record<BrokenCause, number> = { 'engine-exited': 0, 'engine-silent': 0, 'endpoint-stopped': 0 };
  /** At the place that a path has in `REQUEST_PATHS`. */
  readonly firstByte = REQUEST_PATHS.map(() => new BucketTally(FIRST_BYTE_SECONDS));
  readonly duration = REQUEST_PATHS.map(() => new BucketTally(DURATION_SECONDS));
  readonly queueWait = new BucketTally(WAIT_SECONDS);
  readonly placeWait = new BucketTally(WAIT_SECONDS);
  promptTokens = 0;
  completionTokens = 0;
  retries = 0;
  bytesIn = 0;
  bytesOut = 0;
  coldStarts = 0;
  #lastColdGeneration: string | null = null;

  /** Counts one request that ended. */
  add(record: RequestRecord, end: RequestEnd): void {
    const path = record.cold ? 2 : record.attempts > 0 ? 1 : 0;
    this.#countEnd(record, end, path);
    this.duration[path]?.observe(end.durationMs / 1000);
    if (record.engineFirstByteAtMs !== null) {
      this.firstByte[path]?.observe((record.engineFirstByteAtMs - record.startedAtMs) / 1000);
    }
    if (record.usage !== null) {
      this.promptTokens += record.usage.promptTokens ?? 0;
      this.completionTokens += record.usage.completionTokens ?? 0;
    }
    this.retries += record.retries;
    this.bytesIn += record.bytesIn;
    this.bytesOut += end.bytesOut;
    if (record.queueMs + record.placeMs > 0 && record.generation !== null) this.#countWait(record);
    if (record.code !== null) this.failures.set(record.code, (this.failures.get(record.code) ?? 0) + 1);
    this.addErrors(record);
    if (record.brokenBy !== null) this.broken[record.brokenBy] += 1;
  }

  /** Counts what went wrong with the engine. */
  addErrors({ unreached, fault, engineErrorFrame, engineStatus }: RequestRecord): void {
    this.errors.unreached += unreached;
    if (fault !== null) this.errors[fault] += 1;
    if (engineErrorFrame) this.errors.error_frame += 1;
    if (engineStatus >= 500) this.errors.status_5xx += 1;
  }

  #countEnd({ route, outcome }: RequestRecord, { status }: RequestEnd, path: number): void {
    let ends = this.ends.get(route);
    if (ends === undefined) this.ends.set(route, (ends = new Float64Array(ENDS)));
    const at = endsIndex(REQUEST_OUTCOMES.indexOf(outcome), statusClassOf(status), path);
    ends[at] = (ends[at] ?? 0) + 1;
  }

  /** Requests that wait together are served by one generation, whose start counts once. A lease that was only missing here is no start. */
  #countWait({ queueMs, placeMs, generation }: RequestRecord): void {
    this.queueWait.observe(queueMs / 1000);
    this.placeWait.observe(placeMs / 1000);
    if (placeMs === 0 || generation === this.#lastColdGeneration) return;
    this.#lastColdGeneration = generation;
    this.coldStarts += 1;
  }
}

/** The place of a status in `STATUS_CLASSES`. */
export function statusClassOf(status: number | null): number {
  return status === null ? 0 : Math.floor(status / 100);
}

const ENDS = REQUEST_OUTCOMES.length * STATUS_CLASSES.length * REQUEST_PATHS.length;

/** Where the end of a request counts, by the places of its outcome, status class and path in their lists. */
export function endsIndex(outcome: number, statusClass: number, path: number): number {
  return (outcome * STATUS_CLASSES.length + statusClass) * REQUEST_PATHS.length + path;
}
