import type { ModelName } from '@berth/core';
import { progressOf } from '../placement/placement-watch.ts';
import type { PlacementView } from '../placement/placement-watch.ts';
import type { ClientAnswer } from './client-answer.ts';

const STREAM_HEAD: readonly string[] = [
  'content-type',
  'text/event-stream; charset=utf-8',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
];

/**
 * Keeps the connection of a waiting stream alive with comments, which event-stream clients ignore. Silent at first, so that early failures
 * keep their true status; from the first comment on the status is 200.
 */
export class Heartbeats implements Disposable {
  readonly #answer: ClientAnswer;
  readonly #model: ModelName;
  readonly #view: () => PlacementView | null;
  #timer: NodeJS.Timeout;

  constructor(parts: {
    readonly answer: ClientAnswer;
    readonly model: ModelName;
    readonly view: () => PlacementView | null;
    readonly afterMs: number;
    readonly everyMs: number;
  }) {
    this.#answer = parts.answer;
    this.#model = parts.model;
    this.#view = parts.view;
    this.#timer = setTimeout(() => {
      this.#answer.begin(200, '', [...STREAM_HEAD], false);
      this.#beat();
      this.#timer = setInterval(() => this.#beat(), parts.everyMs);
    }, parts.afterMs);
  }

  /** No comment comes after it. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #beat(): void {
    const view = this.#view();
    const progress = view === null ? null : progressOf(view, this.#model);
    const phase = progress?.phase ?? progress?.state ?? 'queued';
    const etaMs = progress?.etaMs ?? null;
    const eta = etaMs === null ? '' : ` eta=${Math.ceil(etaMs / 1000)}s`;
    this.#answer.write(`: berth model=${this.#model} phase=${phase}${eta}\n\n`);
  }
}
