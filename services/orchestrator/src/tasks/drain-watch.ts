import type { DrainingEndpoint, EndpointRegistry, EngineClient, Generation } from '@berth/core';
import { isOperationalError } from '@berth/core';
import type { ProtocolSettings } from '@berth/config';
import type { Logger } from '@berth/telemetry';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineUrl, type Reach } from './engine-url.ts';

/** On top of the longest lease, before an engine without a counter counts as idle. */
const UNCOUNTED_MARGIN_MS = 500;

export interface DrainWatchOptions {
  readonly registry: Pick<EndpointRegistry, 'read'>;
  readonly engines: EngineClient;
  readonly reach: Reach;
  readonly settings: Pick<ProtocolSettings, 'engineIdle' | 'leases'>;
  readonly now: () => number;
  readonly log: Logger;
  readonly onDrained: (endpoint: DrainingEndpoint) => void;
}

/**
 * Proves, outside the worker, that nothing runs on a draining endpoint: no edge replica holds a lease, and the engine itself reports
 * nothing running or waiting, so many times in a row. Leases alone are not enough: an edge that stalled longer than its lease may still
 * be sending. A watch changes nothing.
 */
export class DrainWatches {
  readonly #options: DrainWatchOptions;
  readonly #watches = new Map<Generation, { readonly sinceMs: number; drained: boolean; readonly abort: AbortController }>();

  constructor(options: DrainWatchOptions) {
    this.#options = options;
  }

  /** Whether the drain that is under way was proved to be over; begins to watch at the first call of each drain. */
  isDrained(endpoint: DrainingEndpoint): boolean {
    const known = this.#watches.get(endpoint.generation);
    if (known !== undefined && known.sinceMs === endpoint.drainingSinceMs) return known.drained;
    known?.abort.abort();
    const watch = { sinceMs: endpoint.drainingSinceMs, drained: false, abort: new AbortController() };
    this.#watches.set(endpoint.generation, watch);
    this.#prove(endpoint, watch.abort.signal)
      .then(() => {
        if (watch.abort.signal.aborted) return;
        watch.drained = true;
        this.#options.onDrained(endpoint);
      })
      .catch((error: unknown) => {
        if (watch.abort.signal.aborted) return;
        this.#options.log.error({ err: error, model: endpoint.model, generation: endpoint.generation }, 'drain watch failed');
        this.#watches.delete(endpoint.generation);
      });
    return false;
  }

  forget(generation: Generation): void {
    this.#watches.get(generation)?.abort.abort();
    this.#watches.delete(generation);
  }

  [Symbol.dispose](): void {
    for (const generation of this.#watches.keys()) this.forget(generation);
  }

  async #prove(endpoint: DrainingEndpoint, signal: AbortSignal): Promise<void> {
    const { engines, reach, now, settings } = this.#options;
    const url = engineUrl(endpoint.urls, reach);
    let idleSamples = 0;
    let unreadableSinceMs: number | null = null;
    let unheldSinceMs: number | null = null;
    while (!signal.aborted) {
      if (await this.#isHeld(endpoint.generation)) {
        idleSamples = 0;
        unheldSinceMs = null;
      } else {
        unheldSinceMs ??= now();
        if (!endpoint.hasCounter || url === null) {
          if (now() - unheldSinceMs >= settings.leases.ttlMs + UNCOUNTED_MARGIN_MS) return;
        } else {
          const load = await engines.readLoad(url);
          if (load === null) {
            unreadableSinceMs ??= now();
            idleSamples = 0;
            if (now() - unreadableSinceMs >= settings.engineIdle.unreadableMs) return;
          } else {
            unreadableSinceMs = null;
            idleSamples = load.running + load.waiting === 0 ? idleSamples + 1 : 0;
            if (idleSamples >= settings.engineIdle.samples) return;
          }
        }
      }
      await sleep(settings.engineIdle.everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A registry that cannot be read counts as a holder: unknown is never idle. */
  async #isHeld(generation: Generation): Promise<boolean> {
    try {
      const { edges } = await this.#options.registry.read();
      return edges.some((edge) => edge.leases.some((lease) => lease.generation === generation));
    } catch (error) {
      if (isOperationalError(error)) return true;
      throw error;
    }
  }
}
