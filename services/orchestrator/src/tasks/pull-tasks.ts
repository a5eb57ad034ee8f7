import type { EngineRuntime, FailureShape, PullProgress } from '@berth/core';
import { OperationalError, isOperationalError } from '@berth/core';
import type { Logger } from '@berth/telemetry';

export type PullState =
  | { readonly kind: 'pulling'; readonly progress: PullProgress }
  | { readonly kind: 'failed'; readonly failure: FailureShape; readonly atMs: number };

/** How long a failed pull is remembered before the next asker tries again. */
const FAILURE_KEPT_MS = 30_000;

/** Pulls images outside the worker, one task per image however many models need it, with progress and a deadline of its own. */
export class PullTasks {
  readonly #tasks = new Map<string, { state: PullState; readonly abort: AbortController }>();
  readonly #options: { runtime: EngineRuntime; now: () => number; log: Logger; onChange: (image: string) => void };

  constructor(options: { runtime: EngineRuntime; now: () => number; log: Logger; onChange: (image: string) => void }) {
    this.#options = options;
  }

  /** Begins to pull an image that is not on this machine, or tells how its pull goes on. */
  ensure(image: string, timeoutMs: number): PullState {
    const known = this.#tasks.get(image);
    if (known !== undefined && !(known.state.kind === 'failed' && this.#options.now() - known.state.atMs > FAILURE_KEPT_MS))
      return known.state;
    const task = {
      state: { kind: 'pulling', progress: { fraction: null, message: 'asked the registry' } } as PullState,
      abort: new AbortController(),
    };
    this.#tasks.set(image, task);
    void this.#pull(image, timeoutMs, task);
    return task.state;
  }

  [Symbol.dispose](): void {
    for (const task of this.#tasks.values()) task.abort.abort();
    this.#tasks.clear();
  }

  async #pull(image: string, timeoutMs: number, task: { state: PullState; readonly abort: AbortController }): Promise<void> {
    const { runtime, log, now, onChange } = this.#options;
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      log.info({ image }, 'image pull began');
      const onProgress = (progress: PullProgress) => {
        task.state = { kind: 'pulling', progress };
      };
      const imageId = await runtime.pullImage(image, { onProgress, signal: AbortSignal.any([task.abort.signal, deadline]) });
      log.info({ image, imageId }, 'image pulled');
      this.#tasks.delete(image);
    } catch (error) {
      if (task.abort.signal.aborted) return;
      task.state = { kind: 'failed', failure: describe(image, error, deadline.aborted, timeoutMs), atMs: now() };
      log.error({ err: error, image }, 'image pull failed');
    }
    onChange(image);
  }
}

function describe(image: string, error: unknown, timedOut: boolean, timeoutMs: number): FailureShape {
  if (timedOut) {
    const message = `Pulling ${image} took longer than pullTimeout (${Math.round(timeoutMs / 60_000)} min). Pull it by hand (docker pull ${image}) or raise pullTimeout.`;
    return new OperationalError({ code: 'IMAGE_MISSING', message, retryable: true }).toShape();
  }
  if (isOperationalError(error)) return error.toShape();
  return {
    code: 'IMAGE_MISSING',
    message: `Pulling ${image} failed: ${error instanceof Error ? error.message : String(error)}`,
    retryable: true,
  };
}
