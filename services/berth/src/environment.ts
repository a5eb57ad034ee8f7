import { resolve } from 'node:path';
import { environmentFields, parseEnvironment, resolveCatalogPath } from '@berth/config';
import type { Secret } from '@berth/config';
import { z } from 'zod';

/** What the `berth` command itself reads from the environment; the services read the rest. */
export interface CommandSettings {
  readonly host: string;
  readonly port: number;
  /** `null`: Berth starts a Redis of its own. */
  readonly redisUrl: Secret | null;
  /** What `status` and `stop` show to an edge whose catalog has keys. */
  readonly adminKey: Secret | null;
  /** Absolute. */
  readonly catalogPath: string;
  readonly configIsSet: boolean;
  /** Absolute; holds logs, records and the private Redis' data. */
  readonly stateDirectory: string;
  readonly home: string;
  readonly dockerHost: string | undefined;
}

const schema = z.object({
  BERTH_HOST: environmentFields.host('127.0.0.1'),
  BERTH_PORT: environmentFields.port(8000),
  BERTH_REDIS_URL: environmentFields.redisUrl().optional(),
  BERTH_ADMIN_KEY: environmentFields.secret().optional(),
  BERTH_CONFIG: environmentFields.path().optional(),
  DOCKER_HOST: z.string().optional(),
  HOME: z.string().optional(),
});

/** Throws `INVALID_SETTINGS` with every problem at once. */
export function readCommandSettings(env: NodeJS.ProcessEnv, cwd: string): CommandSettings {
  const parsed = parseEnvironment(schema, env);
  return {
    host: parsed.BERTH_HOST,
    port: parsed.BERTH_PORT,
    redisUrl: parsed.BERTH_REDIS_URL ?? null,
    adminKey: parsed.BERTH_ADMIN_KEY ?? null,
    catalogPath: resolveCatalogPath({ BERTH_CONFIG: parsed.BERTH_CONFIG, cwd }),
    configIsSet: parsed.BERTH_CONFIG !== undefined,
    stateDirectory: resolve(cwd, '.berth'),
    home: parsed.HOME ?? cwd,
    dockerHost: parsed.DOCKER_HOST,
  };
}

/** The address to call an edge at that listens on `host`. */
export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const callable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${callable.includes(':') && !callable.startsWith('[') ? `[${callable}]` : callable}:${port}`;
}
