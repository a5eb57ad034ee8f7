import { Hono } from 'hono';
import type { Context } from 'hono';
import { findModel } from '@berth/config';
import type { Catalog, ModelSettings } from '@berth/config';
import type { ModelBody, ModelListBody } from '@berth/contracts';
import { isOperationalError, OperationalError } from '@berth/core';
import { errorResponse } from '../errors/error-response.ts';
import type { ApiAccess } from '../keys/api-access.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import { progressOf } from '../placement/placement-watch.ts';
import type { PlacementView, PlacementWatch } from '../placement/placement-watch.ts';

/** `created` has to be something: what clients read as the model's age. The start of this process is when its catalog came into force. */
const CREATED_SECONDS = Math.floor(performance.timeOrigin / 1000);
const PREFIX = '/v1/models/';

/**
 * `GET /v1/models` and `GET /v1/models/{id}`: the catalog in OpenAI's shape, answered without asking any engine. A key sees its own models; others do not
 * exist for it. No limit of a key counts these.
 */
export function models(parts: { readonly catalog: Catalog; readonly keys: ApiAccess; readonly watch: PlacementWatch }): Hono {
  const { catalog, keys, watch } = parts;
  const hono = new Hono();
  hono.get('/v1/models', (context) =>
    forKey(keys, context, async (access) => {
      const view = await readOrNull(watch);
      const own = catalog.models.filter((model) => access.mayUse(model.name));
      return { object: 'list', data: own.map((model) => modelBody(model, view)) } satisfies ModelListBody;
    }),
  );
  // Ids contain slashes, plain or encoded.
  hono.get(`${PREFIX}:id{.+}`, (context) =>
    forKey(keys, context, async (access) => {
      const id = decoded(context.req.path.slice(PREFIX.length));
      const model = id === null ? undefined : findModel(catalog, id);
      if (model !== undefined && access.mayUse(model.name)) return modelBody(model, await readOrNull(watch));
      const message = `The model \`${(id ?? '').slice(0, 200)}\` does not exist. GET /v1/models lists those that do.`;
      throw new OperationalError({ code: 'MODEL_NOT_FOUND', message, retryable: false, details: { param: 'model' } });
    }),
  );
  return hono;
}

async function forKey(
  keys: ApiAccess,
  context: Context,
  tell: (access: RequestAccess) => Promise<ModelBody | ModelListBody>,
): Promise<Response> {
  try {
    const headers = { authorization: context.req.header('authorization'), 'x-api-key': context.req.header('x-api-key') };
    return context.json(await tell(keys.identify(headers)));
  } catch (error) {
    if (!isOperationalError(error)) throw error;
    return errorResponse(error);
  }
}

function modelBody(model: ModelSettings, view: PlacementView | null): ModelBody {
  const progress = view === null ? null : progressOf(view, model.name);
  const quarantine = view?.registry.quarantines.find((entry) => entry.model === model.name && entry.untilMs > view.registry.nowMs) ?? null;
  const endpoint = progress?.endpoint ?? null;
  const cold = progress?.state === 'cold' && quarantine !== null;
  return {
    id: model.name,
    object: 'model',
    created: CREATED_SECONDS,
    owned_by: 'berth',
    berth: {
      state: progress === null ? 'unknown' : cold ? 'quarantined' : progress.state,
      phase: progress?.phase ?? null,
      progress: progress?.progress ?? null,
      etaSeconds: progress === null || progress.etaMs === null ? null : Math.ceil(progress.etaMs / 1000),
      maxModelLen: endpoint?.state === 'ready' || endpoint?.state === 'draining' ? endpoint.maxModelLen : null,
      aliases: [...model.aliases],
      engine: model.engine,
      gpus: model.gpus,
      pinned: model.pinned,
      quarantine:
        quarantine === null || view === null
          ? null
          : {
              code: quarantine.failure.code,
              message: quarantine.failure.message,
              failures: quarantine.failures,
              retryInSeconds: Math.ceil((quarantine.untilMs - view.registry.nowMs) / 1000),
            },
    },
  };
}

/** The catalog can be told without Redis; only the states are missing then. */
async function readOrNull(watch: PlacementWatch): Promise<PlacementView | null> {
  try {
    return await watch.read();
  } catch {
    return null;
  }
}

/** `null` for text that is not percent-encoded UTF-8. */
export function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
