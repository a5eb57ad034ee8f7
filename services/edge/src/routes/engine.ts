import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import { methodNotAllowed } from '../errors/error-response.ts';
import type { EngineProxy } from '../proxy/engine-proxy.ts';
import { ENGINE_ROUTES } from '../proxy/engine-routes.ts';

/** Takes a request that is for an engine; false for every other, which is left untouched. */
export type TakeEngineRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/**
 * The engine's public routes. Their paths are fixed, so a table finds them before Hono sees the request, and answers are written to the raw
 * Node response: the objects that stand for a request and a response on the way through Hono cost a tenth of what a hot request costs in all
 * (measured with `npm run bench`). A path counts as it was sent: in any other spelling it is none of these.
 */
export function engineRoutes(proxy: EngineProxy): TakeEngineRequest {
  const routes = new Map(ENGINE_ROUTES.map((route) => [route.path, route]));
  return (incoming, outgoing) => {
    const target = incoming.url ?? '';
    const queryAt = target.indexOf('?');
    const path = queryAt === -1 ? target : target.slice(0, queryAt);
    const route = routes.get(path);
    if (route === undefined || route.method !== incoming.method) return false;
    void proxy.handle(route, { path, query: queryAt === -1 ? '' : target.slice(queryAt) }, incoming, outgoing);
    return true;
  };
}

/**
 * The answer to a method that an engine route does not have; `null` where there is no such route. Asked when no handler was found: a handler of
 * its own for every other method would stand in the way of those that are used.
 */
export function otherMethod({ req }: Context): Response | null {
  const routes = ENGINE_ROUTES.filter(({ path }) => path === req.path);
  const allowed = routes.map(({ method }) => method);
  return routes[0] === undefined ? null : methodNotAllowed(req.method, allowed, routes[0].dialect);
}
