import { Hono } from 'hono';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Catalog, ModelSettings } from '@berth/config';
import { stopRequestBodySchema } from '@berth/contracts';
import type { Accepted, StopRequestBody } from '@berth/contracts';
import { OperationalError } from '@berth/core';
import type { RegistryReader, StopRequest } from '@berth/core';
import { errorResponse } from '../errors/error-response.ts';
import { modelInPath } from './model-id.ts';
import { told } from './told.ts';

const PREFIX = '/admin/v1/models/';
const LONGEST_BODY = 16 * 1024;
const TOO_LARGE = new OperationalError({
  code: 'REQUEST_TOO_LARGE',
  message: `The request's body is larger than ${LONGEST_BODY} bytes. Send {"force": boolean, "deadlineMs": number or null}, or nothing.`,
  retryable: false,
});

/**
 * `POST /admin/v1/models/{id}/load`, `POST /admin/v1/models/{id}/stop`, `POST /admin/v1/stop` (every endpoint). Each leaves a record that the
 * orchestrator acts on, and answers 202 at once; `GET /admin/v1/state` tells how it goes on.
 */
export function adminModels(parts: { readonly catalog: Catalog; readonly registry: RegistryReader; readonly newId: () => string }): Hono {
  const { catalog, registry, newId } = parts;
  const hono = new Hono();
  hono.use('/admin/v1/*', bodyLimit({ maxSize: LONGEST_BODY, onError: () => errorResponse(TOO_LARGE) }));
  hono.post(`${PREFIX}:id{.+}/load`, (context) =>
    told(async () => {
      const model = named(catalog, context, '/load');
      const id = `operator-${newId()}`;
      await registry.putWish({
        id,
        model: model.name,
        right: 'displace',
        kind: 'operator',
        arrivedMsAgo: 0,
        endsInMs: model.loadTimeoutMs,
      });
      return accepted(context, { accepted: true, id, model: model.name });
    }),
  );
  const stop = async (target: StopRequest['target'], body: StopRequestBody, model: string | null): Promise<Accepted> => {
    const id = `stop-${newId()}`;
    await registry.putStopRequest({ id, target, force: body.force, deadlineMs: body.deadlineMs });
    return { accepted: true, id, model };
  };
  hono.post(`${PREFIX}:id{.+}/stop`, (context) =>
    told(async () => {
      const { name } = named(catalog, context, '/stop');
      return accepted(context, await stop({ kind: 'model', model: name }, await readStop(context), name));
    }),
  );
  hono.post('/admin/v1/stop', (context) => told(async () => accepted(context, await stop({ kind: 'all' }, await readStop(context), null))));
  return hono;
}

function accepted(context: Context, body: Accepted): Response {
  return context.json(body, 202);
}

/** Throws `MODEL_NOT_FOUND`. */
function named(catalog: Catalog, context: Context, suffix: string): ModelSettings {
  return modelInPath(catalog, context.req.path.slice(PREFIX.length, -suffix.length));
}

/** Throws `INVALID_REQUEST`. */
async function readStop(context: Context): Promise<StopRequestBody> {
  const text = await context.req.text();
  const parsed = stopRequestBodySchema.safeParse(text === '' ? {} : jsonOrNull(text));
  if (parsed.success) return parsed.data;
  throw new OperationalError({
    code: 'INVALID_REQUEST',
    message: 'The body is not a stop request. Send {"force": boolean, "deadlineMs": number or null}, or nothing.',
    retryable: false,
  });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
