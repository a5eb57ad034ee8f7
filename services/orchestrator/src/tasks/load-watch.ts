import type { EndpointUrls, EngineClient, EngineHandle, EngineRuntime, FailureShape, Generation, StartingEndpoint } from '@berth/core';
import { isOperationalError } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import type { Logger } from '@berth/telemetry';
import { customProbe, explicitMaxBatchedTokens, parseLoadPhase, parseSupportedTasks, probeRequest, type ProbeRequest } from '@berth/vllm';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineUrl, type Reach } from './engine-url.ts';
import { PhaseTimes } from './phase-times.ts';

const LOG_LINES = 600;
/** Reading a log through the Docker engine costs; a load that takes minutes is looked at less often. */
const POLL_MS = 250;
const SLOW_POLL_MS = 1_000;
const SLOW_AFTER_MS = 20_000;

/** What is known of one load so far. */
export type LoadObservation =
  | {
      readonly kind: 'loading';
      readonly phase: string;
      /** 0..1 of the phase, where the log counts. */
      readonly progress: number | null;
      /** When the phase began; `null` where the load was under way when the watch began. */
      readonly sinceMs: number | null;
    }
  /** Answers a request as large as one prefill may be: its memory is at its peak. */
  | {
      readonly kind: 'proved';
      readonly urls: EndpointUrls;
      readonly maxModelLen: number | null;
      readonly atMs: number;
      readonly log: readonly string[];
      /** How long each phase took; empty when not all of the load was watched. */
      readonly phases: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'exited'; readonly exitCode: number | null; readonly log: readonly string[] }
  /** Lives, but the proof failed. */
  | { readonly kind: 'unproved'; readonly failure: FailureShape; readonly log: readonly string[] };

export interface LoadWatchOptions {
  readonly runtime: EngineRuntime;
  readonly engines: EngineClient;
  readonly reach: Reach;
  readonly log: Logger;
  readonly now: () => number;
  /** Called whenever the observation changed, so that the step that waits for it can run now. */
  readonly onChange: (endpoint: StartingEndpoint) => void;
}

/**
 * Watches loads outside the worker: phases in the log, exit, `/health`, then the proof. A watch changes nothing; it is begun anew
 * after a restart, from the registry alone.
 */
