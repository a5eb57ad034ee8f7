/** Every code an expected failure can carry. Codes are API: stable, and listed in docs/errors.md. */
export const ERROR_CODES = [
  // request
  'INVALID_REQUEST',
  'MODEL_NOT_FOUND',
  'RESPONSE_NOT_FOUND',
  'REQUEST_TOO_LARGE',
  'REQUEST_TIMEOUT',
  // keys
  'INVALID_KEY',
  'KEY_MAY_NOT_PLACE',
  'KEY_LIMIT_REACHED',
  'ADMIN_KEY_NEEDED',
  // capacity
  'DOES_NOT_FIT',
  'NO_CAPACITY_NOW',
  'QUEUE_FULL',
  'ENDPOINT_FULL',
  'MODEL_LOADING',
  'PLACEMENT_TIMEOUT',
  // engine
  'ENGINE_START_FAILED',
  'ENGINE_OUT_OF_MEMORY',
  'ENGINE_EXITED',
  'ENGINE_UNRESPONSIVE',
  'ENGINE_REDIRECTED',
  // dependency
  'REDIS_UNAVAILABLE',
  'ORCHESTRATOR_UNAVAILABLE',
  'DOCKER_UNAVAILABLE',
  'IMAGE_MISSING',
  'GPU_PROBE_FAILED',
  'PORT_TAKEN',
  // set-up
  'INVALID_CATALOG',
  'INVALID_SETTINGS',
  'FOOTPRINTS_UNREADABLE',
  'UNKNOWN_VERSION',
  // orchestrator
  'LEADERSHIP_LOST',
  'STALE_STATE',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface FailureShape {
  readonly code: ErrorCode;
  readonly message: string;
  /** Whether the same call can succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * An expected failure. The message says what was tried, on what, with which numbers, and what to do next.
 * Anything else that is thrown is a bug and reaches the top.
 */
export class OperationalError extends Error implements FailureShape {
  override readonly name = 'OperationalError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(failure: FailureShape & { readonly cause?: unknown }) {
    super(failure.message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.code = failure.code;
    this.retryable = failure.retryable;
    if (failure.retryAfterMs !== undefined) this.retryAfterMs = failure.retryAfterMs;
    this.details = failure.details ?? {};
  }

  /** The plain value that travels between processes. */
  toShape(): FailureShape {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      details: this.details,
    };
  }
}

/** True for an expected failure, with one of the given codes if any are named. */
export function isOperationalError(error: unknown, ...codes: readonly ErrorCode[]): error is OperationalError {
  return error instanceof OperationalError && (codes.length === 0 || codes.includes(error.code));
}
