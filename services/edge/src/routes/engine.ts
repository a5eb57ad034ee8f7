import { Hono } from 'hono';
import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { OperationalError } from '@berth/core';
import { errorAnswer } from '../errors/error-answer.ts';
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
  for (const [path, allowed] of methodsByPath()) {
    const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((method) => !allowed.includes(method));
    hono.on(others, path, (context) => notAllowed(context, allowed));
  }
  return hono;
}

function methodsByPath(): ReadonlyMap<string, readonly string[]> {
  return new Map(ENGINE_ROUTES.map(({ path }) => [path, ENGINE_ROUTES.filter((route) => route.path === path).map(({ method }) => method)]));
}

function notAllowed(context: Context, allowed: readonly string[]): Response {
  const message = `${context.req.method} is not allowed here; use ${allowed.join(' or ')}.`;
  const { body } = errorAnswer(new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false }), 'openai');
  return context.body(body, 405, { 'content-type': 'application/json', allow: allowed.join(', ') });
}
