import { Hono } from 'hono';
import type { PlacementHealth, Readiness } from '@berth/contracts';
import { isOperationalError } from '@berth/core';
import type { EdgeSession } from '@berth/core';
import type { PlacementView, PlacementWatch } from '../placement/placement-watch.ts';

interface Problem {
  code: string;
  message: string;
}

/** A placement that somebody waits for and that was not reported for this long makes no progress: every step reports, at least every 2 s. */
const STUCK_AFTER_MS = 60_000;

/** `/health/live`, `/health/ready` and `/health/placement`. */
export function health(parts: {
  readonly session: EdgeSession;
  readonly watch: PlacementWatch;
  readonly lifecycle: { readonly shuttingDown: boolean };
  readonly nowMs: () => number;
}): Hono {
  const { session, watch, lifecycle, nowMs } = parts;
  const hono = new Hono();
  hono.get('/health/live', (context) => context.json({ status: 'alive' }));
  hono.get('/health/ready', (context) => {
    const status = lifecycle.shuttingDown ? 'stopping' : session.synced ? 'ready' : 'starting';
    const body: Readiness = { status, degraded: sessionProblems(session, nowMs()) };
    return context.json(body, status === 'ready' ? 200 : 503);
  });
  hono.get('/health/placement', async (context) => {
    const body = await placementHealth(watch);
    return context.json(body, body.status === 'failing' ? 503 : 200);
  });
  return hono;
}

function sessionProblems(session: EdgeSession, nowMs: number): Problem[] {
  if (session.failingSinceMs === null) return [];
  const seconds = Math.max(0, Math.round((nowMs - session.failingSinceMs) / 1000));
  return [
    { code: 'REDIS_UNAVAILABLE', message: `Redis has not answered this edge for ${seconds} s; models that are ready go on for a while.` },
  ];
}

/** Learning that is switched off still lets models run, one at a time, so it degrades; without Redis or a leader nothing is placed. */
async function placementHealth(watch: PlacementWatch): Promise<PlacementHealth> {
  let view: PlacementView;
  try {
    view = await watch.read();
  } catch (error) {
    if (!isOperationalError(error)) throw error;
    return { status: 'failing', problems: [{ code: error.code, message: error.message }], degraded: [] };
  }
  const { leader } = view;
  if (leader === null) {
    const message = 'No orchestrator leads this GPU host, so no model is started or stopped. Start one with `berth orchestrator`.';
    return { status: 'failing', problems: [{ code: 'ORCHESTRATOR_UNAVAILABLE', message }], degraded: [] };
  }
  const problems = stuckPlacements(view);
  const degraded: Problem[] = (leader.host?.problems ?? []).map(({ code, message }) => ({ code, message }));
  if (leader.host?.readingsAvailable === false && !degraded.some(({ code }) => code === 'GPU_PROBE_FAILED')) {
    degraded.push({ code: 'GPU_PROBE_FAILED', message: 'nvidia-smi gives no readings: nothing is learned, and one model runs at a time.' });
  }
  return { status: problems.length > 0 ? 'failing' : degraded.length > 0 ? 'degraded' : 'ok', problems, degraded };
}

function stuckPlacements(view: PlacementView): Problem[] {
  const { edges, nowMs } = view.registry;
  const longWaited = edges.flatMap(({ waiters }) => waiters.filter((waiter) => nowMs - waiter.oldestArrivedAtMs >= STUCK_AFTER_MS));
  return [...new Set(longWaited.map(({ model }) => model))].flatMap((model) => {
    const status = view.statuses.get(model);
    const stillMs = status === undefined ? STUCK_AFTER_MS : nowMs - status.updatedAtMs;
    if (stillMs < STUCK_AFTER_MS) return [];
    const stage = status === undefined ? 'has not begun' : `has stood at ${status.stage}`;
    return [
      {
        code: 'PLACEMENT_TIMEOUT',
        message: `The placement of ${model} ${stage} for ${Math.round(stillMs / 1000)} s. See the orchestrator's log.`,
      },
    ];
  });
}
