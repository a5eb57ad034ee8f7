import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isOperationalError } from '@berth/core';
import { readEdgeSettings, startEdge } from '@berth/edge';
import type { EdgeSettings } from '@berth/edge';
import { createLogger } from '@berth/telemetry';
import type { Logger } from '@berth/telemetry';
import { scrapeAllWorkers } from '../edge-workers/scrape-workers.ts';
import { startEdgeWorkers } from '../edge-workers/start-edge-workers.ts';
import type { CommandContext } from './command.ts';
import { runService } from './run-service.ts';

/**
 * `berth edge [--workers N]`: one edge replica, or so many in processes of their own behind one port (`auto`: one per core), until a signal.
 * A worker runs the same command line.
 */
export async function edge({ args, env, print }: CommandContext): Promise<number> {
  const settings = readSettings(args, env);
  const logger = createLogger({ service: 'edge', level: settings.logLevel, secrets: settings.secrets });
  if (cluster.isWorker) return runWorker(settings, logger);
  const { workers: count, shutdownGraceMs: graceMs } = settings;
  const start = async () => (count === 1 ? startEdge(settings, logger) : startEdgeWorkers({ count, graceMs, logger }));
  return runService({ start, print });
}

/** Why it does not start is told to the process that started it, which prints it once for all workers. */
async function runWorker(settings: EdgeSettings, logger: Logger): Promise<number> {
  try {
    return await runService({ start: async () => startEdge(settings, logger, { scrapeAll: scrapeAllWorkers }), print: () => undefined });
  } catch (error) {
    if (isOperationalError(error)) return 1;
    throw error;
  }
}

/** The flag wins over `BERTH_EDGE_WORKERS`. Throws `INVALID_SETTINGS`. */
function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): EdgeSettings {
  const { values } = parseArgs({ args: [...args], options: { workers: { type: 'string' } } });
  const workers = values.workers ?? env['BERTH_EDGE_WORKERS'];
  return readEdgeSettings({ ...env, BERTH_EDGE_WORKERS: workers === 'auto' ? String(availableParallelism()) : workers });
}
