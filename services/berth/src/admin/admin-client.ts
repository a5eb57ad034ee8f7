import { adminStateSchema, errorEnvelopeSchema } from '@berth/contracts';
import type { AdminState } from '@berth/contracts';
import { OperationalError } from '@berth/core';

/** An edge's admin API. */
export interface AdminClient {
  /** Throws `UNKNOWN_VERSION` when the edge answers in a form of another version. */
  readState(): Promise<AdminState>;
  /** Leaves a stop request; the orchestrator acts on it. `null`: every endpoint. */
  stop(model: string | null, options: { readonly force: boolean }): Promise<void>;
}

const timeoutMs = 10_000;

/**
 * Calls the edge at `url`. Both throw `ORCHESTRATOR_UNAVAILABLE` with how to start one when none answers there, and the edge's own code and
 * message when it refuses.
 */
export function createAdminClient(url: string): AdminClient {
  return {
    readState: async () => {
      const parsed = adminStateSchema.safeParse(await call(url, 'GET', '/admin/v1/state'));
      if (parsed.success) return parsed.data;
      const message = `What answers at ${url} is no edge of this version of Berth. Use the berth command of the version that runs there.`;
      throw new OperationalError({ code: 'UNKNOWN_VERSION', retryable: false, message });
    },
    stop: async (model, { force }) => {
      const path = model === null ? '/admin/v1/stop' : `/admin/v1/models/${encodeURIComponent(model)}/stop`;
      await call(url, 'POST', path, { force });
    },
  };
}

async function call(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, url), {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (cause) {
    const message = `No edge answers at ${url}. Start Berth with npm start (or berth up), or say where it runs with --url or BERTH_PORT.`;
    throw new OperationalError({ code: 'ORCHESTRATOR_UNAVAILABLE', retryable: true, message, cause });
  }
  const text = await response.text();
  if (!response.ok) throw refusal(url, response.status, text);
  return jsonOrNull(text);
}

function refusal(url: string, status: number, text: string): OperationalError {
  const parsed = errorEnvelopeSchema.safeParse(jsonOrNull(text));
  const message = parsed.success ? parsed.data.error.message : `${url} answered ${status}: ${text.slice(0, 200)}`;
  return new OperationalError({ code: status === 404 ? 'MODEL_NOT_FOUND' : 'INVALID_REQUEST', retryable: status >= 500, message });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
