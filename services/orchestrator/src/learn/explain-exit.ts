import type { DrainingEndpoint, FailureShape, ReadyEndpoint } from '@berth/core';
import { parseFailure, type EngineFailure } from '@berth/vllm';
import type { TermContext } from '../term/term-context.ts';

const LOG_LINES = 300;

/** Why a serving engine exited, from what it wrote last; `failure` is for those who wait. */
export async function explainExit(
  context: TermContext,
  endpoint: ReadyEndpoint | DrainingEndpoint,
  exitCode: number | null,
): Promise<{ readonly failure: FailureShape; readonly cause: EngineFailure }> {
  const written = endpoint.handle === null ? [] : await context.runtime.readLog(endpoint.handle, { lines: LOG_LINES });
  const lines = written.map(context.sieve);
  const cause = parseFailure(lines, exitCode, { wasReady: true });
  const how = exitCode === null ? 'without an exit code' : `with exit code ${exitCode}`;
  const failure: FailureShape = {
    code: cause.code === 'ENGINE_OUT_OF_MEMORY' ? 'ENGINE_OUT_OF_MEMORY' : 'ENGINE_EXITED',
    message: `The engine of ${endpoint.model} exited ${how} while it served. ${cause.message}`,
    retryable: true,
    details: { exitCode, log: lines.slice(-20) },
  };
  return { failure, cause };
}
