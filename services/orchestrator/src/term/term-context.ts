import type {
  EndpointRegistry,
  EngineClient,
  EngineRuntime,
  GpuUuid,
  InstallationId,
  LaunchSignature,
  ModelName,
  PlacementWorker,
  Term,
} from '@berth/core';
import type { Catalog, ModelSettings } from '@berth/config';
import type { Logger } from '@berth/telemetry';
import type { FootprintBook } from '../learn/footprint-book.ts';
import type { DrainWatches } from '../tasks/drain-watch.ts';
import type { Reach } from '../tasks/engine-url.ts';
import type { ExitNotices } from '../tasks/exit-notices.ts';
import type { GpuMonitor } from '../tasks/gpu-monitor.ts';
import type { LoadWatches } from '../tasks/load-watch.ts';
import type { PullTasks } from '../tasks/pull-tasks.ts';
import type { StopTasks } from '../tasks/stop-tasks.ts';
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
}

/** What one term of leadership works with. Everything in it ends with the term and can be rebuilt from the registry. */
export interface TermContext extends Host {
  readonly term: Term;
  readonly book: FootprintBook;
  readonly images: ImageIds;
  readonly loads: LoadWatches;
  readonly drains: DrainWatches;
  readonly stops: StopTasks;
  readonly pulls: PullTasks;
  readonly exits: ExitNotices;
  readonly outage: RuntimeOutage;
  /** Last foreign memory per GPU that was seen while nothing started or stopped there. */
  readonly settledForeignMiB: Map<GpuUuid, number>;
  /** Remedies tried since a model was last ready, so that each is tried once. */
  readonly triedRemedies: Map<ModelName, Set<string>>;
  readonly orphansSought: { atMs: number };
  /** The last plan that was told of each placement, so that a job's log has one row per change. */
  readonly lastPlanRows: Map<ModelName, string>;
}

/** The catalog's entry of a model; `undefined` when the model is no longer in it. */
export function settingsOf(host: Pick<Host, 'catalog'>, model: ModelName): ModelSettings | undefined {
  return host.catalog.models.find((entry) => entry.name === model);
}
