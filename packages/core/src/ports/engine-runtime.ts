import type { EngineHandle, Generation, GpuUuid, InstallationId, LaunchSignature, ModelName } from '../ids.ts';
import type { EndpointUrls } from '../lifecycle/endpoint.ts';
import type { GpuAllocation } from '../memory/allocation.ts';

export interface EngineMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** A folder of the host that is made when it is missing: our caches. What the catalog mounts must be there. */
  readonly createSource?: boolean;
}

/** What an engine's container or process record carries, so that it can be adopted when everything else is lost. */
export interface EngineIdentity {
  readonly installationId: InstallationId;
  readonly hostId: string;
  readonly generation: Generation;
  readonly model: ModelName;
  readonly signature: LaunchSignature;
  readonly imageId: string;
  readonly hasCounter: boolean;
  readonly servedNames: readonly string[];
  /** What was reserved for it. */
  readonly allocations: readonly GpuAllocation[];
  readonly discovery: boolean;
  readonly kvCacheBytes: number | null;
  readonly port: number;
  readonly createdAtMs: number;
}

/** All that a runtime needs to create one engine. */
export interface EngineSpec extends EngineIdentity {
  /** Unique per generation. */
  readonly containerName: string;
  /** Image reference under `docker`; ignored under `process`. */
  readonly image: string;
  /** Replaces the image's entrypoint, or names the program under `process`. `null`: the image's own (or `vllm serve`). */
  readonly command: readonly string[] | null;
  /** Arguments after the entrypoint; `{port}` stands for the port the engine is to listen on, here as in `command`. */
  readonly args: readonly string[];
  /** In plain text; adapters never log it. */
  readonly env: Readonly<Record<string, string>>;
  /** Devices given to it; empty for the CPU; `all` only where no reading tells which there are. */
  readonly gpuUuids: readonly GpuUuid[] | 'all';
  readonly mounts: readonly EngineMount[];
  readonly shmSizeBytes: number | null;
  /** Grace that the runtime's own stop default must exceed. */
  readonly stopGraceMs: number;
}

export interface EngineStatus {
  readonly state: 'created' | 'running' | 'exited';
  /** `null` while it lives, or where the runtime cannot know. */
  readonly exitCode: number | null;
  readonly startedAtMs: number | null;
  readonly urls: EndpointUrls;
}

export interface RunningEngine {
  readonly handle: EngineHandle;
  readonly containerName: string;
  /** `null` where the labels cannot be read as this version's. */
  readonly identity: EngineIdentity | null;
  readonly status: EngineStatus;
}

export interface PullProgress {
  /** 0..1 over all layers; `null` until sizes are known. */
  readonly fraction: number | null;
  readonly message: string;
}

/**
 * Runs engines: as containers, or as processes of this machine. Every operation is safe to repeat: "already there", "already
 * started" and "already gone" are success. Throws `DOCKER_UNAVAILABLE` (retryable) when the Docker engine cannot be reached.
 */
export interface EngineRuntime {
  readonly kind: 'docker' | 'process';
  /** Id of what would run now; `null` when the image is not on this machine. Throws `IMAGE_MISSING` for a program that is not there. */
  resolveImageId(image: string, command: readonly string[] | null): Promise<string | null>;
  /** Pulls an image and returns its id. Throws `IMAGE_MISSING` with the registry's answer. */
  pullImage(
    image: string,
    options: { readonly onProgress: (progress: PullProgress) => void; readonly signal: AbortSignal },
  ): Promise<string>;
  /** Creates without starting. An engine of that name that exists is returned as it is. Throws `IMAGE_MISSING`, `ENGINE_START_FAILED`. */
  createEngine(spec: EngineSpec): Promise<EngineHandle>;
  /** Throws `ENGINE_START_FAILED` when the runtime cannot start it (no such device, port taken), with the runtime's text. */
  startEngine(handle: EngineHandle): Promise<void>;
  /** `null` when it is gone. */
  inspectEngine(handle: EngineHandle): Promise<EngineStatus | null>;
  /** SIGTERM, and SIGKILL after `graceMs`; with `graceMs` 0 SIGKILL at once. Returns when no process of it is left; keeps the log. */
  stopEngine(handle: EngineHandle, options: { readonly graceMs: number }): Promise<void>;
  /** Removes what is left of a stopped engine, its log included. */
  removeEngine(handle: EngineHandle): Promise<void>;
  /** Every engine of this installation and host, running or not. */
  listEngines(): Promise<readonly RunningEngine[]>;
  /** Host process ids of all its processes; empty when it is gone. */
  processIds(handle: EngineHandle): Promise<readonly number[]>;
  /** The last lines it wrote, oldest first; empty when it is gone. */
  readLog(handle: EngineHandle, options: { readonly lines: number }): Promise<readonly string[]>;
  /** Calls back within 2 s of an engine's exit, at least once each; missed ones are found by `inspectEngine`. */
  watchExits(onExit: (handle: EngineHandle) => void): Promise<AsyncDisposable>;
}
