import { describe, expect, it, vi } from 'vitest';
import { holdForeignMemory } from '../card/hold-foreign-memory.ts';
import { readCard } from '../card/read-card.ts';
import { createTemporaryHost, oneGpu, small } from '../testing/temporary-host.ts';
import type { TemporaryHost } from '../testing/temporary-host.ts';
import type { ModelSettings } from './model-profile.ts';
import { startEngineProcess } from './start-engine-process.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const pinned = ['small', '--kv-cache-memory-bytes', '1G', '--gpu-memory-utilization', '0.02', '--max-model-len', 'auto'];

/** Starts an engine that must fail and resolves to its exit code and output. */
async function fail(host: TemporaryHost, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  await using engine = await startEngineProcess({ host, args });
  const { code } = await engine.exited;
  return { code, output: engine.output };
}

function withModel(settings: ModelSettings): TemporaryHost {
  return createTemporaryHost(oneGpu, { '*': { ...small, ...settings } });
}

async function complete(url: string, tokens: number): Promise<Response> {
  return await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: Array.from({ length: tokens }, () => 1), max_tokens: 1 }),
  });
}

describe('the memory of an engine', () => {
  it('with a pinned KV cache is context + weights + K + graphs at ready, and reaches its peak at the first full prefill', async () => {
    using host = createTemporaryHost(oneGpu);
    await using engine = await startEngineProcess({ host, args: pinned });
    await engine.ready();
    const used = () => readCard(host.stateDirectory).gpus[0]?.usedMiB;
    expect(used()).toBe(100 + 1000 + 1024 + 50);
    expect((await complete(engine.url, 4096)).status).toBe(200);
    expect(used()).toBe(2174 + 400);
    await complete(engine.url, 8191);
    await complete(engine.url, 10);
    expect(used()).toBe(2174 + 800);
  });

  it('belongs to a child with the name of the engine, not to the process that was started', async () => {
    using host = createTemporaryHost(oneGpu);
    await using engine = await startEngineProcess({ host, args: pinned });
    await engine.ready();
    const [owner] = readCard(host.stateDirectory).processes;
    expect(owner).toMatchObject({ name: 'VLLM::EngineCore', label: 'small', state: 'alive' });
    expect(owner?.pid).not.toBe(engine.pid);
  });

  it('lets K decide the context with --max-model-len auto, and says so', async () => {
    using host = withModel({ maxModelLen: 100_000 });
    await using engine = await startEngineProcess({ host, args: pinned });
    await engine.ready();
    expect(engine.output).toContain(
      'Auto-fit max_model_len: reduced from 100000 to 16384 to fit in available GPU memory (1.00 GiB available for KV cache)',
    );
    expect(engine.output).toContain('GPU KV cache size: 16,384 tokens, Maximum concurrency for 16,384 tokens per request: 1.00x');
    const models = (await (await fetch(`${engine.url}/v1/models`)).json()) as { data: { max_model_len: number }[] };
    expect(models.data[0]?.max_model_len).toBe(16_384);
  });

  it('without a pinned KV cache is 92 % of the card plus the context, with the figures in the log', async () => {
    using host = createTemporaryHost(oneGpu);
    await using engine = await startEngineProcess({ host, args: ['small'] });
    await engine.ready();
    // 9200 requested, less weights, activation and graphs.
    expect(engine.output).toContain('Available KV cache memory: 7.18 GiB');
    expect(engine.output).toContain('Replace gpu_memory_utilization config with `--kv-cache-memory=');
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(100 + 1000 + 7350 + 50);
  });

  it('is K and a share of the weights on each GPU under tensor parallelism', async () => {
    using host = createTemporaryHost([...oneGpu, ...oneGpu]);
    await using engine = await startEngineProcess({ host, args: [...pinned, '--tensor-parallel-size', '2'] });
    await engine.ready();
    const state = readCard(host.stateDirectory);
    expect(state.gpus.map((gpu) => gpu.usedMiB)).toEqual([1674, 1674]);
    expect(state.processes.map((process) => process.name).toSorted()).toEqual(['VLLM::Worker_TP0', 'VLLM::Worker_TP1']);
  });

  it('is given by UUID in CUDA_VISIBLE_DEVICES', async () => {
    using host = createTemporaryHost([...oneGpu, ...oneGpu]);
    await using engine = await startEngineProcess({ host, args: pinned, environment: { CUDA_VISIBLE_DEVICES: host.gpus[1]?.uuid } });
    await engine.ready();
    expect(readCard(host.stateDirectory).gpus.map((gpu) => gpu.usedMiB)).toEqual([0, 2174]);
  });

  it('can be told to outgrow what it held at ready', async () => {
    using host = withModel({ growthMiBPerRequest: 300, activationMiB: 0 });
    await using engine = await startEngineProcess({ host, args: pinned });
    await engine.ready();
    await complete(engine.url, 1);
    await complete(engine.url, 1);
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(2174 + 600);
  });

  it('is not counted on a CPU', async () => {
    using host = createTemporaryHost(oneGpu);
    await using engine = await startEngineProcess({ host, args: pinned, environment: { CUDA_VISIBLE_DEVICES: '' } });
    await engine.ready();
    expect(engine.output).toContain('CPU KV cache size:');
    expect(readCard(host.stateDirectory).processes).toEqual([]);
  });
});

