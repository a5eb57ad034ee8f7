import { Hono } from 'hono';
import type { Catalog } from '@berth/config';
import type { ModelListBody } from '@berth/contracts';
import type { EdgeEnv } from '../app.ts';
import type { ApiAccess } from '../keys/api-access.ts';
import type { PlacementWatch } from '../placement/placement-watch.ts';
import { modelBody } from './model-body.ts';
import { modelInPath } from './model-id.ts';
import { told } from './told.ts';

const PREFIX = '/v1/models/';

/**
 * `GET /v1/models` and `GET /v1/models/{id}`: the catalog in OpenAI's shape, answered without asking any engine. A key sees its own models;
 * others do not exist for it. No limit of a key counts these.
 */
export function models(parts: { readonly catalog: Catalog; readonly keys: ApiAccess; readonly watch: PlacementWatch }): Hono<EdgeEnv> {
  const { catalog, keys, watch } = parts;
  const hono = new Hono<EdgeEnv>();
  hono.get('/v1/models', (context) =>
    told(async () => {
      const access = keys.identify(context.env.incoming.headers);
      const view = await watch.readOrNull();
      const own = catalog.models.filter((model) => access.mayUse(model.name));
      return context.json({ object: 'list', data: own.map((model) => modelBody(model, view, access)) } satisfies ModelListBody);
    }),
  );
  // Ids contain slashes, plain or encoded.
  hono.get(`${PREFIX}:id{.+}`, (context) =>
    told(async () => {
      const access = keys.identify(context.env.incoming.headers);
      const model = modelInPath(catalog, context.req.path.slice(PREFIX.length), access);
      return context.json(modelBody(model, await watch.readOrNull(), access));
    }),
  );
  return hono;
}
