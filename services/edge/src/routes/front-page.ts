import { Hono } from 'hono';
import { html } from 'hono/html';
import type { Catalog } from '@berth/config';
import { progressOf } from '../placement/model-progress.ts';
import type { PlacementView, PlacementWatch } from '../placement/placement-watch.ts';

/** `/`: what runs where, and where to look further. */
export function frontPage(parts: { readonly catalog: Catalog; readonly watch: PlacementWatch }): Hono {
  const hono = new Hono();
  hono.get('/', async (context) => {
    const view = await parts.watch.read().catch(() => null);
    return context.html(page(parts.catalog, view));
  });
  return hono;
}

function page(catalog: Catalog, view: PlacementView | null): ReturnType<typeof html> {
  const gpus = view?.leader?.host?.gpus ?? [];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="refresh" content="5" />
        <title>Berth</title>
        <style>
          body {
            font: 15px/1.5 system-ui;
            max-width: 60rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          table {
            border-collapse: collapse;
            width: 100%;
          }
          th,
          td {
            text-align: left;
            padding: 0.25rem 1rem 0.25rem 0;
            border-bottom: 1px solid #8884;
          }
        </style>
      </head>
      <body>
        <h1>Berth</h1>
        ${view === null ? html`<p>Redis does not answer, so states are unknown.</p>` : ''}
        <h2>GPUs</h2>
        <table>
          <tr>
            <th>GPU</th>
            <th>Budget MiB</th>
            <th>Endpoints</th>
            <th>Reserved</th>
            <th>Claimed</th>
            <th>Foreign</th>
            <th>Free</th>
          </tr>
          ${gpus.map(
            (gpu) =>
              html`<tr>
                <td>${gpu.index}: ${gpu.product}</td>
                <td>${gpu.budgetMiB ?? 'unknown'}</td>
                <td>${gpu.endpointsMiB}</td>
                <td>${gpu.reservedMiB}</td>
                <td>${gpu.claimedMiB}</td>
                <td>${gpu.foreignMiB ?? 'unknown'}</td>
                <td>${gpu.freeMiB ?? 'unknown'}</td>
              </tr>`,
          )}
        </table>
        <h2>Models</h2>
        <table>
          <tr>
            <th>Model</th>
            <th>State</th>
            <th>Phase</th>
            <th>Memory MiB</th>
          </tr>
          ${catalog.models.map((model) => {
            const progress = view === null ? null : progressOf(view, model.name);
            const memory = progress?.endpoint?.allocations.map((allocation) => allocation.vramMiB).join(' + ') ?? '';
            return html`<tr>
              <td>${model.name}</td>
              <td>${progress?.state ?? 'unknown'}</td>
              <td>${progress?.phase ?? ''}</td>
              <td>${memory}</td>
            </tr>`;
          })}
        </table>
        <p>
          <a href="/v1/models">models</a> · <a href="/admin/v1/state">state</a> · <a href="/admin/queues">queue</a> ·
          <a href="/health/placement">placement health</a>
        </p>
      </body>
    </html>`;
}