describe('a start that fails for memory', () => {
  const wrapper = 'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}';

  it('says how much is free and how much is desired, before any weights', async () => {
    using host = createTemporaryHost(oneGpu);
    await using foreign = await holdForeignMemory({ stateDirectory: host.stateDirectory, gpuUuid: host.gpus[0]?.uuid ?? '', mib: 2000 });
    const { code, output } = await fail(host, ['small']);
    expect(code).toBe(1);
    expect(output).toContain(
      'ValueError: Free memory on device cuda:0 (7.71/9.77 GiB) on startup is less than desired GPU memory utilization (0.92, 8.98 GiB). ' +
        'Decrease GPU memory utilization or reduce GPU memory used by other processes.',
    );
    expect(output).not.toContain('Loading weights');
    expect(output.trimEnd().endsWith(wrapper)).toBe(true);
    await foreign.release();
  });

  it('refuses a K too small for an explicit context with the numbers', async () => {
    using host = createTemporaryHost(oneGpu);
    const { code, output } = await fail(host, [
      'small',
      '--kv-cache-memory-bytes',
      '256M',
      '--gpu-memory-utilization',
      '0.02',
      '--max-model-len',
      '8192',
    ]);
    expect(code).toBe(1);
    expect(output).toContain(
      "ValueError: To serve at least one request with the model's max seq len (8192), (0.50 GiB KV cache is needed, which is larger than " +
        'the available KV cache memory (0.25 GiB). Based on the available memory, the estimated maximum model length is 4096. ',
    );
    const lines = output.trimEnd().split('\n');
    expect(lines.at(-1)).toContain(wrapper);
    expect(lines.length - lines.findLastIndex((line) => line.includes('ValueError'))).toBeGreaterThan(30);
  });

  it('runs out of memory where the card is over-committed, and gives everything back', async () => {
    using host = createTemporaryHost(oneGpu);
    await using foreign = await holdForeignMemory({ stateDirectory: host.stateDirectory, gpuUuid: host.gpus[0]?.uuid ?? '', mib: 8500 });
    const { code, output } = await fail(host, pinned);
    expect(code).toBe(1);
    expect(output).toContain(
      'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity of 9.77 GiB of which 400.00 MiB is free.',
    );
    expect(output).toContain('this process has 1.07 GiB memory in use.');
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(8500);
    await foreign.release();
  });

  it('fails its profiling when a neighbour frees memory meanwhile, but only without a pinned KV cache', async () => {
    using host = withModel({ profileMs: 60_000, weightsMiB: 10 });
    const foreign = await holdForeignMemory({ stateDirectory: host.stateDirectory, gpuUuid: host.gpus[0]?.uuid ?? '', mib: 2000 });
    // Short enough to end, long enough for the neighbour to leave first.
    await using engine = await startEngineProcess({
      host,
      args: ['small', '--gpu-memory-utilization', '0.5'],
      environment: { SIMULATED_ENGINE_PROFILE_MS: '500' },
    });
    await engine.printed('Loading weights took');
    await foreign.release();
    expect((await engine.exited).code).toBe(1);
    expect(engine.output).toContain(
      'AssertionError: Error in memory profiling. Initial free memory 7.71 GiB, current free memory 9.66 GiB.',
    );
  });

  it('can be told to run out of memory although it fits', async () => {
    using host = withModel({ outOfMemoryAtStart: true });
    const { code, output } = await fail(host, pinned);
    expect(code).toBe(1);
    expect(output).toContain('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1000.00 MiB.');
  });
});

describe('an engine that is up', () => {
  it('dies of a prefill that no longer fits, with exit code 0 and CUDA text', async () => {
    using host = createTemporaryHost(oneGpu);
    await using engine = await startEngineProcess({ host, args: pinned });
    await engine.ready();
    await using foreign = await holdForeignMemory({ stateDirectory: host.stateDirectory, gpuUuid: host.gpus[0]?.uuid ?? '', mib: 7500 });
    expect((await complete(engine.url, 8191)).status).toBe(500);
    expect((await engine.exited).code).toBe(0);
    expect(engine.output).toContain('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 800.00 MiB.');
    await foreign.release();
  });

  it('frees weights and KV cache while asleep, and cannot wake when they are taken', async () => {
    using host = createTemporaryHost(oneGpu);
    const environment = { VLLM_SERVER_DEV_MODE: '1' };
    await using engine = await startEngineProcess({ host, args: [...pinned, '--enable-sleep-mode'], environment });
    await engine.ready();
    const post = async (path: string) => await fetch(engine.url + path, { method: 'POST' });
    expect(await (await post('/sleep?level=1')).json()).toEqual({ status: 'sleeping', level: 1 });
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(150);
    await using foreign = await holdForeignMemory({ stateDirectory: host.stateDirectory, gpuUuid: host.gpus[0]?.uuid ?? '', mib: 9000 });
    expect((await post('/wake_up')).status).toBe(500);
    await foreign.release();
    expect(await (await post('/wake_up')).json()).toEqual({ status: 'awake', tags: null });
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(2174);
  });
});
