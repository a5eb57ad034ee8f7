import type {
  EndpointRegistry,
  EngineClient,
  EngineRuntime,
  Endpoint,
  Generation,
  InstallationId,
  LaunchSignature,
  ModelName,
  PlacementWorker,
  Term,
} from '@berth/core';
import type { Catalog, ModelSettings } from '@berth/config';
import type { Logger } from '@berth/telemetry';
import type { FootprintBook } from '../learn/footprint-book.ts';
import type { MemoryNotes } from '../snapshot/memory-notes.ts';
import type { DrainWatches } from '../tasks/drain-watch.ts';
import type { Reach } from '../tasks/engine-url.ts';
import type { ExitNotices } from '../tasks/exit-notices.ts';
import type { GpuMonitor } from '../tasks/gpu-monitor.ts';
import type { LoadWatches } from '../tasks/load-watch.ts';
import type { PullTasks } from '../tasks/pull-tasks.ts';
import type { OrphanStops } from '../tasks/orphan-stops.ts';
import type { StopTasks } from '../tasks/stop-tasks.ts';
import type { PlacementNotes } from '../steps/placement-notes.ts';
import type { OrchestratorMetrics } from '../telemetry/orchestrator-metrics.ts';
import type { HostClock } from './host-clock.ts';
import type { ImageIds } from './image-ids.ts';
import type { RuntimeOutage } from './runtime-outage.ts';

/** What the orchestrator is made of; lives as long as the process. */
export interface Host {
  readonly catalog: Catalog;
  /** By model name. */
  readonly signatures: ReadonlyMap<ModelName, LaunchSignature>;
  readonly installationId: InstallationId;
  readonly reach: Reach;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly vllmCacheVolume: string;
  /** Where this process sees the Hugging Face cache; `null`: where the catalog says. */
  readonly huggingfaceHome: string | null;
  readonly registry: EndpointRegistry;
  readonly jobs: PlacementWorker;
  readonly runtime: EngineRuntime;
  readonly engines: EngineClient;
  readonly gpus: GpuMonitor;
  readonly clock: HostClock;
  readonly log: Logger;
  readonly metrics: OrchestratorMetrics;
  /** Takes the secrets that this process knows out of a text that others wrote. */
  readonly sieve: (text: string) => string;
  /** What else is wrong, for people: the footprints' mirror. */
  readonly problems: () => readonly { readonly code: string; readonly message: string }[];
  /** Preloading is for the start of the process, not for every term that follows. */
  readonly preloading: { done: boolean };
}

/** What one term of leadership works with. Everything in it ends with the term and can be rebuilt from the registry. */
export interface TermContext extends Host {
  readonly term: Term;
  readonly book: FootprintBook;
  readonly images: ImageIds;
  readonly loads: LoadWatches;
  readonly drains: DrainWatches;
  readonly stops: StopTasks;
  readonly orphans: OrphanStops;
  readonly pulls: PullTasks;
  readonly exits: ExitNotices;
  readonly outage: RuntimeOutage;
  readonly memory: MemoryNotes;
  /** Remedies tried since a model was last ready, so that each is tried once. */
  readonly triedRemedies: Map<ModelName, Set<string>>;
  /** When tending last did what it does only now and then. */
  readonly lastDone: { orphansSoughtAtMs: number; remeasuredAtMs: number };
  /** Placement jobs that run, for their logs. */
  readonly placements: PlacementNotes;
  /** Bugs met by an endpoint's steps, in a row. */
  readonly bugs: Map<Generation, number>;
}

/** The catalog's entry of a model; `undefined` when the model is no longer in it. */
export function settingsOf(host: Pick<Host, 'catalog'>, model: ModelName): ModelSettings | undefined {
  return host.catalog.models.find((entry) => entry.name === model);
}

/**
 * Whether an endpoint is what the catalog would start now: the launch signature, and every name that a request may ask for. A vLLM knows
 * the aliases that it was started with and no others.
 */
export function isCurrent(
  host: Pick<Host, 'catalog' | 'signatures'>,
  endpoint: Pick<Endpoint, 'model' | 'signature' | 'servedNames'>,
): boolean {
  const model = settingsOf(host, endpoint.model);
  if (model === undefined || host.signatures.get(endpoint.model) !== endpoint.signature) return false;
  return model.engine !== 'vllm' || model.servedNames.every((name) => endpoint.servedNames.includes(name));
}
