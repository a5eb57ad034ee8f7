import { Hono } from 'hono';
import type { EdgeMetrics } from '../telemetry/edge-metrics.ts';

/** `GET /metrics`, in Prometheus' text format. Names models and routes, and nothing that a client wrote. */
export function metricsRoute(metrics: EdgeMetrics): Hono {
  const hono = new Hono();
  hono.get('/metrics', async (context) => {
    const { contentType, text } = await metrics.set.scrape();
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' });
  });
  return hono;
}
