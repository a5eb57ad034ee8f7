/** What every process of a fault run is told, as one JSON argument. */
export interface ProcessSettings {
  readonly redisUrl: string;
  readonly enginesUrl: string;
  readonly hostId: string;
  readonly models: readonly string[];
  readonly slots: number;
  readonly leaseTtlMs: number;
  readonly leaseRenewMs: number;
  readonly degradedMs: number;
  readonly leader: { readonly ttlMs: number; readonly renewMs: number; readonly abortAfterMs: number };
  /** Longest request. */
  readonly longestMs: number;
  readonly clientsPerEdge: number;
  readonly drainTimeoutMs: number;
  /** Stops what drains without asking who uses it, to prove that broken requests are counted. */
  readonly careless: boolean;
}

export function readProcessSettings(): ProcessSettings {
  return JSON.parse(process.argv[2] ?? '{}') as ProcessSettings;
}
