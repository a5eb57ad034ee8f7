import type { EngineClient, EngineLoad } from '@berth/core';
import { OperationalError } from '@berth/core';
import { parseEngineMetrics, parseMaxModelLen } from '@berth/vllm';

/** `/metrics` takes up to 3 s under a burst of 300 requests (vLLM 0.32.0, measured). */
const READ_TIMEOUT_MS = 4_000;
const HEALTH_TIMEOUT_MS = 2_000;
const QUOTED_ANSWER_CHARACTERS = 600;

/** Talks to engines with the platform's own fetch: these calls are few, and none of them is a user's. */
export function createEngineClient(): EngineClient {
  return {
    async isHealthy(url, path) {
      const answer = await get(url, path, HEALTH_TIMEOUT_MS);
      return answer?.status === 200;
    },
    async readMaxModelLen(url) {
      const answer = await get(url, '/v1/models', READ_TIMEOUT_MS);
      return answer?.status === 200 ? parseMaxModelLen(answer.text) : null;
    },
    async readLoad(url): Promise<EngineLoad | null> {
      const answer = await get(url, '/metrics', READ_TIMEOUT_MS);
      return answer?.status === 200 ? parseEngineMetrics(answer.text) : null;
    },
    async sendProbe(url, probe, timeoutMs) {
      let response: Response;
      let text: string;
      try {
        response = await fetch(url + probe.path, {
          method: 'POST',
          headers: { 'content-type': probe.contentType, connection: 'close' },
          body: probe.body,
          signal: AbortSignal.timeout(timeoutMs),
        });
        text = await response.text();
      } catch (cause) {
        throw new OperationalError({
          code: 'ENGINE_UNRESPONSIVE',
          message: `The engine at ${url} did not answer ${probe.path} within ${Math.round(timeoutMs / 1000)} s. Its log says why.`,
          retryable: true,
          cause,
        });
      }
      if (response.ok) return;
      throw new OperationalError({
        code: 'ENGINE_UNRESPONSIVE',
        message: `The engine at ${url} answered ${probe.path} with ${response.status}: ${text.slice(0, QUOTED_ANSWER_CHARACTERS)}`,
        retryable: response.status >= 500,
        details: { status: response.status },
      });
    },
  };
}

/** `null` when there is no whole answer in time, a refused connection included. */
async function get(url: string, path: string, timeoutMs: number): Promise<{ readonly status: number; readonly text: string } | null> {
  try {
    // vLLM closes an idle connection after 5 s; a fresh one each time cannot meet that close.
    const response = await fetch(url + path, { headers: { connection: 'close' }, signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, text: await response.text() };
  } catch {
    return null;
  }
}
