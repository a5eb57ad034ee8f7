import { setTimeout as sleep } from 'node:timers/promises';
import { gib } from '../log.ts';
import type { EngineLog } from '../log.ts';
import type { StartPhase } from '../model-profile.ts';
import type { DeviceMemory } from './device-memory.ts';
import { autoFitLine, cacheSizeLine, cudaOutOfMemory, neighbourFreedMemory, noCacheBlocks, notEnoughFreeMemory } from './failures.ts';
import { planKvCache } from './kv-cache.ts';
import type { CoreSettings, EngineFacts } from './messages.ts';
import { profileLine } from './profile-line.ts';

interface StartContext {
  settings: CoreSettings;
  devices: readonly DeviceMemory[];
  log: EngineLog;
  enter: (phase: StartPhase) => Promise<void>;
}

/**
 * Brings a GPU engine up in vLLM's order (vllm/v1/worker/gpu_worker.py): context, check of free memory, weights, profiling (skipped with
 * a pinned KV cache), KV cache, compilation, graphs. Memory is taken step by step. Throws the `EngineException` that ends a real one.
 */
export async function startGpuEngine(context: StartContext): Promise<EngineFacts> {
  const { settings, log, enter } = context;
  const { arguments: args, profile } = settings;
  const startedAtMs = Date.now();
  await enter('device');
  await allocateEverywhere(context, profile.contextMiB);
  const snapshots = await Promise.all(context.devices.map((device) => device.info()));
  for (const [rank, { freeMiB, totalMiB }] of snapshots.entries()) {
    const utilization = args.gpuMemoryUtilization;
    if (freeMiB < totalMiB * utilization) throw notEnoughFreeMemory({ rank, freeMiB, totalMiB, utilization });
  }
  await enter('weights');
  await loadWeights(context);
  const engineInitAtMs = Date.now();
  await enter('profile');
  const kvMiB = args.kvCacheMemoryBytes === undefined ? await profileKvCache(context, snapshots) : args.kvCacheMemoryBytes / 2 ** 20;
  if (args.kvCacheMemoryBytes !== undefined) {
    for (const { freeMiB } of snapshots) log.info('gpu_worker.py:412', pinnedLine(freeMiB, kvMiB));
  }
  const kvBytes = Math.floor(kvMiB * 2 ** 20);
  const plan = planKvCache({
    bytes: kvBytes,
    bytesPerToken: profile.kvBytesPerToken / args.tensorParallelSize,
    maxModelLen: settings.maxModelLen,
    auto: args.maxModelLenAuto,
  });
  if (args.maxModelLenAuto) log.info('kv_cache_utils.py:1654', autoFitLine(settings.maxModelLen, plan.maxModelLen, kvMiB));
  log.info('kv_cache_utils.py:2327', cacheSizeLine('GPU', plan.tokens, plan.maxModelLen));
  await allocateEverywhere(context, Math.ceil(kvMiB));
  const compilationMs = await compileAndCapture(context);
  if (args.kvCacheMemoryBytes === undefined) {
    for (const snapshot of snapshots) log.info('gpu_worker.py:631', profileLine({ settings, snapshot, kvMiB }));
  }
  const seconds = ((Date.now() - engineInitAtMs) / 1000).toFixed(2);
  const compilation = compilationMs === 0 ? '' : ` (compilation: ${(compilationMs / 1000).toFixed(2)} s)`;
  log.info('core.py:402', `init engine (profile, create kv cache, warmup model) took ${seconds} s${compilation}`);
  log.info('core.py:410', `EngineCore took ${((Date.now() - startedAtMs) / 1000).toFixed(2)} s to start.`);
  return { maxModelLen: plan.maxModelLen, kvCacheTokens: plan.tokens, kvCacheBytes: kvBytes, blocks: plan.blocks };
}

/** Brings up an engine without a GPU: no memory is counted, log lines as the CPU build prints them (vLLM 0.32.0, measured). */
export async function startCpuEngine(context: StartContext): Promise<EngineFacts> {
  const { settings, log, enter } = context;
  const startedAtMs = Date.now();
  await enter('device');
  await enter('weights');
  log.info('default_loader.py:501', `Loading weights took ${(settings.profile.weightsMs / 1000).toFixed(2)} seconds`);
  await enter('profile');
  const bytes = settings.arguments.kvCacheMemoryBytes ?? 2 ** 30;
  // The CPU build does not fit a context to its memory: `auto` silently means 512 tokens.
  const maxModelLen = settings.arguments.maxModelLenAuto ? 512 : settings.maxModelLen;
  const plan = planKvCache({ bytes, bytesPerToken: settings.profile.kvBytesPerToken, maxModelLen, auto: false });
  log.info('cpu_worker.py:260', `Explicitly set (${(bytes / 2 ** 30).toFixed(1)}/10.46) GiB for KV cache on node 0.`);
  log.info('kv_cache_utils.py:2327', cacheSizeLine('CPU', plan.tokens, maxModelLen));
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(2);
  log.info('core.py:402', `init engine (profile, create kv cache, warmup model) took ${seconds} s`);
  return { maxModelLen, kvCacheTokens: plan.tokens, kvCacheBytes: bytes, blocks: plan.blocks };
}

