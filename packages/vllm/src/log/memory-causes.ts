import type { CauseReader, FailureRemedy } from './failure.ts';

const GIB = 1024 ** 3;
const MIB_PER_UNIT: Readonly<Record<string, number>> = { bytes: 1 / 1024 ** 2, KiB: 1 / 1024, MiB: 1, GiB: 1024, TiB: 1024 ** 2 };
const SIZE = String.raw`(\d+(?:\.\d+)?) (bytes|KiB|MiB|GiB|TiB)`;

/** The start-up check of free memory, on a GPU or a NUMA node (vLLM 0.11 to 0.32; older ones do not name the device). */
const readNoRoomAtStart: CauseReader = (text) => {
  const match =
    /(?:Free|Available) memory on (?<where>device|node)[^(]*\((?<free>[\d.]+)\/[\d.]+ GiB\) on startup is less than desired [^(]*\((?<share>[\d.]+), (?<wanted>[\d.]+) GiB\)/u.exec(
      text,
    );
  if (match?.groups === undefined) return null;
  const { where, free, share, wanted } = match.groups;
  const place = where === 'node' ? 'of main memory' : 'of the GPU';
  return {
    kind: 'no-room-at-start',
    message: `The engine asks for ${wanted} GiB ${place} to be free before it begins (memory utilization ${share}), and ${free} GiB are. Stop what else uses that memory, or lower --gpu-memory-utilization if \`args\` set it.`,
    remedy: { kind: 'wait-for-memory', freeMiB: Math.floor(Number(free) * 1024), wantedMiB: Math.ceil(Number(wanted) * 1024) },
  };
};

/** The printed size is rounded to 0.01 GiB, so that much is added to be enough. */
const readKvCacheTooSmall: CauseReader = (text) => {
  const match =
    /max seq len \((?<length>\d+)\),? \(?(?<needed>[\d.]+) GiB KV cache is needed, which is larger than the available KV cache memory \((?<available>-?[\d.]+) GiB\)/u.exec(
      text,
    );
  if (match?.groups === undefined) return null;
  const { length, needed, available } = match.groups;
  const estimated = /estimated maximum model length is (\d+)/u.exec(text)?.[1];
  const estimatedMaxModelLen = estimated === undefined || Number(estimated) <= 0 ? null : Number(estimated);
  const shorter = estimatedMaxModelLen === null ? '' : `, or lower --max-model-len to at most ${estimatedMaxModelLen}`;
  return {
    kind: 'kv-cache-too-small',
    message: `A context of ${length} tokens needs ${needed} GiB of KV cache per GPU, and ${available} GiB were given. Raise \`kvCache\`${shorter}.`,
    remedy: { kind: 'raise-kv', neededBytes: Math.ceil((Number(needed) + 0.01) * GIB), estimatedMaxModelLen },
  };
};

const readContextUnfit: CauseReader = (text) =>
  /Cannot auto-fit max_model_len/u.test(text)
    ? {
        kind: 'context-unfit',
        message: 'The KV cache is too small for a single token of context. Raise `kvCache`.',
        remedy: null,
      }
    : null;

/** Only where the KV cache is not pinned; a neighbour that loads at the same time is charged to the model (vLLM 0.29). */
const readNoRoomForKvCache: CauseReader = (text) =>
  /No available memory for the cache blocks/u.test(text)
    ? {
        kind: 'no-room-for-kv-cache',
        message:
          'The share of the GPU that the engine may use leaves nothing for the KV cache. Raise --gpu-memory-utilization, or leave it out so that Berth sizes the KV cache.',
        remedy: { kind: 'retry-after-neighbour' },
      }
    : null;

const readProfilingDisturbed: CauseReader = (text) => {
  const match = /Error in memory profiling\. Initial free memory (?<before>[\d.]+)(?: GiB)?, current free memory (?<after>[\d.]+)/u.exec(
    text,
  );
  if (match?.groups === undefined) return null;
  return {
    kind: 'profiling-disturbed',
    message: `Memory of the GPU was given back while the engine measured it (${match.groups['before']} GiB free before, ${match.groups['after']} GiB after), which the engine takes for an error. It is tried again when nothing else moves there.`,
    remedy: { kind: 'retry-after-neighbour' },
  };
};

/** Hybrid and state-space models hold one block of state per sequence (vLLM 0.27 to 0.32). */
const readTooManySequences: CauseReader = (text) => {
  const match = /max_num_seqs \((?<asked>\d+)\) exceeds available Mamba cache blocks \((?<blocks>\d+)\)/u.exec(text);
  if (match?.groups === undefined) return null;
  const { asked, blocks } = match.groups;
  return {
    kind: 'too-many-sequences',
    message: `The KV cache holds the state of ${blocks} sequences, and ${asked} are asked for. Add --max-num-seqs ${blocks} (or less) to \`args\`, or raise \`kvCache\`.`,
    remedy: null,
  };
};

const readOutOfMemoryAtWake: CauseReader = (text) =>
  /CUDA Error: out of memory at \S*cumem_allocator/u.test(text)
    ? {
        kind: 'out-of-memory-at-wake',
        message: 'The GPU had no room for what the engine allocates through its sleep allocator. Free memory on that GPU first.',
        remedy: outOfMemory(text),
      }
    : null;

const readOutOfMemoryAtSamplerWarmUp: CauseReader = (text, allText) => {
  const match = /CUDA out of memory occurred when warming up sampler with (?<sequences>\d+) dummy requests/u.exec(text);
  if (match === null) return null;
  return {
    kind: 'out-of-memory',
    message: `The GPU ran out of memory while the engine tried ${match.groups?.['sequences']} requests at once. Lower --max-num-seqs in \`args\`.`,
    remedy: outOfMemory(allText),
  };
};

const readOutOfMemory: CauseReader = (text) => {
  const isOutOfMemory =
    /CUDA out of memory|HIP out of memory|CUDA error: out of memory|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED|OutOfMemoryError/u;
  if (!isOutOfMemory.test(text)) return null;
  const remedy = outOfMemory(text);
  const tried = remedy.triedMiB === null ? '' : ` It tried to take ${remedy.triedMiB} MiB more`;
  const own = remedy.ownUseMiB === null ? '' : ` and held ${remedy.ownUseMiB} MiB`;
  const numbers = tried === '' ? '' : `${tried}${own}${remedy.gpuIndex === null ? '' : ` on its GPU ${remedy.gpuIndex}`}.`;
  return {
    kind: 'out-of-memory',
    message: `The engine ran out of GPU memory.${numbers} Lower \`kvCache\`, --max-num-batched-tokens or --max-num-seqs, use quantised weights, or give it more GPUs.`,
    remedy,
  };
};

/** Causes that have to do with memory, the more telling ones first. */
export const MEMORY_CAUSES: readonly CauseReader[] = [
  readNoRoomAtStart,
  readKvCacheTooSmall,
  readContextUnfit,
  readNoRoomForKvCache,
  readProfilingDisturbed,
  readTooManySequences,
  readOutOfMemoryAtWake,
  readOutOfMemoryAtSamplerWarmUp,
  readOutOfMemory,
];

/** Numbers of PyTorch's message; `this process has` counts the CUDA context too, other processes' shares are told apart. */
function outOfMemory(text: string): Extract<FailureRemedy, { kind: 'out-of-memory' }> {
  const gpu = /GPU (\d+) has a total capacity/u.exec(text)?.[1];
  return {
    kind: 'out-of-memory',
    ownUseMiB: sizeMiB(text, `this process has ${SIZE} memory in use`),
    triedMiB: sizeMiB(text, `Tried to allocate ${SIZE}`),
    gpuIndex: gpu === undefined ? null : Number(gpu),
  };
}

function sizeMiB(text: string, pattern: string): number | null {
  const match = [...text.matchAll(new RegExp(pattern, 'gu'))].at(-1);
  const unit = MIB_PER_UNIT[match?.[2] ?? ''];
  return unit === undefined ? null : Math.ceil(Number(match?.[1]) * unit);
}
