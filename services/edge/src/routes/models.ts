import { Hono } from 'hono';
import type { Catalog } from '@berth/config';
import type { ModelListBody } from '@berth/contracts';
import type { PlacementWatch } from '../placement/placement-watch.ts';
import { modelBody } from './model-body.ts';
import { modelInPath } from './model-id.ts';
import { told } from './told.ts';

const PREFIX = '/v1/models/';

/** `GET /v1/models` and `GET /v1/models/{id}`: the catalog in OpenAI's shape, answered without asking any engine. */
export function models(parts: { readonly catalog: Catalog; readonly watch: PlacementWatch }): Hono {
  const { catalog, watch } = parts;
  const hono = new Hono();
  hono.get('/v1/models', async (context) => {
    const view = await watch.readOrNull();
    const list: ModelListBody = { object: 'list', data: catalog.models.map((model) => modelBody(model, view)) };
    return context.json(list);
  });
  // Ids contain slashes, plain or encoded.
  hono.get(`${PREFIX}:id{.+}`, (context) =>
    told(async () => context.json(modelBody(modelInPath(catalog, context.req.path.slice(PREFIX.length)), await watch.readOrNull()))),
  );
  return hono;
}
