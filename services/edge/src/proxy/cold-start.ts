import type { ModelSettings } from '@berth/config';
import type { RequestSlot } from '@berth/core';
import type { EndpointWait } from '../placement/endpoint-waits.ts';
import type { Turn } from '../placement/let-in-gate.ts';
import { WaitTiming } from '../placement/wait-timing.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import type { ClientAnswer } from './client-answer.ts';
import type { ClientRequest } from './client-request.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Asked } from './asked.ts';
import type { RequestBody } from './request-body.ts';
import { waitLimit } from './wait-limit.ts';

export type ColdStartParts = Pick<EngineProxyParts, 'waits' | 'watch' | 'protocol' | 'nowMs'>;

/** What a wait must know of a request. */
export interface ColdRequest {
  readonly access: RequestAccess;
  readonly client: ClientRequest;
  readonly answer: ClientAnswer;
  readonly body: RequestBody;
  readonly model: ModelSettings;
  readonly record: RequestRecord;
  /** Reads the body to its end. */
  readonly finishReading: () => Promise<Asked>;
}

/** The waits of one request for its model, and what its client reads of them: comments in a stream, and headers on whatever is answered. */
export class ColdStart implements Disposable {
  readonly #parts: ColdStartParts;
  readonly #request: ColdRequest;
  readonly #right: EndpointWait['right'];
  readonly #timing: WaitTiming;
  #heartbeats: Heartbeats | null = null;
  #turn: Turn | null = null;
  #preferenceApplied: string | null = null;
  #waitedMs = 0;
  /** The wait is over, and the engine has the request. */
  #isReady = false;

  /** `right`: what the wait may cause. */
  constructor(parts: ColdStartParts, request: ColdRequest, right: EndpointWait['right']) {
    this.#parts = parts;
    this.#request = request;
    this.#right = right;
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
    const { waits, protocol, nowMs } = this.#parts;
    const { access, model, answer, record, client, body } = this.#request;
    const beganAtMs = nowMs();
    this.#turn?.leave();
    this.#isReady = false;
    // That of an attempt before is not the one that is waited for.
    record.generation = null;
    body.hold();
    const asked = await this.#request.finishReading();
    record.stream = asked.stream;
    const { limitMs, preferenceApplied } = waitLimit({
      stream: asked.stream,
      prefer: client.headers.prefer,
      model,
      coldStart: protocol.coldStart,
    });
    this.#preferenceApplied = preferenceApplied;
    if (asked.stream) this.#heartbeats ??= this.#beginHeartbeats();
    const endTiming = this.#timing.begin();
    try {
      const deadlineAtMs = beganAtMs + Math.max(0, limitMs - this.#waitedMs);
      const { slot, turn } = await waits.wait({
        model: model.name,
        right: this.#right,
        mayUse: (other) => access.mayUse(other),
        arrivedAtMs: nowMs() - (performance.now() - record.startedAtMs),
        deadlineAtMs,
        left: answer.left,
        timing: this.#timing,
      });
      this.#turn = turn;
      this.#isReady = true;
      return slot;
    } finally {
      endTiming();
      this.#waitedMs += nowMs() - beganAtMs;
      record.queueMs = this.#timing.queueMs;
      record.placeMs = this.#timing.placeMs;
    }
  }

  /** The engine's head has come: no comment comes after it. */
  headCame(): void {
    this.#heartbeats?.[Symbol.dispose]();
  }

  /** The engine has begun to answer, so that others may be let in. Its head says less: vLLM sends that before it schedules a stream. */
  answerCame(): void {
    this.#turn?.answered();
  }

  [Symbol.dispose](): void {
    this.#heartbeats?.[Symbol.dispose]();
    this.#turn?.leave();
  }

  #beginHeartbeats(): Heartbeats {
    const { watch, protocol } = this.#parts;
    const { access, answer, model } = this.#request;
    const { heartbeatAfterMs, heartbeatEveryMs } = protocol.coldStart;
    return new Heartbeats({
      answer,
      model: model.name,
      isReady: () => this.#isReady,
      view: () => watch.latest,
      mayUse: (other) => access.mayUse(other),
      headers: () => this.headers,
      afterMs: heartbeatAfterMs,
      everyMs: heartbeatEveryMs,
    });
  }
}
