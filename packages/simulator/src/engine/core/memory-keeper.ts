import { gib } from '../log.ts';
import type { EngineLog } from '../log.ts';
import type { DeviceMemory } from './device-memory.ts';
import type { CoreSettings, EngineFacts } from './messages.ts';
import { allocateEverywhere } from './start-engine.ts';

/** Memory of an engine that is up. */
export interface MemoryKeeper {
  /** Grows to the activation peak of a prefill of that many tokens and stays there. Throws CUDA's out-of-memory error. */
  prefill(tokens: number): Promise<void>;
  sleep(level: number): Promise<void>;
  /** Takes everything back. Resolves to the error text when there is no room. */
  wake(): Promise<string | undefined>;
}

/**
 * PyTorch's allocator never gives an activation peak back, so a pinned KV cache reaches its real footprint only under a full prefill.
 * Sleep frees weights and KV cache only with `--enable-sleep-mode`; without it the API is a mere state machine (vLLM 0.32.0, measured).
 */
export function createMemoryKeeper(context: {
  settings: CoreSettings;
  devices: readonly DeviceMemory[];
  facts: EngineFacts;
  log: EngineLog;
}): MemoryKeeper {
  const { settings, devices, facts, log } = context;
  const { arguments: args, profile } = settings;
  const sleepableMiB = args.enableSleepMode
    ? Math.ceil(profile.weightsMiB / args.tensorParallelSize) + Math.ceil(facts.kvCacheBytes / 2 ** 20)
    : 0;
  let activationMiB = 0;
  let freedMiB = 0;
  return {
    prefill: async (tokens) => {
      const share = Math.min(1, tokens / args.maxNumBatchedTokens);
      const wantedMiB = Math.ceil(profile.activationMiB * share);
      const grownMiB = Math.max(0, wantedMiB - activationMiB) + profile.growthMiBPerRequest;
      if (grownMiB === 0) return;
      await allocateEverywhere({ devices }, grownMiB);
      activationMiB += grownMiB;
    },
    sleep: async () => {
      if (freedMiB > 0 || sleepableMiB === 0) return;
      freedMiB = sleepableMiB + activationMiB;
      activationMiB = 0;
      await Promise.all(devices.map((device) => device.free(freedMiB)));
      for (const { totalMiB, freeMiB } of await Promise.all(devices.map((device) => device.info()))) {
        log.info(
          'gpu_worker.py:172',
          `Sleep mode freed ${gib(freedMiB)} GiB memory, ${gib(totalMiB - freeMiB)} GiB memory is still in use.`,
        );
      }
    },
    wake: async () => {
      if (freedMiB === 0) return undefined;
      const results = await Promise.all(devices.map((device) => device.allocate(sleepableMiB)));
      if (results.some((result) => result.kind === 'out-of-memory')) {
        // What some ranks got is given back, so that a later wake can succeed.
        await Promise.all(devices.filter((_, rank) => results[rank]?.kind === 'allocated').map((device) => device.free(sleepableMiB)));
        return 'Call to wake_up method failed: CUDA Error: out of memory at /workspace/csrc/cumem_allocator.cpp:163';
      }
      freedMiB = 0;
      return undefined;
    },
  };
}