export class LoadWatches {
  readonly #options: LoadWatchOptions;
  readonly #watches = new Map<Generation, { observation: LoadObservation; readonly abort: AbortController }>();

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /** What is known of a started endpoint's load; begins to watch it at the first call. */
  observe(endpoint: StartingEndpoint, handle: EngineHandle, model: ModelSettings): LoadObservation {
    const known = this.#watches.get(endpoint.generation);
    if (known !== undefined) return known.observation;
    const watch = {
      observation: { kind: 'loading', phase: endpoint.phase, progress: null, sinceMs: sinceOf(endpoint) } as LoadObservation,
      abort: new AbortController(),
    };
    this.#watches.set(endpoint.generation, watch);
    const update = (observation: LoadObservation) => {
      watch.observation = observation;
      this.#options.onChange(endpoint);
    };
    this.#watch(endpoint, handle, model, watch.abort.signal, update).catch((error: unknown) => {
      if (!watch.abort.signal.aborted) {
        this.#options.log.error({ err: error, model: endpoint.model, generation: endpoint.generation }, 'load watch failed');
        this.#watches.delete(endpoint.generation);
      }
    });
    return watch.observation;
  }

  /** The phase that a load is in; `null` where nobody watches it or it is over. Begins no watch. */
  phaseOf(generation: Generation): Extract<LoadObservation, { kind: 'loading' }> | null {
    const observation = this.#watches.get(generation)?.observation;
    return observation?.kind === 'loading' ? observation : null;
  }

  forget(generation: Generation): void {
    this.#watches.get(generation)?.abort.abort();
    this.#watches.delete(generation);
  }

  [Symbol.dispose](): void {
    for (const generation of this.#watches.keys()) this.forget(generation);
  }

  async #watch(
    endpoint: StartingEndpoint,
    handle: EngineHandle,
    model: ModelSettings,
    signal: AbortSignal,
    update: (o: LoadObservation) => void,
  ): Promise<void> {
    const { runtime, engines, reach, now } = this.#options;
    const times = new PhaseTimes(endpoint.phase, sinceOf(endpoint));
    let seen = '';
    while (!signal.aborted) {
      const status = await this.#retrying(() => runtime.inspectEngine(handle), signal);
      const log = await this.#retrying(() => runtime.readLog(handle, { lines: LOG_LINES }), signal);
      if (signal.aborted) return;
      if (status === null || status.state === 'exited') return update({ kind: 'exited', exitCode: status?.exitCode ?? null, log });
      const url = engineUrl(status.urls, reach);
      if (url !== null && (await engines.isHealthy(url, model.healthPath))) {
        times.enter('probing', now());
        update({ kind: 'loading', phase: 'probing', progress: null, sinceMs: times.sinceMs });
        return this.#prove(endpoint, handle, model, { urls: status.urls, url, log, times, signal, update });
      }
      const found = parseLoadPhase(log);
      if (`${found.phase}|${found.fraction}` !== seen) {
        seen = `${found.phase}|${found.fraction}`;
        times.enter(found.phase, now());
        update({ kind: 'loading', phase: found.phase, progress: found.fraction, sinceMs: times.sinceMs });
      }
      const isSlow = now() - (endpoint.startedAtMs ?? now()) > SLOW_AFTER_MS;
      await sleep(isSlow ? SLOW_POLL_MS : POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #prove(
    endpoint: StartingEndpoint,
    handle: EngineHandle,
    model: ModelSettings,
    at: {
      readonly urls: EndpointUrls;
      readonly url: string;
      readonly log: readonly string[];
      readonly times: PhaseTimes;
      readonly signal: AbortSignal;
      readonly update: (o: LoadObservation) => void;
    },
  ): Promise<void> {
    const { runtime, engines, now } = this.#options;
    const maxModelLen = model.engine === 'vllm' ? await engines.readMaxModelLen(at.url) : null;
    const probe = proofOf(model, at.log, maxModelLen);
    try {
      if (probe !== null) await engines.sendProbe(at.url, probe, Math.max(1_000, endpoint.deadlineAtMs - now()));
    } catch (error) {
      if (at.signal.aborted) return;
      // An engine that dies of the proof takes a moment to go; its log then says more than the broken connection.
      await sleep(2_000, undefined, { signal: at.signal }).catch(() => undefined);
      const status = await this.#retrying(() => runtime.inspectEngine(handle), at.signal);
      const log = await this.#retrying(() => runtime.readLog(handle, { lines: LOG_LINES }), at.signal);
      if (status === null || status.state === 'exited') return at.update({ kind: 'exited', exitCode: status?.exitCode ?? null, log });
      if (!isOperationalError(error)) throw error;
      return at.update({ kind: 'unproved', failure: error.toShape(), log });
    }
    const log = await this.#retrying(() => runtime.readLog(handle, { lines: LOG_LINES }), at.signal);
    const atMs = now();
    at.update({ kind: 'proved', urls: at.urls, maxModelLen, atMs, log, phases: at.times.end(atMs) });
  }

  /** The runtime may be away for a while (its daemon restarts): nothing is concluded from that. */
  async #retrying<Result>(read: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (signal.aborted || !isOperationalError(error) || !error.retryable) throw error;
        await sleep(1_000, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

/** A load that is past its first phase when its watch begins was begun under an earlier leader. */
function sinceOf({ phase, startedAtMs }: StartingEndpoint): number | null {
  return phase === 'created' ? startedAtMs : null;
}

function proofOf(model: ModelSettings, log: readonly string[], maxModelLen: number | null): ProbeRequest | null {
  if (model.engine === 'openai') return model.probe === null ? null : customProbe(model.probe);
  return probeRequest({
    tasks: parseSupportedTasks(log),
    maxModelLen,
    explicitMaxBatchedTokens: explicitMaxBatchedTokens(model.args),
    servedName: model.name,
    onCpu: model.gpus === 0,
  });
}
