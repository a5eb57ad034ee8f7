import type { Secret } from '@berth/config';
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

/** Where the edge is, and what is shown to it. */
interface Access {
  readonly url: string;
  readonly adminKey: Secret | null;
}

/**
 * Calls the edge at `url`. Both throw `ORCHESTRATOR_UNAVAILABLE` with how to start one when none answers there, `INVALID_KEY` with which key to set, and
 * the edge's own message when it refuses for another reason.
 */
export function createAdminClient(access: Access): AdminClient {
  const { url } = access;
  return {
    readState: async () => {
      const parsed = adminStateSchema.safeParse(await call(access, 'GET', '/admin/v1/state'));
      if (parsed.success) return parsed.data;
      const message = `What answers at ${url} is no edge of this version of Berth. Use the berth command of the version that runs there.`;
      throw new OperationalError({ code: 'UNKNOWN_VERSION', retryable: false, message });
    },
    stop: async (model, { force }) => {
      const path = model === null ? '/admin/v1/stop' : `/admin/v1/models/${encodeURIComponent(model)}/stop`;
      await call(access, 'POST', path, { force });
    },
  };
}

async function call({ url, adminKey }: Access, method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(path, url), {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...(adminKey === null ? {} : { authorization: `Bearer ${adminKey.reveal()}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    const message = `No edge answers at ${url}. Start Berth with npm start (or berth up), or say where it runs with --url or BERTH_PORT.`;
    throw new OperationalError({ code: 'ORCHESTRATOR_UNAVAILABLE', retryable: true, message, cause });
  }
  const text = await response.text();
  if (response.status === 401) throw keyRefused(url, adminKey);
  if (!response.ok) throw refusal(url, response.status, text);
  return jsonOrNull(text);
}

function keyRefused(url: string, adminKey: Secret | null): OperationalError {
  const what =
    adminKey === null
      ? `The edge at ${url} wants an admin key. Set BERTH_ADMIN_KEY to the key of an entry of adminKeys in its berth.yaml`
      : `BERTH_ADMIN_KEY is no admin key of the edge at ${url}. Set it to the key (not the hash) of an entry of adminKeys in its berth.yaml`;
  return new OperationalError({ code: 'INVALID_KEY', retryable: false, message: `${what}.` });
}

function refusal(url: string, status: number, text: string): OperationalError {
  const parsed = errorEnvelopeSchema.safeParse(jsonOrNull(text));
  const message = parsed.success ? parsed.data.error.message : `${url} answered ${status}: ${text.slice(0, 200)}`;
  const code = status === 404 ? 'MODEL_NOT_FOUND' : status === 403 ? 'ADMIN_KEY_NEEDED' : 'INVALID_REQUEST';
  return new OperationalError({ code, retryable: status >= 500, message });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
