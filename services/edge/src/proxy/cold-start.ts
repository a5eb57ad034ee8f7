import type { IncomingMessage } from 'node:http';
import type { ModelSettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import type { RequestSlot } from '@berth/core';
import { WaitTiming } from '../placement/wait-timing.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { ClientAnswer } from './client-answer.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Asked } from './read-request.ts';
import { waitLimit } from './wait-limit.ts';

export interface ColdStartParts extends Pick<EngineProxyParts, 'waits' | 'watch' | 'protocol' | 'nowMs'> {
  readonly incoming: IncomingMessage;
  readonly answer: ClientAnswer;
  readonly model: ModelSettings;
  readonly record: RequestRecord;
  readonly arrivedAtMs: number;
  readonly waitingBodies: ByteBudget;
  /** Reads the body to its end; `take` is asked about every piece and throws when there is no room for it. */
  readonly finishReading: (take: (bytes: number) => void) => Promise<Asked>;
}

/** The waits of one request for its model, and what its client reads of them: comments in a stream, and headers on whatever is answered. */
export class ColdStart implements Disposable {
  readonly #parts: ColdStartParts;
  readonly #timing: WaitTiming;
  #heartbeats: Heartbeats | null = null;
  #preferenceApplied: string | null = null;
  #waitedMs = 0;

  constructor(parts: ColdStartParts) {
    this.#parts = parts;
    this.#timing = new WaitTiming(parts.nowMs);
  }

  /** The client may have a `200` and comments already. */
  get hasHeartbeats(): boolean {
    return this.#heartbeats !== null;
  }

  /** For the head of the answer, flat, as of now: how long queueing and placing took, and the preference that was applied. */
  get headers(): readonly string[] {
    const timing = ['server-timing', String(this.#timing)];
    return this.#preferenceApplied === null ? timing : [...timing, 'preference-applied', this.#preferenceApplied];
  }

  /**
   * Resolves with a request counted in flight, which the caller must end. All waits of one request share its limit. Throws as
   * `EndpointWaits.wait` does, and `QUEUE_FULL` when there is no room for its body.
   */
  async wait(): Promise<RequestSlot> {
    const { waits, protocol, model, answer, arrivedAtMs, nowMs, record, incoming } = this.#parts;
    const beganAtMs = nowMs();
    record.cold = true;
    using share = this.#parts.waitingBodies.share();
    const asked = await this.#parts.finishReading((bytes) => {
      if (!share.take(bytes)) throw tooManyBodies(protocol.bodies.waitingBytes);
    });
    record.stream = asked.stream;
    const { limitMs, preferenceApplied } = waitLimit({
      stream: asked.stream,
      prefer: incoming.headers.prefer,
      model,
      coldStart: protocol.coldStart,
    });
    this.#preferenceApplied = preferenceApplied;
    if (asked.stream) this.#heartbeats ??= this.#beginHeartbeats();
    const endTiming = this.#timing.begin();
    try {
      const deadlineAtMs = beganAtMs + Math.max(0, limitMs - this.#waitedMs);
      return await waits.wait({ model: model.name, arrivedAtMs, deadlineAtMs, left: answer.left, timing: this.#timing });
    } finally {
      endTiming();
      this.#waitedMs += nowMs() - beganAtMs;
      record.queueMs = this.#timing.queueMs;
      record.placeMs = this.#timing.placeMs;
    }
  }

  /** No comment comes after it. */
  [Symbol.dispose](): void {
    this.#heartbeats?.[Symbol.dispose]();
  }

  #beginHeartbeats(): Heartbeats {
    const { answer, model, watch, protocol } = this.#parts;
    const { heartbeatAfterMs, heartbeatEveryMs } = protocol.coldStart;
    return new Heartbeats({
      answer,
      model: model.name,
      view: () => watch.latest,
      headers: () => this.headers,
      afterMs: heartbeatAfterMs,
      everyMs: heartbeatEveryMs,
    });
  }
}

function tooManyBodies(limitBytes: number): OperationalError {
  return new OperationalError({
    code: 'QUEUE_FULL',
    message: `The bodies of the requests that wait for their models reach ${limitBytes} bytes on this edge. Ask again after Retry-After.`,
    retryable: true,
    details: { limitBytes },
  });
}
