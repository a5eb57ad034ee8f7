import { Hono } from 'hono';
import type { Catalog, ModelSettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import type { EdgeSession, RegistryReader } from '@berth/core';
import type { EdgeEnv } from '../app.ts';
import type { ApiAccess } from '../keys/api-access.ts';
import { requireRightToPlace } from '../keys/request-access.ts';
import { beginOrAcquire } from '../placement/begin-or-acquire.ts';
import { liveQuarantine } from '../placement/placement-watch.ts';
import type { PlacementWatch } from '../placement/placement-watch.ts';
import { modelBody } from './model-body.ts';
import { modelInPath } from './model-id.ts';
import { told } from './told.ts';

const PREFIX = '/v1/models/';
const SUFFIX = '/warm';

export interface WarmParts {
  readonly catalog: Catalog;
  readonly session: EdgeSession;
  readonly registry: RegistryReader;
  readonly watch: PlacementWatch;
  readonly keys: ApiAccess;
}

/**
 * `POST /v1/models/{id}/warm`: a hint that the model will be asked for soon. Answers at once with the model as `GET /v1/models/{id}` does:
 * 200 when it is ready, which counts as a use of it, else 202, and it is placed as if somebody waited, for as long as it may load. A model
 * that backs off after failed starts gets its cause and `Retry-After`, and no wish is left. However often it is called, there is one wish
 * per model and right. A key needs the right `place` for it.
 */
export function warm(parts: WarmParts): Hono<EdgeEnv> {
  const { catalog, keys, registry, watch } = parts;
  const hono = new Hono<EdgeEnv>();
  hono.post(`${PREFIX}:id{.+}${SUFFIX}`, (context) =>
    told(async () => {
      const access = keys.identify(context.env.incoming.headers);
      const model = modelInPath(catalog, context.req.path.slice(PREFIX.length, -SUFFIX.length), access);
      requireRightToPlace(access, model.name);
      const { right } = access;
      if (await use(parts.session, model)) return context.json(modelBody(model, await watch.readOrNull({ maxAgeMs: 0 }), access));
      const view = await watch.read({ maxAgeMs: 0 });
      const quarantine = liveQuarantine(view, model.name);
      if (quarantine !== null) {
        throw new OperationalError({ ...quarantine.failure, retryAfterMs: quarantine.untilMs - view.registry.nowMs });
      }
      const id = `hint-${right}-${model.name}`;
      await registry.putWish({ id, model: model.name, right, kind: 'hint', arrivedMsAgo: 0, endsInMs: model.loadTimeoutMs });
      return context.json(modelBody(model, await watch.read({ maxAgeMs: 0 }), access), 202);
    }),
  );
  return hono;
}

/** Counts as one request that came and went, so that a ready model is not the next to make room. False when it is not ready. */
async function use(session: EdgeSession, { name }: ModelSettings): Promise<boolean> {
  const slot = await beginOrAcquire(session, name);
  slot?.end();
  return slot !== null;
}
