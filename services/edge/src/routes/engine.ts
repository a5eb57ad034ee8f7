import { Hono } from 'hono';
import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { methodNotAllowed } from '../errors/error-response.ts';
import type { EngineProxy } from '../proxy/engine-proxy.ts';
import { ENGINE_ROUTES } from '../proxy/engine-routes.ts';
import { queryOf } from '../proxy/request-path.ts';

/**
 * The engine's public routes. Answers are written to the raw Node response, so no web stream stands between engine and client. A handler
 * returns at once and the only one of its route: Hono then neither composes handlers nor awaits one.
 */
export function engineRoutes(proxy: EngineProxy): Hono<{ Bindings: HttpBindings }> {
  const hono = new Hono<{ Bindings: HttpBindings }>();
  for (const route of ENGINE_ROUTES) {
    hono.on(route.method, route.path, (context) => {
      const { incoming, outgoing } = context.env;
      void proxy.handle(route, { path: context.req.path, query: queryOf(incoming.url ?? '') }, incoming, outgoing);
      return RESPONSE_ALREADY_SENT;
    });
  }
  return hono;
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
