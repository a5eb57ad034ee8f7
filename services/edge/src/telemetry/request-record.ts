import type { ErrorCode } from '@berth/core';
import type { ExchangeOutcome } from '../proxy/engine-exchange.ts';
import type { AnswerMeter } from './answer-meter.ts';
import type { TokenUsage } from './usage-reader.ts';

/** How a proxied request ended. */
export const REQUEST_OUTCOMES = ['answered', 'failed', 'broken', 'client-left'] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/**
 * Why an answer broke off after its first byte: the engine closed its connection; it sent nothing for `streams.idleTimeout`; or this edge
 * destroyed the connection because the endpoint is gone from the registry or an operator forced its stop.
 */
export const BROKEN_CAUSES = ['engine-exited', 'engine-silent', 'endpoint-stopped'] as const;
export type BrokenCause = (typeof BROKEN_CAUSES)[number];

/** What is known of one request, for its log line and the metrics. Nothing that a client wrote stands in it but the model's name, once it was found in the catalog. */
export interface RequestRecord {
  /** Letters, digits and dashes. */
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
  readonly startedAtMs: number;
  /** Name of the key in the catalog; never the key. */
  keyId: string | null;
  model: string | null;
  stream: boolean;
  /** Requests sent to engines. */
  attempts: number;
  /** Those of them that were another try of the same. */
  retries: number;
  /** Attempts that found no engine. */
  unreached: number;
  generation: string | null;
  cold: boolean;
  queueMs: number;
  placeMs: number;
  outcome: RequestOutcome;
  code: ErrorCode | 'INTERNAL' | null;
  /** How the last attempt went wrong that found an engine. */
  fault: 'refused' | 'silent' | 'broken' | null;
  brokenBy: BrokenCause | null;
  engineErrorFrame: boolean;
  /** 0: the engine sent no head. */
  engineStatus: number;
  /** First byte of the body of the engine's answer. */
  engineFirstByteAtMs: number | null;
  usage: TokenUsage | null;
  bytesIn: number;
}

/** A record with nothing known yet but how it began. Instants are by `performance.now()`. */
export function requestRecord(begin: Pick<RequestRecord, 'requestId' | 'method' | 'route' | 'startedAtMs'>): RequestRecord {
  return {
    requestId: begin.requestId,
    method: begin.method,
    route: begin.route,
    startedAtMs: begin.startedAtMs,
    keyId: null,
    model: null,
    stream: false,
    attempts: 0,
    retries: 0,
    unreached: 0,
    generation: null,
    cold: false,
    queueMs: 0,
    placeMs: 0,
    outcome: 'failed',
    code: null,
    fault: null,
    brokenBy: null,
    engineErrorFrame: false,
    engineStatus: 0,
    engineFirstByteAtMs: null,
    usage: null,
    bytesIn: 0,
  };
}

/** Forgets how attempts ended, once that is counted elsewhere. */
export function forgetAttempts(record: RequestRecord): void {
  Object.assign(record, {
    unreached: 0,
    fault: null,
    brokenBy: null,
    engineErrorFrame: false,
    engineStatus: 0,
    engineFirstByteAtMs: null,
    usage: null,
  } satisfies Partial<RequestRecord>);
}

/** Notes how an attempt ended. `endpointGone`: this edge had to destroy its connections to the endpoint. */
export function noteAttempt(
  record: RequestRecord,
  outcome: ExchangeOutcome,
  answer: { readonly sawErrorFrame: boolean; readonly engineStatus: number; readonly meter: AnswerMeter },
  endpointGone: boolean,
): void {
  record.engineErrorFrame = answer.sawErrorFrame;
  record.engineStatus = answer.engineStatus;
  record.engineFirstByteAtMs = answer.meter.firstByteAtMs;
  record.usage = answer.meter.usage;
  switch (outcome.kind) {
    case 'answered':
    case 'client-left':
    case 'body-failed':
      return;
    case 'unreached':
      record.unreached += 1;
      return;
    case 'refused':
      record.fault = 'refused';
      return;
    case 'silent':
      record.fault = 'silent';
      if (outcome.afterFirstByte) record.brokenBy = 'engine-silent';
      return;
    case 'broken':
      record.fault = 'broken';
      record.brokenBy = endpointGone ? 'endpoint-stopped' : 'engine-exited';
  }
}
