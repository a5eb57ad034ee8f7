import type { ModelName } from '@berth/core';
import { linesOf } from '../http/header-lines.ts';
import { withStreamHeaders } from '../http/stream-headers.ts';
import type { ModelProgress } from '../placement/model-progress.ts';
import { discreet, etaSeconds, progressOf } from '../placement/model-progress.ts';
import type { PlacementView } from '../placement/placement-watch.ts';
import type { ClientAnswer } from './client-answer.ts';

const STREAM_HEADERS = withStreamHeaders('content-type: text/event-stream; charset=utf-8\r\n');

/** More names than these tell a client nothing more. */
const MOST_VICTIMS = 5;

/**
 * Keeps the connection of a waiting stream alive with comments, which event-stream clients ignore. Silent at first, so that early failures
 * keep their true status; from the first comment on the status is 200.
 */
export class Heartbeats implements Disposable {
  readonly #answer: ClientAnswer;
  readonly #model: ModelName;
  readonly #isReady: () => boolean;
  readonly #view: () => PlacementView | null;
  readonly #mayUse: (model: ModelName) => boolean;
  readonly #headers: () => readonly string[];
  #timer: NodeJS.Timeout;

  constructor(parts: {
    readonly answer: ClientAnswer;
    readonly model: ModelName;
    /** Whether the engine has the request; until then `view` tells how it goes on. */
    readonly isReady: () => boolean;
    readonly view: () => PlacementView | null;
    /** Whether a model exists for the client. */
    readonly mayUse: (model: ModelName) => boolean;
    /** Added to the head of the stream, as they are when it goes out; flat. */
    readonly headers: () => readonly string[];
    readonly afterMs: number;
    readonly everyMs: number;
  }) {
    this.#answer = parts.answer;
    this.#model = parts.model;
    this.#isReady = parts.isReady;
    this.#view = parts.view;
    this.#mayUse = parts.mayUse;
    this.#headers = parts.headers;
    this.#timer = setTimeout(() => {
      const headers = STREAM_HEADERS + linesOf(this.#headers());
      this.#answer.begin({ status: 200, statusText: '', headers, hasLength: false, hasDate: false }, false);
      this.#beat();
      this.#timer = setInterval(() => this.#beat(), parts.everyMs);
    }, parts.afterMs);
  }

  /** No comment comes after it. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #beat(): void {
    if (this.#isReady()) {
      this.#answer.write(heartbeat(this.#model, 'ready'));
      return;
    }
    const view = this.#view();
    const progress = view === null ? null : discreet(progressOf(view, this.#model, { waiting: true }), this.#mayUse);
    this.#answer.write(heartbeat(this.#model, progress));
  }
}

/**
 * One comment: `: berth model=… phase=… eta=…`, with `victims=` while they make room and `for=` while it queues, where that is known. Once
 * the model is ready its engine works on the request, and the phase is `ready`. Names come from a catalog and cannot break out of a comment; another orchestrator's catalog wrote some of them, so that is made sure here.
 */
export function heartbeat(model: ModelName, progress: ModelProgress | 'ready' | null): string {
  if (progress === 'ready' || progress?.state === 'ready') return commentOf([`model=${model}`, 'phase=ready']);
  const words = [`model=${model}`, `phase=${progress?.phase ?? 'queued'}`];
  if (progress !== null && progress.victims.length > 0) words.push(`victims=${progress.victims.slice(0, MOST_VICTIMS).join(',')}`);
  if (progress !== null && progress.waitingFor !== null) words.push(`for=${progress.waitingFor}`);
  const seconds = progress === null ? null : etaSeconds(progress);
  if (seconds !== null) words.push(`eta=${seconds}s`);
  return commentOf(words);
}

function commentOf(words: readonly string[]): string {
  return `: berth ${words.join(' ').replaceAll(/[^\x20-\x7e]/gu, '?')}\n\n`;
}
