import type { EngineMount, EngineSpec, Generation, GpuAllocation, GpuUuid, InstallationId, LaunchSignature } from '@berth/core';
import { engineEnvironment, revealed, type Catalog, type ModelSettings } from '@berth/config';
import { launchArguments, versionOfImage, type VllmVersion } from '@berth/vllm';

/** A container's name is also its DNS label: at most 63 characters. */
const SLUG_CHARACTERS = 24;
const CONTAINER_HUGGINGFACE_HOME = '/root/.cache/huggingface';
const CONTAINER_VLLM_CACHE = '/root/.cache/vllm';
const CONTAINER_MODELS = '/models';

export interface LaunchOptions {
  readonly catalog: Catalog;
  readonly model: ModelSettings;
  readonly signature: LaunchSignature;
  readonly generation: Generation;
  readonly imageId: string;
  readonly allocations: readonly GpuAllocation[];
  /** `all` where no reading tells which GPUs there are. */
  readonly gpuUuids: readonly GpuUuid[] | 'all';
  readonly discovery: boolean;
  /** KV cache per GPU, the learned raise included; `null` where Berth does not pin it. */
  readonly kvCacheBytes: number | null;
  readonly installationId: InstallationId;
  /** Name of the volume with vLLM's compiled code where the catalog names none. */
  readonly vllmCacheVolume: string;
  readonly createdAtMs: number;
  /** The orchestrator's own environment, for `envFrom` and `HF_TOKEN`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Name of the container of one generation: readable, unique, and never used again. */
export function containerNameOf(installationId: InstallationId, model: string, generation: Generation): string {
  const slug = model
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_CHARACTERS)
    .replaceAll(/^-+|-+$/g, '');
  return `berth-${installationId.slice(0, 8)}-${slug === '' ? 'model' : slug}-${generation}`;
}

/** Everything a runtime needs to start one generation of a model. Nothing of a request reaches it. */
export function buildEngineSpec(options: LaunchOptions): EngineSpec {
  const { catalog, model, generation, installationId } = options;
  const inContainer = catalog.host.runtime === 'docker';
  return {
    installationId,
    hostId: catalog.host.id,
    generation,
    model: model.name,
    signature: options.signature,
    imageId: options.imageId,
    hasCounter: model.engine === 'vllm',
    servedNames: model.servedNames,
    allocations: options.allocations,
    discovery: options.discovery,
    kvCacheBytes: options.kvCacheBytes,
    port: model.port,
    createdAtMs: options.createdAtMs,
    containerName: containerNameOf(installationId, model.name, generation),
    image: model.image ?? '',
    command: model.command,
    args: argumentsOf(options, inContainer),
    env: environmentOf(options, inContainer),
    gpuUuids: options.gpuUuids,
    mounts: inContainer ? mountsOf(options) : [],
    shmSizeBytes: model.shmSizeBytes,
    stopGraceMs: catalog.protocol.stop.graceMs,
  };
}

function argumentsOf({ model, kvCacheBytes }: LaunchOptions, inContainer: boolean): readonly string[] {
  if (model.engine === 'openai') return model.args;
  return launchArguments({
    source: sourceOf(model, inContainer),
    servedNames: model.servedNames,
    args: model.args,
    kvCacheBytes: kvCacheBytes ?? model.kvCacheBytes ?? 0,
    gpuCount: model.gpus,
    port: '{port}',
    host: inContainer ? '0.0.0.0' : '127.0.0.1',
    version: versionOf(model),
  });
}

/** `null` where the image's tag does not tell, and for a program of this machine. */
export function versionOf(model: ModelSettings): VllmVersion | null {
  return model.image === null ? null : versionOfImage(model.image);
}

function sourceOf(model: ModelSettings, inContainer: boolean): string {
  if (model.source === null) return model.name;
  if (model.source.kind === 'hub') return model.source.id;
  return inContainer ? modelMount(model, model.source.path).target : model.source.path;
}

function modelMount(model: ModelSettings, path: string): EngineMount {
  return { source: path, target: `${CONTAINER_MODELS}/${model.name}`, readOnly: true };
}

function mountsOf({ catalog, model, vllmCacheVolume }: LaunchOptions): readonly EngineMount[] {
  if (model.engine === 'openai') return model.volumes;
  return [
    { source: catalog.host.huggingfaceCache, target: CONTAINER_HUGGINGFACE_HOME, readOnly: false, createSource: true },
    { source: catalog.host.vllmCache ?? vllmCacheVolume, target: CONTAINER_VLLM_CACHE, readOnly: false, createSource: true },
    ...(model.source?.kind === 'path' ? [modelMount(model, model.source.path)] : []),
    ...model.volumes,
  ];
}

function environmentOf({ catalog, model, environment }: LaunchOptions, inContainer: boolean): Readonly<Record<string, string>> {
  const defaults: Record<string, string> = {};
  if (model.engine === 'vllm') {
    defaults['HF_HOME'] = inContainer ? CONTAINER_HUGGINGFACE_HOME : catalog.host.huggingfaceCache;
    // vLLM's own start-up limit leaves an engine holding its GPU when it strikes; ours ends the whole container.
    defaults['VLLM_ENGINE_READY_TIMEOUT_S'] = String(Math.ceil(model.loadTimeoutMs / 1000));
    // nvidia-smi counts in PCI order, CUDA by speed: on mixed cards they differ.
    defaults['CUDA_DEVICE_ORDER'] = 'PCI_BUS_ID';
    // Triton's cache is outside vLLM's own; without this every new container compiles its kernels again.
    if (inContainer) defaults['TRITON_CACHE_DIR'] = `${CONTAINER_VLLM_CACHE}/triton`;
  }
  const { env } = engineEnvironment(model, { own: environment, port: '{port}' });
  return { ...defaults, ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, revealed(value)])) };
}