/** Takes memory on every rank at once. Throws PyTorch's out-of-memory error of the first rank that gets none. */
export async function allocateEverywhere(context: Pick<StartContext, 'devices'>, mib: number): Promise<void> {
  const results = await Promise.all(context.devices.map((device) => device.allocate(mib)));
  for (const [rank, result] of results.entries()) {
    if (result.kind === 'out-of-memory') throw cudaOutOfMemory(rank, mib, result);
  }
}

async function loadWeights(context: StartContext): Promise<void> {
  const { settings, log, devices } = context;
  const { profile, arguments: args } = settings;
  const startedAtMs = Date.now();
  const rankMiB = Math.ceil(profile.weightsMiB / args.tensorParallelSize);
  log.info('gpu_model_runner.py:4702', `Starting to load model ${args.model}...`);
  if (profile.outOfMemoryAtStart) {
    const { freeMiB = 0, totalMiB = 0 } = (await devices[0]?.info()) ?? {};
    throw cudaOutOfMemory(0, rankMiB, { kind: 'out-of-memory', freeMiB, totalMiB, heldMiB: profile.contextMiB });
  }
  const shards = 4;
  for (let shard = 1; shard <= shards; shard += 1) {
    await sleep(profile.weightsMs / shards);
    await allocateEverywhere(context, Math.floor((rankMiB * shard) / shards) - Math.floor((rankMiB * (shard - 1)) / shards));
    const percent = String((shard * 100) / shards).padStart(3);
    log.raw(`\nLoading safetensors checkpoint shards: ${percent}% Completed | ${shard}/${shards} [00:00<00:00,  4.00it/s]\n`);
  }
  const seconds = (Date.now() - startedAtMs) / 1000;
  log.info('default_loader.py:501', `Loading weights took ${seconds.toFixed(2)} seconds`);
  for (const _device of devices) {
    log.info('gpu_model_runner.py:4787', `Model loading took ${gib(rankMiB)} GiB memory and ${seconds.toFixed(6)} seconds`);
  }
}

/** Sizes the KV cache from the utilization by whole-card differences, so that a neighbour that moves meanwhile falsifies it, as in vLLM. */
async function profileKvCache(context: StartContext, snapshots: readonly { freeMiB: number; totalMiB: number }[]): Promise<number> {
  const { devices, settings, log } = context;
  const { profile, arguments: args } = settings;
  const graphsMiB = args.enforceEager ? 0 : profile.graphsMiB;
  await allocateEverywhere(context, profile.activationMiB);
  await sleep(profile.profileMs);
  // The allocator's cache is emptied after the dummy run; the peak comes back at the first full prefill.
  await Promise.all(devices.map((device) => device.free(profile.activationMiB)));
  const after = await Promise.all(devices.map((device) => device.info()));
  const perRank = snapshots.map(({ freeMiB, totalMiB }, rank) => {
    const currentFreeMiB = after[rank]?.freeMiB ?? 0;
    if (currentFreeMiB > freeMiB) throw neighbourFreedMemory(freeMiB, currentFreeMiB);
    return totalMiB * args.gpuMemoryUtilization - (freeMiB - currentFreeMiB) - profile.activationMiB - graphsMiB;
  });
  if (graphsMiB > 0) log.info('gpu_model_runner.py:5874', `Estimated CUDA graph memory: ${gib(graphsMiB)} GiB total`);
  for (const kvMiB of perRank) log.info('gpu_worker.py:440', `Available KV cache memory: ${gib(kvMiB)} GiB`);
  const kvMiB = Math.floor(Math.min(...perRank));
  if (kvMiB <= 0) throw noCacheBlocks();
  return kvMiB;
}

/** Resolves to the time that compilation took. */
async function compileAndCapture(context: StartContext): Promise<number> {
  const { settings, log, enter } = context;
  const { profile, arguments: args } = settings;
  if (args.enforceEager) return 0;
  await enter('compile');
  log.info('monitor.py:48', `torch.compile took ${(profile.compileMs / 1000).toFixed(2)} s in total`);
  await enter('graphs');
  await allocateEverywhere(context, profile.graphsMiB);
  const size = gib(profile.graphsMiB);
  const seconds = Math.max(1, Math.round(profile.captureMs / 1000));
  log.info('gpu_model_runner.py:6041', `Graph capturing finished in ${seconds} secs, took ${size} GiB`);
  log.info('gpu_worker.py:620', `CUDA graph pool memory: ${size} GiB (actual), ${size} GiB (estimated), difference: 0.00 GiB (0.0%).`);
  return profile.compileMs;
}

function pinnedLine(freeMiB: number, kvMiB: number): string {
  return (
    `Initial free memory ${gib(freeMiB)} GiB, reserved ${gib(kvMiB)} GiB memory for KV Cache as specified by kv_cache_memory_bytes config ` +
    'and skipped memory profiling. This does not respect the gpu_memory_utilization config. Only use kv_cache_memory_bytes config when you ' +
    "want manual control of KV cache memory size. If OOM'ed, check the difference of initial free memory between the current run and the " +
    'previous run where kv_cache_memory_bytes is suggested and update it correspondingly.'
  );
}
