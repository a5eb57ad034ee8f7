import type { EngineMount, ModelName, PlacementRight } from '@berth/core';
import type { Secret } from './values/secret.ts';

/** A catalog as it is used: checked, frozen all through, every value in our units, every default filled in. */
export interface Catalog {
  /** Absolute path of the file it came from. */
  readonly path: string;
  readonly host: HostSettings;
  readonly protocol: ProtocolSettings;
  /** In the order of the file. */
  readonly models: readonly ModelSettings[];
  /** The model that each name or alias asks for. Has no prototype; read it with `findModel`. */
  readonly modelsByName: Readonly<Record<string, ModelSettings>>;
  /** Who may use the API; empty: everybody. */
  readonly keys: readonly KeySettings[];
  /** Who may use the admin API; empty: nobody if there are keys, else everybody. */
  readonly adminKeys: readonly AdminKeySettings[];
  /** What is allowed but seldom meant, for the log and for `berth check`. */
  readonly warnings: readonly CatalogProblem[];
}

/** One thing to change in the file. `message` says what is wrong and what to write instead. */
export interface CatalogProblem {
  /** 1-based; 1 where the file is missing altogether. */
  readonly line: number;
  readonly column: number;
  /** Dotted path in the file, such as `models.reranker.gpus`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
}

export type RuntimeKind = 'docker' | 'process';
export type EngineKind = 'vllm' | 'openai';

/** One GPU host: how engines run on it and how much of each GPU may be used. */
export interface HostSettings {
  readonly id: string;
  readonly runtime: RuntimeKind;
  /** MiB of each GPU left alone, after `budgetFraction`. */
  readonly reserveMiB: number;
  /** Share of each GPU's memory that may be used, over 0 and at most 1. */
  readonly budgetFraction: number;
  readonly docker: {
    /** Name of the engine network; `null`: derived from the installation's name. */
    readonly network: string | null;
    readonly gpuDriver: 'auto' | 'nvidia' | 'cdi';
  };
  /** Image in which nvidia-smi is run under `docker`. */
  readonly probeImage: string;
  /** Absolute path or volume name, mounted into engines as their Hugging Face cache. */
  readonly huggingfaceCache: string;
  /** Absolute path or volume name for what vLLM compiles; `null`: a volume derived from the installation's name. */
  readonly vllmCache: string | null;
  /** One entry per simulated GPU; empty: the GPUs are real. */
  readonly simulatedGpus: readonly SimulatedGpu[];
}

export interface SimulatedGpu {
  readonly name: string;
  readonly totalMiB: number;
}

/** Where a model's weights come from. */
export type ModelSource =
  | { readonly kind: 'hub'; readonly id: string }
  /** Absolute; mounted read-only into the engine under `docker`. */
  | { readonly kind: 'path'; readonly path: string };

/** One entry of the catalog with the defaults merged in. */
export interface ModelSettings {
  readonly name: ModelName;
  readonly aliases: readonly string[];
  /** The name, then the aliases: every name that a request may ask for. */
  readonly servedNames: readonly string[];
  readonly engine: EngineKind;
  /** `null` only for `engine: openai`. */
  readonly source: ModelSource | null;
  /** Image reference; `null` under `process`. */
  readonly image: string | null;
  /** Under `docker` it replaces the image's entrypoint, under `process` it is the program. `null`: the image's own, or `vllm serve`. */
  readonly command: readonly string[] | null;
  /** As written; `{port}` stands for the port that the engine is to listen on, here, in `command` and in `env`. */
  readonly args: readonly string[];
  /** Defaults and model merged, the model's winning. A value that looks secret is wrapped. */
  readonly env: Readonly<Record<string, string | Secret>>;
  /** Names of variables passed on from the orchestrator's own environment; `env` wins over them. */
  readonly envFrom: readonly string[];
  /** Empty under `process`. A source is an absolute path or the name of a Docker volume. */
  readonly volumes: readonly EngineMount[];
  /** Limit of `/dev/shm`, not an allocation; `null` under `process`. */
  readonly shmSizeBytes: number | null;
  /** Port inside the engine's container. Under `process` Berth picks a free one instead. */
  readonly port: number;
  readonly healthPath: string;
  /** A request that proves readiness, for `engine: openai`; `null`: `healthPath` alone does. */
  readonly probe: { readonly path: string; readonly body: Readonly<Record<string, unknown>> } | null;
  /** 0: on the CPU. More than one: tensor parallel. */
  readonly gpus: number;
  /** Requests that one edge replica sends to an endpoint of it at once. */
  readonly maxInFlight: number;
  readonly pinned: boolean;
  readonly preload: boolean;
  /** KV cache per GPU (in main memory when `gpus` is 0); `null` for `engine: openai`, which gets no vLLM flags. */
  readonly kvCacheBytes: number | null;
  /** MiB per GPU that the operator knows to be needed at least; `null`: unknown. Only ever used to refuse early. */
  readonly memoryAtLeastMiB: number | null;
  readonly idleTimeoutMs: number;
  readonly loadTimeoutMs: number;
  readonly pullTimeoutMs: number;
}

/** One key of the API. */
export interface KeySettings {
  /** For logs and messages. */
  readonly id: string;
  /** Of the key, 64 lower-case hex digits. */
  readonly sha256: Secret;
  /** The models that it may use. Requests by alias are judged by the model's own name. */
  readonly models: readonly ModelName[];
  /** The strongest one; it includes those before it. */
  readonly right: PlacementRight;
  /** Requests in flight per edge process; `null`: no limit. */
  readonly maxInFlight: number | null;
  /** Requests within any 60 s per edge process; `null`: no limit. */
  readonly requestsPerMinute: number | null;
}

/** One key of the admin API. */
export interface AdminKeySettings {
  readonly id: string;
  /** Of the key, 64 lower-case hex digits. */
  readonly sha256: Secret;
}

/** Durations and limits of requests, leases, placements and stops. Every one is a setting. */
export interface ProtocolSettings {
  readonly coldStart: {
    /** Longest wait of a call that does not stream. */
    readonly waitMs: number;
    /** Longest wait of a stream; `null`: the model's `loadTimeoutMs`. */
    readonly streamWaitMs: number | null;
    readonly heartbeatAfterMs: number;
    readonly heartbeatEveryMs: number;
    /** Waiters of a model that an edge replica lets in at first when the model is ready. */
    readonly letIn: number;
    /** Waiters per model over all edge replicas. */
    readonly maxWaiters: number;
  };
  readonly bodies: { readonly waitingBytes: number; readonly limitBytes: number; readonly retryLimitBytes: number };
  readonly requests: {
    /** Longest time from the end of a request to the head of an engine's answer; `null`: no limit. */
    readonly timeoutMs: number | null;
    /** Longest time to connect to an engine. */
    readonly connectTimeoutMs: number;
    /** Longest time without a byte of a request's body, while the edge wants one. */
    readonly bodyIdleTimeoutMs: number;
  };
  /** `idleTimeoutMs`: longest silence inside an answer, counting data only in a stream; and longest time that a client may take nothing of it. */
  readonly streams: { readonly idleTimeoutMs: number };
  readonly drain: { readonly timeoutMs: number };
  readonly residency: { readonly minimumMs: number; readonly idleMs: number };
  readonly stop: { readonly graceMs: number };
  /** `degradedMs`: how long ready models go on without Redis beyond their leases. */
  readonly redis: { readonly degradedMs: number };
  readonly leases: {
    readonly ttlMs: number;
    readonly renewMs: number;
    /** Waited on top of `ttlMs` before leases that Redis may have forgotten count as ended. */
    readonly quietMs: number;
  };
  readonly leader: { readonly ttlMs: number; readonly renewMs: number; readonly abortAfterMs: number };
  /** An engine counts as idle after so many readings of zero in a row, or after `unreadableMs` without a reading. */
  readonly engineIdle: { readonly samples: number; readonly everyMs: number; readonly unreadableMs: number };
  readonly memoryRelease: { readonly timeoutMs: number };
  readonly quarantine: { readonly baseMs: number; readonly maxMs: number };
  /** How long an address or a port that was handed out is not used again. */
  readonly addresses: { readonly reuseAfterMs: number };
}

/** The model that a request's `model` names, by its own name or by an alias; `undefined`: not in the catalog. */
export function findModel(catalog: Catalog, name: string): ModelSettings | undefined {
  return catalog.modelsByName[name];
}
