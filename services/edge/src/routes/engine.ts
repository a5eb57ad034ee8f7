import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { AnswerSink } from '../downstream/answer-sink.ts';
import type { PlainRequest } from '../downstream/plain-request.ts';
import { ResponseSink } from '../downstream/response-sink.ts';
import { methodNotAllowed } from '../errors/error-response.ts';
import { IncomingRequest, WholeRequest } from '../proxy/client-request.ts';
import type { EngineProxy } from '../proxy/engine-proxy.ts';
import { ENGINE_ROUTES } from '../proxy/engine-routes.ts';
import { withoutQuery } from '../proxy/request-path.ts';

/** The engine's public routes, found before Hono sees a request. */
export interface EngineRoutes {
  /** Whether a path is one of them. */
  has(path: string): boolean;
  /** Takes a request that is for an engine; false for every other, which is left untouched. */
  take(incoming: IncomingMessage, outgoing: ServerResponse): boolean;
  /** Serves a request to a path that it has. */
  serve(request: PlainRequest, sink: AnswerSink): void;
}

/**
 * Their paths are fixed, so a table finds them, and answers are written straight to the connection: the objects that stand for a request
 * and a response on the way through Hono cost a tenth of what a hot request costs in all (measured with `npm run bench`). A path counts as
 * it was sent: in any other spelling it is none of these.
 */
export function engineRoutes(proxy: EngineProxy): EngineRoutes {
  const routes = new Map(ENGINE_ROUTES.map((route) => [route.path, route]));
  return {
    has: (path) => routes.has(path),
    take: (incoming, outgoing) => {
      const target = incoming.url ?? '';
      const route = routes.get(withoutQuery(target));
      if (route === undefined || route.method !== incoming.method) return false;
      void proxy.handle(route, target, new IncomingRequest(incoming), new ResponseSink(outgoing));
      return true;
    },
    serve: (request, sink) => {
      const route = routes.get(request.path);
      if (route === undefined) throw new TypeError(`${request.path} is no route of an engine`);
      void proxy.handle(route, request.target, new WholeRequest(request), sink);
    },
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
