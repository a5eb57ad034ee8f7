import { z } from 'zod';
import { textLike } from '../schema/fields.ts';
import { Secret } from '../values/secret.ts';

/** How an edge reaches endpoints: by container name, by bridge address, or by a port on 127.0.0.1. */
export type Reach = 'name' | 'address' | 'loopback';

/**
 * Fields of the services' environments, to be composed into one `z.object` per service. The key says which variable a field is made for.
 * All texts arrive non-empty: `parseEnvironment` drops empty ones.
 */
export const environmentFields = {
  /** `BERTH_PORT`. 0 asks the system for a free one. */
  port: (fallback: number) =>
    textLike(/^\d{1,5}$/, 'Write a port from 0 to 65535', 'TCP port')
      .transform(Number)
      .refine((port) => port <= 65_535, { error: 'is no port. Write a port from 0 to 65535' })
      .default(fallback),
  /** `BERTH_HOST`: the address to listen on. */
  host: (fallback: string) =>
    textLike(/^[A-Za-z0-9:.\-[\]]+$/, 'Write an address such as 127.0.0.1 or 0.0.0.0', 'Address to listen on').default(fallback),
  /** `BERTH_REDIS_URL`. It may carry a password, so it is a `Secret` and is never quoted. */
  redisUrl: () =>
    z
      .string({ error: 'is missing. Write redis://host:6379, or rediss:// for TLS' })
      .refine(isRedisUrl, { error: 'is no Redis URL. Write redis://host:6379, with user:password@ before the host if it takes one' })
      .transform((url) => new Secret(url)),
  /** `HF_TOKEN` and the like. */
  secret: () => z.string().transform((text) => new Secret(text.trim())),
  /** `BERTH_CONFIG`, `BERTH_FOOTPRINTS_FILE`: relative to the working folder; resolved by who reads it. */
  path: () => z.string(),
  /** `BERTH_INSTALLATION`: begins the names of networks, volumes and containers. */
  installation: () =>
    textLike(
      /^[a-z0-9][a-z0-9_.-]{0,39}$/,
      'Write lower-case letters, digits, _, . and -, at most 40, beginning with a letter or digit',
      'Name of this installation',
    ).default('berth'),
  /** `BERTH_REACH`. */
  reach: (fallback: Reach) => z.enum(['name', 'address', 'loopback']).default(fallback),
  /** `BERTH_LOG_LEVEL`, in pino's words. */
  logLevel: () => z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
} as const;

function isRedisUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '';
}
