/** Receives what an adapter cannot throw: a fixed lower-case phrase in the past tense, and fields. */
export type RedisLog = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Which Redis, for which GPU host. */
export interface RedisTarget {
  /** `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. */
  readonly url: string;
  readonly hostId: string;
  /** Connection trouble and the like; never a password. */
  readonly log: RedisLog;
}
