import { describe, expect, it } from 'vitest';
import { parseFailure } from './parse-failure.ts';
import { readRecorded } from '../../recorded/read-recorded.ts';

const GIB = 1024 ** 3;
const WRAPPER = 'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}';

/** A log that ends as a failed start does: the cause in EngineCore, its frames, and the API server's wrapper far below. */
function failedStart(exception: string): string[] {
  const frames = Array.from(
    { length: 20 },
    (_value, index) => `  File "vllm/v1/engine/core.py", line ${index}, in step\n    return step()`,
  );
  const raised = ['Traceback (most recent call last):', ...frames.join('\n').split('\n')];
  return [
    '(EngineCore pid=7) ERROR 09-22 01:20:17 [core.py:1374] EngineCore failed to start.',
    ...[...raised, ...exception.split('\n')].map((line) => `(EngineCore pid=7) ERROR 09-22 01:20:17 [core.py:1374] ${line}`),
    '(EngineCore pid=7) Process EngineCore:',
    ...[...raised, ...exception.split('\n')].map((line) => `(EngineCore pid=7) ${line}`),
    '(EngineCore pid=7) ERROR 09-22 01:20:18 [multiproc_executor.py:301] Worker proc VllmWorker-0 died unexpectedly (exit code: None), shutting down executor.',
    ...[...raised, WRAPPER].map((line) => `(APIServer pid=1) ${line}`),
    '/usr/lib/python3.12/multiprocessing/resource_tracker.py:279: UserWarning: resource_tracker: There appear to be 1 leaked objects',
  ];
}

