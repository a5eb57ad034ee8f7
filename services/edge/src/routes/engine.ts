import { Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { OperationalError } from '@berth/core';
import { errorAnswer } from '../errors/error-answer.ts';
import type { EngineProxy } from '../proxy/engine-proxy.ts';
import { ENGINE_ROUTES } from '../proxy/engine-routes.ts';
import { queryOf } from '../proxy/request-path.ts';

/** The engine's public routes. Answers are written to the raw Node response, so no web stream stands between engine and client. */
export function engineRoutes(proxy: EngineProxy): Hono<{ Bindings: HttpBindings }> {
  const hono = new Hono<{ Bindings: HttpBindings }>();
  for (const route of ENGINE_ROUTES) {
    hono.on(route.method, route.path, async (context) => {
      const { incoming, outgoing } = context.env;
      await proxy.handle(route, { path: context.req.path, query: queryOf(incoming.url ?? '') }, incoming, outgoing);
      return RESPONSE_ALREADY_SENT;
    });
  }
  const methods = new Map<string, string[]>();
  for (const { path, method } of ENGINE_ROUTES) methods.set(path, [...(methods.get(path) ?? []), method]);
  for (const [path, allowed] of methods) {
    hono.all(path, (context) => {
      const message = `${context.req.method} is not allowed here; use ${allowed.join(' or ')}.`;
      const { body } = errorAnswer(new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false }), 'openai');
      return context.body(body, 405, { 'content-type': 'application/json', allow: allowed.join(', ') });
    });
  }
  return hono;
}
