import { z } from 'zod';
import { OperationalError } from '@berth/core';
import type { Reach } from './proxy/upstream.ts';

/** What the application itself needs to know of its process. */
export interface EdgeAppSettings {
  /** Names this process in wishes. */
  readonly replicaId: string;
  /** How this edge reaches endpoints. */
  readonly reach: Reach;
  /** Pauses before the second and third attempt on an endpoint that cannot be reached; an orchestrator notices an exit within 2 s. */
  readonly retryPausesMs: readonly number[];
}

/** What `startEdge` needs, in our units. */
export interface EdgeSettings {
  readonly host: string;
  readonly port: number;
  readonly redisUrl: string;
  /** Path of the catalog; `null`: looked for as everywhere. */
  readonly configPath: string | null;
  readonly reach: Reach;
  readonly logLevel: z.infer<typeof logLevelSchema>;
  /** Values that no log may show. */
  readonly secrets: readonly string[];
  /** How long requests in flight may go on after the stop signal. */
  readonly shutdownGraceMs: number;
}

export const RETRY_PAUSES_MS: readonly number[] = [500, 2500];

const logLevelSchema = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);

const environmentSchema = z.object({
  BERTH_HOST: z.string().min(1).default('127.0.0.1'),
  BERTH_PORT: z.coerce.number({ error: 'is not a port number; set it to 0..65535' }).int().min(0).max(65_535).default(8000),
  BERTH_REDIS_URL: z.url({ protocol: /^rediss?$/u, error: 'is not a redis:// or rediss:// URL' }).default('redis://127.0.0.1:6379'),
  BERTH_CONFIG: z.string().min(1).optional(),
  BERTH_REACH: z.enum(['name', 'address', 'loopback'], { error: 'is none of name, address, loopback' }).default('address'),
  BERTH_LOG_LEVEL: logLevelSchema.default('info'),
  BERTH_SHUTDOWN_GRACE_MS: z.coerce.number({ error: 'is not a number of milliseconds' }).int().min(0).default(10_000),
});

/** Reads the edge's settings from environment variables. Throws `INVALID_SETTINGS` that names every variable that is wrong. */
export function readEdgeSettings(environment: Readonly<Record<string, string | undefined>>): EdgeSettings {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''));
  const result = environmentSchema.safeParse(set);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new OperationalError({
      code: 'INVALID_SETTINGS',
      message: `The edge's environment is not usable:\n  ${problems.join('\n  ')}`,
      retryable: false,
      details: { problems },
    });
  }
  const values = result.data;
  return Object.freeze({
    host: values.BERTH_HOST,
    port: values.BERTH_PORT,
    redisUrl: values.BERTH_REDIS_URL,
    configPath: values.BERTH_CONFIG ?? null,
    reach: values.BERTH_REACH,
    logLevel: values.BERTH_LOG_LEVEL,
    secrets: [decodeURIComponent(new URL(values.BERTH_REDIS_URL).password)].filter((secret) => secret !== ''),
    shutdownGraceMs: values.BERTH_SHUTDOWN_GRACE_MS,
  });
}
