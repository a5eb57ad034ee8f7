import type { AllocationResult } from '../../card/card-process.ts';
import { gib, grouped } from '../log.ts';

/** A Python exception that ends EngineCore. The texts are vLLM's (0.28 to 0.32) and PyTorch's; log parsers live on them. */
export class EngineException extends Error {
  readonly pythonType: string;

  constructor(pythonType: string, message: string) {
    super(message);
    this.name = 'EngineException';
    this.pythonType = pythonType;
  }
}

/** `request_memory()` of vLLM's GPU worker: the start-up check of free memory. */
export function notEnoughFreeMemory(memory: { rank: number; freeMiB: number; totalMiB: number; utilization: number }): EngineException {
  const { rank, freeMiB, totalMiB, utilization } = memory;
  return new EngineException(
    'ValueError',
    `Free memory on device cuda:${rank} (${gib(freeMiB)}/${gib(totalMiB)} GiB) on startup is less than desired GPU memory utilization ` +
      `(${utilization}, ${gib(totalMiB * utilization)} GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.`,
  );
}

export function neighbourFreedMemory(initialFreeMiB: number, currentFreeMiB: number): EngineException {
  return new EngineException(
    'AssertionError',
    `Error in memory profiling. Initial free memory ${gib(initialFreeMiB)} GiB, current free memory ${gib(currentFreeMiB)} GiB. ` +
      'This happens when other processes sharing the same container release GPU memory while vLLM is profiling initialization. ' +
      'To fix this, ensure consistent GPU memory allocation or isolate vLLM in its own container.',
  );
}

export function noCacheBlocks(): EngineException {
  return new EngineException(
    'ValueError',
    'No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.' +
      ' See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.',
  );
}

export function contextDoesNotFit(needs: {
  maxModelLen: number;
  neededMiB: number;
  availableMiB: number;
  longest: number;
}): EngineException {
  return new EngineException(
    'ValueError',
    `To serve at least one request with the model's max seq len (${needs.maxModelLen}), (${gib(needs.neededMiB)} GiB KV cache is needed, ` +
      `which is larger than the available KV cache memory (${gib(needs.availableMiB)} GiB). Based on the available memory, the estimated ` +
      `maximum model length is ${needs.longest}. Try increasing \`gpu_memory_utilization\` (which also controls CPU memory on the CPU ` +
      'backend) or decreasing `max_model_len` when initializing the engine. ' +
      'See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.',
  );
}

export function cannotFitAnyLength(availableMiB: number): EngineException {
  return new EngineException(
    'ValueError',
    `Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token (${gib(availableMiB)} GiB available for ` +
      'KV cache). Try increasing `gpu_memory_utilization`.',
  );
}

/** PyTorch's text. `heldMiB` includes the CUDA context, as "this process has" does. */
export function cudaOutOfMemory(rank: number, triedMiB: number, state: AllocationResult & { kind: 'out-of-memory' }): EngineException {
  return new EngineException(
    'torch.OutOfMemoryError',
    `CUDA out of memory. Tried to allocate ${size(triedMiB)}. GPU ${rank} has a total capacity of ${gib(state.totalMiB)} GiB of which ` +
      `${size(state.freeMiB)} is free. Including non-PyTorch memory, this process has ${size(state.heldMiB)} memory in use. Of the ` +
      `allocated memory ${size(Math.max(0, state.heldMiB - 460))} is allocated by PyTorch, and 0 bytes is reserved by PyTorch but ` +
      'unallocated. If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid ' +
      'fragmentation.  See documentation for Memory Management  (https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)',
  );
}

/** `Auto-fit max_model_len`: the line that says which context a given KV cache allows. */
export function autoFitLine(wanted: number, fitted: number, availableMiB: number): string {
  return fitted < wanted
    ? `Auto-fit max_model_len: reduced from ${wanted} to ${fitted} to fit in available GPU memory (${gib(availableMiB)} GiB available for KV cache)`
    : `Auto-fit max_model_len: full model context length ${wanted} fits in available GPU memory`;
}

export function cacheSizeLine(device: 'GPU' | 'CPU', tokens: number, maxModelLen: number): string {
  const concurrency = (tokens / maxModelLen).toFixed(2);
  return `${device} KV cache size: ${grouped(tokens)} tokens, Maximum concurrency for ${grouped(maxModelLen)} tokens per request: ${concurrency}x`;
}

/** Sizes as PyTorch prints them. */
function size(mib: number): string {
  return mib < 1024 ? `${mib.toFixed(2)} MiB` : `${gib(mib)} GiB`;
}
