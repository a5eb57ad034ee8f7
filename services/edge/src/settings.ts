import { z } from 'zod';
import { environmentFields, parseEnvironment } from '@berth/config';
import type { Reach } from '@berth/config';

/** What the application itself needs to know of its process. */
export interface EdgeAppSettings {
  /** Names this process in wishes. */
  readonly replicaId: string;
  /** How this edge reaches endpoints. */
  readonly reach: Reach;
  /** Pauses before the second and third attempt on an endpoint that cannot be reached; an orchestrator notices an exit within 2 s. */
  readonly retryPausesMs: readonly number[];
  /** How long an engine may have a request of those who waited before another one is let in. */
  readonly letInPatienceMs: number;
}

/** What `startEdge` needs, in our units. */
export interface EdgeSettings {
  readonly host: string;
  readonly port: number;
  readonly redisUrl: string;
  /** Path of the catalog; `null`: looked for as everywhere. */
  readonly configPath: string | null;
  readonly reach: Reach;
  readonly logLevel: z.infer<(typeof environmentSchema)['shape']['BERTH_LOG_LEVEL']>;
  /** Values that no log may show. */
  readonly secrets: readonly string[];
  /** How long requests in flight may go on after the stop signal. */
  readonly shutdownGraceMs: number;
  /** Edge replicas, each in a process of its own, behind the one port. */
  readonly workers: number;
}

export const RETRY_PAUSES_MS: readonly number[] = [500, 2500];
export const LET_IN_PATIENCE_MS = 5000;

const environmentSchema = z.object({
  BERTH_HOST: environmentFields.host('127.0.0.1'),
  BERTH_PORT: environmentFields.port(8000),
  BERTH_REDIS_URL: environmentFields.redisUrl().prefault('redis://127.0.0.1:6379'),
  BERTH_CONFIG: environmentFields.path().optional(),
  BERTH_REACH: environmentFields.reach('address'),
  BERTH_LOG_LEVEL: environmentFields.logLevel(),
  BERTH_EDGE_WORKERS: z.coerce.number({ error: 'is no number. Write how many processes, or auto' }).int().min(1).max(64).default(1),
  BERTH_SHUTDOWN_GRACE_MS: z.coerce.number({ error: 'is not a number of milliseconds' }).int().min(0).default(10_000),
});

/** Reads the edge's settings from environment variables. Throws `INVALID_SETTINGS` that names every variable that is wrong. */
export function readEdgeSettings(environment: Readonly<Record<string, string | undefined>>): EdgeSettings {
  const values = parseEnvironment(environmentSchema, environment);
  const redisUrl = values.BERTH_REDIS_URL.reveal();
  return Object.freeze({
    host: values.BERTH_HOST,
    port: values.BERTH_PORT,
    redisUrl,
    configPath: values.BERTH_CONFIG ?? null,
    reach: values.BERTH_REACH,
    logLevel: values.BERTH_LOG_LEVEL,
    secrets: [decodeURIComponent(new URL(redisUrl).password)].filter((secret) => secret !== ''),
    shutdownGraceMs: values.BERTH_SHUTDOWN_GRACE_MS,
    workers: values.BERTH_EDGE_WORKERS,
  });
}
