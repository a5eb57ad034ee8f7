import type { ErrorCode } from '@berth/core';

/** How one error code looks over HTTP. */
export interface HttpError {
  readonly status: number;
  /** OpenAI's `type`. */
  readonly type: 'invalid_request_error' | 'rate_limit_error' | 'server_error';
  /** What stands in `code` of the body. OpenAI's own word where it has one, else ours. */
  readonly code: string;
  /** Said in `Retry-After` when the failure itself does not tell; `null`: nothing is said. */
  readonly retryAfterSeconds: number | null;
}

const invalid = (status: number, code: string): HttpError => ({ status, type: 'invalid_request_error', code, retryAfterSeconds: null });
const server = (status: number, code: string, seconds: number | null = null): HttpError => ({
  status,
  type: 'server_error',
  code,
  retryAfterSeconds: seconds,
});

/** The one table from error code to HTTP. */
export const HTTP_ERRORS: Readonly<Record<ErrorCode, HttpError>> = {
  INVALID_REQUEST: invalid(400, 'INVALID_REQUEST'),
  MODEL_NOT_FOUND: invalid(404, 'model_not_found'),
  RESPONSE_NOT_FOUND: invalid(404, 'RESPONSE_NOT_FOUND'),
  REQUEST_TOO_LARGE: invalid(413, 'REQUEST_TOO_LARGE'),
  REQUEST_TIMEOUT: invalid(408, 'REQUEST_TIMEOUT'),

  INVALID_KEY: invalid(401, 'invalid_api_key'),
  KEY_MAY_NOT_PLACE: invalid(403, 'KEY_MAY_NOT_PLACE'),
  KEY_LIMIT_REACHED: { status: 429, type: 'rate_limit_error', code: 'KEY_LIMIT_REACHED', retryAfterSeconds: 1 },
  ADMIN_KEY_NEEDED: invalid(403, 'ADMIN_KEY_NEEDED'),

  DOES_NOT_FIT: server(503, 'DOES_NOT_FIT'),
  NO_CAPACITY_NOW: server(503, 'NO_CAPACITY_NOW', 30),
  QUEUE_FULL: { status: 429, type: 'rate_limit_error', code: 'QUEUE_FULL', retryAfterSeconds: 5 },
  ENDPOINT_FULL: { status: 429, type: 'rate_limit_error', code: 'ENDPOINT_FULL', retryAfterSeconds: 2 },
  MODEL_LOADING: server(503, 'model_loading', 30),
  PLACEMENT_TIMEOUT: server(503, 'PLACEMENT_TIMEOUT', 30),

  ENGINE_START_FAILED: server(503, 'ENGINE_START_FAILED'),
  ENGINE_OUT_OF_MEMORY: server(503, 'ENGINE_OUT_OF_MEMORY'),
  ENGINE_EXITED: server(502, 'ENGINE_EXITED', 2),
  ENGINE_UNRESPONSIVE: server(504, 'ENGINE_UNRESPONSIVE'),
  ENGINE_REDIRECTED: server(502, 'ENGINE_REDIRECTED'),

  REDIS_UNAVAILABLE: server(503, 'REDIS_UNAVAILABLE', 5),
  ORCHESTRATOR_UNAVAILABLE: server(503, 'ORCHESTRATOR_UNAVAILABLE', 10),
  DOCKER_UNAVAILABLE: server(503, 'DOCKER_UNAVAILABLE', 10),
  IMAGE_MISSING: server(503, 'IMAGE_MISSING'),
  GPU_PROBE_FAILED: server(503, 'GPU_PROBE_FAILED', 10),
  PORT_TAKEN: server(503, 'PORT_TAKEN', 10),

  INVALID_CATALOG: server(500, 'INVALID_CATALOG'),
  INVALID_SETTINGS: server(500, 'INVALID_SETTINGS'),
  FOOTPRINTS_UNREADABLE: server(503, 'FOOTPRINTS_UNREADABLE'),
  UNKNOWN_VERSION: server(503, 'UNKNOWN_VERSION'),

  LEADERSHIP_LOST: server(503, 'LEADERSHIP_LOST', 5),
  STALE_STATE: server(503, 'STALE_STATE', 2),
};

/** Whole seconds for `Retry-After`, at least 1; `null` where waiting is no remedy. */
export function retryAfterSeconds(failure: { readonly code: ErrorCode; readonly retryAfterMs?: number }): number | null {
  if (failure.retryAfterMs !== undefined) return Math.max(1, Math.ceil(failure.retryAfterMs / 1000));
  return HTTP_ERRORS[failure.code].retryAfterSeconds;
}
