import { asId } from '@berth/core';
import type { EngineMount, ModelName } from '@berth/core';
import type { DefaultsInput, ModelInput } from '../schema/model-schema.ts';
import type { ModelSettings, ModelSource, RuntimeKind } from '../settings.ts';
import { parseDuration } from '../values/parse-duration.ts';
import { mebibytesUp, parseMemory } from '../values/parse-memory.ts';
import { looksSecret, Secret } from '../values/secret.ts';
import { isPath, resolveMountSource, resolvePath } from './resolve-path.ts';
import type { PathBase } from './resolve-path.ts';

/** What a model gets when neither it nor the catalog's defaults say otherwise. */
const BUILT_IN = {
  image: 'vllm/vllm-openai:v0.30.0',
  kvCacheBytes: parseMemory('4GiB'),
  shmSizeBytes: parseMemory('8GiB'),
  port: 8000,
  healthPath: '/health',
  idleTimeoutMs: parseDuration('15m'),
  loadTimeoutMs: parseDuration('30m'),
  pullTimeoutMs: parseDuration('60m'),
  maxInFlight: 10_000,
};

interface Surroundings {
  readonly defaults: DefaultsInput;
  readonly runtime: RuntimeKind;
  readonly base: PathBase;
}

/** One checked entry in our units, with the defaults merged in: `env` by variable, `volumes` by mount point, the rest as a whole. */
export function resolveModel(name: string, model: ModelInput, { defaults, runtime, base }: Surroundings): ModelSettings {
  const inDocker = runtime === 'docker';
  const isVllm = model.engine === 'vllm';
  return {
    name: asId<ModelName>(name),
    aliases: model.aliases,
    servedNames: [name, ...model.aliases],
    engine: model.engine,
    source: model.source === undefined ? null : resolveSource(model.source, base),
    image: inDocker ? (model.image ?? defaults.image ?? BUILT_IN.image) : null,
    command: model.command ?? null,
    args: model.args,
    env: wrapSecrets({ ...defaults.env, ...model.env }),
    envFrom: [...new Set([...(defaults.envFrom ?? []), ...(model.envFrom ?? [])])],
    volumes: inDocker ? mergeVolumes(defaults.volumes, model.volumes, base) : [],
    shmSizeBytes: inDocker ? (model.shmSize ?? defaults.shmSize ?? BUILT_IN.shmSizeBytes) : null,
    port: model.port ?? defaults.port ?? BUILT_IN.port,
    healthPath: model.healthPath ?? defaults.healthPath ?? BUILT_IN.healthPath,
    probe: model.probe ?? null,
    gpus: model.gpus,
    maxInFlight: model.maxInFlight ?? defaults.maxInFlight ?? BUILT_IN.maxInFlight,
    pinned: model.pinned,
    preload: model.preload,
    kvCacheBytes: isVllm ? (model.kvCache ?? defaults.kvCache ?? BUILT_IN.kvCacheBytes) : null,
    memoryAtLeastMiB: model.memory?.atLeast === undefined ? null : mebibytesUp(model.memory.atLeast),
    idleTimeoutMs: model.idleTimeout ?? defaults.idleTimeout ?? BUILT_IN.idleTimeoutMs,
    loadTimeoutMs: model.loadTimeout ?? defaults.loadTimeout ?? BUILT_IN.loadTimeoutMs,
    pullTimeoutMs: model.pullTimeout ?? defaults.pullTimeout ?? BUILT_IN.pullTimeoutMs,
  };
}

function resolveSource(source: string, base: PathBase): ModelSource {
  return isPath(source) ? { kind: 'path', path: resolvePath(source, base) } : { kind: 'hub', id: source };
}

function wrapSecrets(env: Readonly<Record<string, string>>): Record<string, string | Secret> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, looksSecret(name, value) ? new Secret(value) : value]));
}

function mergeVolumes(defaults: readonly string[] = [], own: readonly string[] = [], base: PathBase): EngineMount[] {
  const byTarget = new Map([...defaults, ...own].map((text) => parseVolume(text, base)).map((mount) => [mount.target, mount]));
  return [...byTarget.values()];
}

function parseVolume(text: string, base: PathBase): EngineMount {
  const [source = '', target = '', mode] = text.split(':');
  return { source: resolveMountSource(source, base), target, readOnly: mode === 'ro' };
}