describe('parseFailure on whole logs', () => {
  it('reads how much KV cache a context needs, from far above the last exception', () => {
    const failure = parseFailure(readRecorded('failure-context-too-long.log'), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_START_FAILED', kind: 'kv-cache-too-small' });
    expect(failure.remedy).toEqual({ kind: 'raise-kv', neededBytes: Math.ceil(23.39 * GIB), estimatedMaxModelLen: 886_912 });
    expect(failure.message).toContain('A context of 917504 tokens needs 23.38 GiB');
    expect(failure.rootCause).toMatch(/^ValueError: To serve at least one request/u);
  });

  it('finds the rank that ran out of memory behind the connection errors of the others', () => {
    const failure = parseFailure(readRecorded('failure-out-of-memory.log'), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY', kind: 'out-of-memory' });
    expect(failure.remedy).toEqual({ kind: 'out-of-memory', ownUseMiB: 93_543, triedMiB: 1516, gpuIndex: 1 });
  });

  it('takes the numbers of a failed sampler warm-up from the exception in front of it', () => {
    const failure = parseFailure(readRecorded('failure-sampler-warm-up.log'), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY', kind: 'out-of-memory' });
    expect(failure.remedy).toEqual({ kind: 'out-of-memory', ownUseMiB: 15_750, triedMiB: 594, gpuIndex: 0 });
    expect(failure.message).toContain('--max-num-seqs');
  });

  it('sees an out-of-memory while serving, although the engine ends like a clean one, with 0', () => {
    expect(parseFailure(readRecorded('failure-engine-died.log'), 0)).toMatchObject({
      code: 'ENGINE_OUT_OF_MEMORY',
      remedy: { kind: 'out-of-memory', ownUseMiB: 15_750, triedMiB: 594 },
    });
  });

  it('names no cause for a clean log that ends with 0 after ready', () => {
    expect(parseFailure(readRecorded('cpu-startup.log'), 0)).toEqual({
      code: 'ENGINE_EXITED',
      kind: 'unknown',
      message: 'The engine ended after it was ready with exit code 0, and its log names no cause.',
      remedy: null,
      rootCause: null,
    });
  });
});

describe('parseFailure on causes', () => {
  it.each([
    [
      'ValueError: Free memory on device cuda:0 (2.6/121.63 GiB) on startup is less than desired GPU memory utilization (0.08, 9.73 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.',
      'no-room-at-start',
      { kind: 'wait-for-memory', freeMiB: 2662, wantedMiB: 9964 },
    ],
    [
      'ValueError: Free memory on device (3.22/4.0 GiB) on startup is less than desired GPU memory utilization (0.9, 3.6 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.',
      'no-room-at-start',
      { kind: 'wait-for-memory', freeMiB: 3297, wantedMiB: 3687 },
    ],
    [
      'ValueError: Available memory on node 0 (7.45/11.34 GiB) on startup is less than desired CPU memory utilization (0.92, 10.43 GiB). On the CPU backend, the `--gpu-memory-utilization` flag controls the fraction of CPU memory reserved (despite its name).',
      'no-room-at-start',
      { kind: 'wait-for-memory', freeMiB: 7628, wantedMiB: 10_681 },
    ],
    [
      'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.',
      'no-room-for-kv-cache',
      { kind: 'retry-after-neighbour' },
    ],
    [
      "ValueError: To serve at least one request with the models's max seq len (65536), 0.12 GiB KV cache is needed, which is larger than the available KV cache memory (0.06 GiB). Based on the available memory, the estimated maximum model length is 32640.",
      'kv-cache-too-small',
      { kind: 'raise-kv', neededBytes: Math.ceil(0.13 * GIB), estimatedMaxModelLen: 32_640 },
    ],
    [
      "ValueError: To serve at least one request with the model's max seq len (65536), (0.12 GiB KV cache is needed, which is larger than the available KV cache memory (0.0 GiB).",
      'kv-cache-too-small',
      { kind: 'raise-kv', neededBytes: Math.ceil(0.13 * GIB), estimatedMaxModelLen: null },
    ],
    [
      'AssertionError: Error in memory profiling. Initial free memory 58.23 GiB, current free memory 59.34 GiB. This happens when other processes sharing the same container release GPU memory while vLLM is profiling initialization.',
      'profiling-disturbed',
      { kind: 'retry-after-neighbour' },
    ],
    [
      'ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token. Try increasing `gpu_memory_utilization`.',
      'context-unfit',
      null,
    ],
    [
      'ValueError: max_num_seqs (256) exceeds available Mamba cache blocks (134). Each decode sequence requires one Mamba cache block.',
      'too-many-sequences',
      null,
    ],
    ['OSError: [Errno 98] Address already in use', 'port-taken', { kind: 'another-port' }],
    [
      'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified revision on the local disk and outgoing traffic has been disabled.',
      'weights-not-found',
      null,
    ],
    [
      'huggingface_hub.errors.GatedRepoError: 401 Client Error. (Request ID: Root=1-2)\n\nCannot access gated repo for url https://huggingface.co/org/model/resolve/main/config.json.',
      'weights-forbidden',
      null,
    ],
    [
      'OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/org/model.',
      'weights-forbidden',
      null,
    ],
    ['huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: Root=1-2)', 'weights-not-found', null],
    [
      "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.",
      'weights-unreachable',
      null,
    ],
    ['OSError: [Errno 28] No space left on device', 'disk-full', null],
    ['RuntimeError: No CUDA GPUs are available', 'no-gpu', null],
    ["ValueError: Model architectures ['NewForCausalLM'] are not supported for now.", 'unsupported-model', null],
  ])('reads %s', (exception, kind, remedy) => {
    const failure = parseFailure(failedStart(exception), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_START_FAILED', kind });
    expect(failure.remedy).toEqual(remedy);
    expect(failure.rootCause).toBe(exception.split('\n')[0]);
  });

  it.each([
    ['RuntimeError: CUDA Error: out of memory at /workspace/csrc/cumem_allocator.cpp:163', 'out-of-memory-at-wake'],
    ['torch.AcceleratorError: CUDA error: out of memory', 'out-of-memory'],
    ['torch.cuda.OutOfMemoryError: HIP out of memory. Tried to allocate 2.50 GiB.', 'out-of-memory'],
  ])('reads %s as out of memory, with numbers unknown where none are told', (exception, kind) => {
    const failure = parseFailure(failedStart(exception), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY', kind });
    expect(failure.remedy).toMatchObject({ kind: 'out-of-memory', ownUseMiB: null, gpuIndex: null });
  });

  it('reads a refused command line, which has no exception', () => {
    const lines = ['usage: vllm serve [model_tag] [options]', 'vllm: error: unrecognized arguments: --no-such-flag 1'];
    expect(parseFailure(lines, 2)).toEqual({
      code: 'ENGINE_START_FAILED',
      kind: 'bad-arguments',
      message:
        'The engine does not take its command line: unrecognized arguments: --no-such-flag 1. Correct `args` in the catalog, or use an `image` that knows them.',
      remedy: null,
      rootCause: 'vllm: error: unrecognized arguments: --no-such-flag 1',
    });
  });

  it.each([
    [
      'gpu_memory_utilization\n  Input should be less than or equal to 1 [type=less_than_equal, input_value=1.5, input_type=float]\n    For further information visit https://errors.pydantic.dev/2.12/v/less_than_equal',
      'gpu_memory_utilization: Input should be less than or equal to 1',
    ],
    [
      "  Value error, Sleep mode is not supported on current platform. [type=value_error, input_value=ArgsKwargs((), {'model': 'x'}), input_type=ArgsKwargs]",
      'Value error, Sleep mode is not supported on current platform.',
    ],
  ])('says which setting was refused', (details, said) => {
    const lines = [
      'Traceback (most recent call last):',
      ...`pydantic_core._pydantic_core.ValidationError: 1 validation error for CacheConfig\n${details}`.split('\n'),
    ];
    const failure = parseFailure(
      lines.map((line) => `(APIServer pid=1) ${line}`),
      1,
    );
    expect(failure.kind).toBe('bad-arguments');
    expect(failure.message).toContain(`refused its settings: ${said}`);
    expect(failure.message).not.toContain('type=');
  });
});

describe('parseFailure without a known cause', () => {
  it('shows an exception that it does not know', () => {
    const failure = parseFailure(failedStart("KeyError: 'layers.0.weight'"), 1);
    expect(failure).toMatchObject({ code: 'ENGINE_START_FAILED', kind: 'unknown', rootCause: "KeyError: 'layers.0.weight'" });
    expect(failure.message).toBe("The engine ended before it was ready with exit code 1: KeyError: 'layers.0.weight'. Its log tells more.");
  });

  it('does not take lines with the word error, or handled exceptions in warnings, for a cause', () => {
    const lines = [
      '(EngineCore pid=7) ERROR 09-22 01:20:17 [x.py:1] An error occurred: CUDA out of memory, trying a smaller tile',
      '(EngineCore pid=7) WARNING 09-22 01:20:17 [x.py:1] torch.OutOfMemoryError: CUDA out of memory, trying a smaller tile',
    ];
    expect(parseFailure(lines, 1)).toMatchObject({ kind: 'unknown', remedy: null, rootCause: null });
  });

  it('prefers what came last over an earlier exception that was got over', () => {
    const lines = [...failedStart('torch.OutOfMemoryError: CUDA out of memory.').slice(0, 44), ...failedStart("KeyError: 'x'")];
    expect(parseFailure(lines, 1)).toMatchObject({ kind: 'unknown', rootCause: "KeyError: 'x'" });
  });

  it('falls back to the wrapper when nothing else is left of the log', () => {
    expect(parseFailure([WRAPPER], 1).rootCause).toBe(WRAPPER);
  });

  it('says by which signal an engine was ended', () => {
    const failure = parseFailure(['INFO:     Application startup complete.'], 137);
    expect(failure).toMatchObject({ code: 'ENGINE_EXITED', kind: 'stopped-by-signal' });
    expect(failure.message).toContain('signal 9: by hand, or by the kernel');
  });

  it('believes the caller about readiness when the log no longer reaches back', () => {
    expect(parseFailure([], 0, { wasReady: true }).code).toBe('ENGINE_EXITED');
    expect(parseFailure([], null).message).toBe('The engine ended before it was ready, and its log names no cause.');
  });
});
