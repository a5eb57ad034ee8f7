import { Hono } from 'hono';
import type { Scrape } from '@berth/telemetry';

/** `GET /metrics`, in Prometheus' text format. Names models and routes, and nothing that a client wrote. */
export function metricsRoute(scrape: () => Promise<Scrape>): Hono {
  const hono = new Hono();
  hono.get('/metrics', async (context) => {
    const { contentType, text } = await scrape();
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' });
  });
  return hono;
}
