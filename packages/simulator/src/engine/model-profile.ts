/** What kind of model it is; decides the routes and the line `Supported tasks: […]`. */
export type ModelTask = 'generate' | 'embed' | 'score' | 'classify' | 'transcription';

/** Steps of a start, in order. SIGTERM acts differently in each (vLLM 0.32.0, measured; see README.md). */
export const startPhases = ['import', 'engine-import', 'device', 'weights', 'profile', 'compile', 'graphs', 'server'] as const;
export type StartPhase = (typeof startPhases)[number];

/**
 * Everything that can be set about a simulated model. Memory is for the whole model; tensor parallel divides weights and KV bytes per
 * token by the number of GPUs. Each key can be set in `models.json` and by `SIMULATED_ENGINE_…` in the engine's environment.
 */
export interface ModelProfile {
  weightsMiB: number;
  kvBytesPerToken: number;
  maxModelLen: number;
  /** CUDA context, per GPU, taken first. */
  contextMiB: number;
  /** Peak of a prefill of a full batch (`--max-num-batched-tokens`), per GPU; taken in proportion at the first prefill and kept. */
  activationMiB: number;
  graphsMiB: number;
  /** Taken at every request and kept, per GPU: an engine that outgrows what was measured at ready. */
  growthMiBPerRequest: number;
  task: ModelTask;

  importMs: number;
  engineImportMs: number;
  deviceMs: number;
  weightsMs: number;
  profileMs: number;
  compileMs: number;
  captureMs: number;
  serverMs: number;

  timeToFirstTokenMs: number;
  tokenDelayMs: number;
  /** Time from SIGTERM to the end of the process, with no socket open. */
  exitMs: number;
  /** Time that the memory stays in use after the process is gone. */
  slowReleaseMs: number;
  /** Time that EngineCore lives on after its API server was killed. */
  orphanMs: number;

  /** Fault: the engine dies when this phase begins, with `crashExitCode`. */
  crashAtPhase: StartPhase | '';
  /** Fault: the whole engine exits with `crashExitCode` this long after it became ready; 0 is never. */
  crashAfterReadyMs: number;
  crashExitCode: number;
  /** Fault: the load fails with CUDA out of memory although it fits. */
  outOfMemoryAtStart: boolean;
  /** Fault: the model is neither in the cache nor to be had. */
  modelMissing: boolean;
  /** Fault: loads for ever; the port stays closed. */
  neverReady: boolean;
  /** Fault: this many requests are answered, later ones get no token; `/health` stays 200. -1 is never. */
  hangAfterRequests: number;
}

/** Settings of a model: whatever differs from what its name implies. */
export type ModelSettings = Partial<ModelProfile>;

const GiB = 1024;

/**
 * The profile of a model: what its name implies (parameters, quantisation, kind), then the settings of `models.json` for `*` and for
 * its names, then `SIMULATED_ENGINE_<KEY_IN_CAPITALS>` of the environment. Throws nothing: values of the wrong kind are ignored.
 */
export function resolveProfile(
  names: readonly string[],
  models: Readonly<Record<string, Record<string, unknown>>>,
  environment: NodeJS.ProcessEnv,
): ModelProfile {
  const profile = impliedProfile(names.join(' ').toLowerCase());
  for (const name of ['*', ...names]) overlay(profile, (key) => models[name]?.[key]);
  overlay(profile, (key) => environment[environmentName(key)]);
  return profile;
}

/** `weightsMiB` is `SIMULATED_ENGINE_WEIGHTS_MIB`. */
export function environmentName(key: string): string {
  return `SIMULATED_ENGINE_${key.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, '_$&').toUpperCase()}`;
}

function overlay(profile: ModelProfile, valueOf: (key: string) => unknown): void {
  for (const [key, present] of Object.entries(profile)) {
    const value = valueOf(key);
    if (value === undefined) continue;
    if (typeof present === 'number' && value !== '' && Number.isFinite(Number(value))) Object.assign(profile, { [key]: Number(value) });
    else if (typeof present === 'boolean') Object.assign(profile, { [key]: value === true || value === 'true' || value === '1' });
    else if (typeof present === 'string' && typeof value === 'string') Object.assign(profile, { [key]: value });
  }
}

/** Rough figures of real models: 2 bytes per parameter at 16 bit, KV bytes of Llama 3 and Qwen 3 of that size. */
function impliedProfile(name: string): ModelProfile {
  const billions = Number(/(?:^|[^a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])/.exec(name)?.[1] ?? '0.5');
  const bytesPerParameter = /awq|gptq|int4|4bit|fp4|q4/.test(name) ? 0.6 : /fp8|int8|w8a8/.test(name) ? 1.05 : 2;
  const kvKiBPerToken = billions < 5 ? 112 : billions < 15 ? 128 : billions < 50 ? 256 : 320;
  return {
    weightsMiB: Math.ceil((billions * 1e9 * bytesPerParameter) / 2 ** 20),
    kvBytesPerToken: kvKiBPerToken * 1024,
    maxModelLen: billions < 5 ? 40_960 : 131_072,
    contextMiB: Math.ceil(0.45 * GiB),
    activationMiB: Math.ceil(0.24 * GiB + billions * 25),
    graphsMiB: Math.ceil(0.05 * GiB + billions * 18),
    growthMiBPerRequest: 0,
    task: impliedTask(name),
    importMs: 300,
    engineImportMs: 300,
    deviceMs: 200,
    weightsMs: Math.ceil(400 + billions * 100),
    profileMs: 300,
    compileMs: 400,
    captureMs: 300,
    serverMs: 100,
    timeToFirstTokenMs: 40,
    tokenDelayMs: 15,
    exitMs: 100,
    slowReleaseMs: 0,
    orphanMs: 1000,
    crashAtPhase: '',
    crashAfterReadyMs: 0,
    crashExitCode: 1,
    outOfMemoryAtStart: false,
    modelMissing: false,
    neverReady: false,
    hangAfterRequests: -1,
  };
}

function impliedTask(name: string): ModelTask {
  if (/rerank/.test(name)) return 'score';
  if (/embed|\bbge\b|\be5\b|\bgte\b/.test(name)) return 'embed';
  if (/classif|reward/.test(name)) return 'classify';
  if (/whisper/.test(name)) return 'transcription';
  return 'generate';
}
