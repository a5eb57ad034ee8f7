import { Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { methodNotAllowed } from '../errors/error-response.ts';
import { queryOf } from '../proxy/request-path.ts';
import type { ResponseById } from '../proxy/response-by-id.ts';

const BY_ID = '/v1/responses/:id{[A-Za-z0-9_-]+}';

/** All that vLLM 0.32.0 has for a stored response. */
const ROUTES = [
  { method: 'GET', route: BY_ID },
  { method: 'POST', route: `${BY_ID}/cancel` },
] as const;

/** `GET /v1/responses/{id}`, also as a stream, and `POST /v1/responses/{id}/cancel`. */
export function storedResponses(responses: ResponseById): Hono<{ Bindings: HttpBindings }> {
  const hono = new Hono<{ Bindings: HttpBindings }>();
  for (const { method, route } of ROUTES) {
    hono.on(method, route, async (context) => {
      const { incoming, outgoing } = context.env;
      const { path } = context.req;
      const request = { method, route, id: context.req.param('id'), path, query: queryOf(incoming.url ?? '') };
      await responses.handle(request, incoming, outgoing);
      return RESPONSE_ALREADY_SENT;
    });
    hono.all(route, (context) => methodNotAllowed(context.req.method, [method], 'responses'));
  }
  return hono;
}
