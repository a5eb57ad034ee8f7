import type { KeySettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import { RateWindow } from './rate-window.ts';

/** Nobody knows when a request of the same key ends. */
const IN_FLIGHT_RETRY_MS = 1000;

/** What one key has in flight and had lately, in this process. */
export class KeyLimits {
  readonly #key: Pick<KeySettings, 'id' | 'maxInFlight' | 'requestsPerMinute'>;
  readonly #window: RateWindow | null;
  #inFlight = 0;

  constructor(key: Pick<KeySettings, 'id' | 'maxInFlight' | 'requestsPerMinute'>) {
    this.#key = key;
    this.#window = key.requestsPerMinute === null ? null : new RateWindow(key.requestsPerMinute);
  }

  /** Counts a request in; whoever does counts it out once. Throws `KEY_LIMIT_REACHED`, then nothing is counted. */
  enter(nowMs: () => number): void {
    const { id, maxInFlight, requestsPerMinute } = this.#key;
    if (maxInFlight !== null && this.#inFlight >= maxInFlight) {
      const message = `The key ${id} has ${this.#inFlight} requests in flight, and may have ${maxInFlight} at once. Send the next one when one of them has ended.`;
      throw limitReached(message, IN_FLIGHT_RETRY_MS, { id, maxInFlight });
    }
    const waitMs = this.#window?.take(nowMs()) ?? 0;
    if (waitMs > 0) {
      const message = `The key ${id} has made the ${requestsPerMinute} requests that it may make within 60 s. The next one may come in ${Math.ceil(waitMs / 1000)} s.`;
      throw limitReached(message, waitMs, { id, requestsPerMinute });
    }
    this.#inFlight += 1;
  }

  leave(): void {
    this.#inFlight -= 1;
  }
}

function limitReached(message: string, retryAfterMs: number, details: Readonly<Record<string, unknown>>): OperationalError {
  return new OperationalError({ code: 'KEY_LIMIT_REACHED', message, retryable: true, retryAfterMs, details });
}
