import { execFile } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import { openCardProcess } from '../card/card-process.ts';
import { writeFaults } from '../card/state-directory.ts';
import type { CardFaults } from '../card/state-directory.ts';
import { createTemporaryHost } from '../testing/temporary-host.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const gpus = [
  { uuid: 'GPU-a', name: 'Simulated 24 GB', memoryTotalMiB: 24_564, memoryReservedMiB: 405 },
  { uuid: 'GPU-b', name: 'Simulated 80 GB', memoryTotalMiB: 81_559, memoryReservedMiB: 551 },
];
const gpuQuery = '--query-gpu=index,uuid,name,memory.total,memory.reserved,memory.used,memory.free,mig.mode.current,driver_version';
const appQuery = '--query-compute-apps=gpu_uuid,pid,process_name,used_memory';

async function run(path: string, args: string[]): Promise<{ exitCode: number; stdout: string }> {
  return await new Promise((resolve) => {
    execFile(path, args, { env: {} }, (error, stdout) => resolve({ exitCode: Number(error?.code ?? 0), stdout }));
  });
}

function setUp() {
  const host = createTemporaryHost(gpus);
  const holder = openCardProcess({
    stateDirectory: host.stateDirectory,
    containerId: null,
    name: 'VLLM::EngineCore',
    label: 'm',
    slowReleaseMs: 0,
  });
  holder.allocate('GPU-b', 5765);
  return {
    host,
    smi: async (...args: string[]) => await run(host.nvidiaSmiPath, args),
    [Symbol.dispose]: () => {
      holder.close();
      host[Symbol.dispose]();
    },
  };
}

describe('nvidia-smi', () => {
  it('answers a query of GPUs with header and units', async () => {
    using setup = setUp();
    const { smi } = setup;
    expect(await smi(gpuQuery, '--format=csv')).toEqual({
      exitCode: 0,
      stdout:
        'index, uuid, name, memory.total [MiB], memory.reserved [MiB], memory.used [MiB], memory.free [MiB], mig.mode.current, driver_version\n' +
        '0, GPU-a, Simulated 24 GB, 24564 MiB, 405 MiB, 0 MiB, 24159 MiB, [N/A], 580.82.07\n' +
        '1, GPU-b, Simulated 80 GB, 81559 MiB, 551 MiB, 5765 MiB, 75243 MiB, [N/A], 580.82.07\n',
    });
  });

  it('answers a query of processes without header and units', async () => {
    using setup = setUp();
    const { smi } = setup;
    const { stdout } = await smi(appQuery, '--format=csv,noheader,nounits');
    expect(stdout).toBe(`GPU-b, ${process.pid}, VLLM::EngineCore, 5765\n`);
  });

  it('names the column of processes as the real one does', async () => {
    using setup = setUp();
    const { smi } = setup;
    const { stdout } = await smi(appQuery, '--format=csv', '-i', 'GPU-a');
    expect(stdout).toBe('gpu_uuid, pid, process_name, used_gpu_memory [MiB]\n');
  });

  it('lists GPUs and prints a table', async () => {
    using setup = setUp();
    const { smi } = setup;
    expect((await smi('-L')).stdout).toBe('GPU 0: Simulated 24 GB (UUID: GPU-a)\nGPU 1: Simulated 80 GB (UUID: GPU-b)\n');
    expect((await smi()).stdout).toMatch(/VLLM::EngineCore +5765MiB/);
  });

  it.each([
    [['--no-such-flag'], 2, 'Invalid combination of input arguments'],
    [['--query-gpu=nonsense', '--format=csv'], 2, 'Field "nonsense" is not a valid field to query.'],
    [['--query-gpu=index'], 2, '"--format=" switch is missing'],
    [['-L', '-i', '7'], 6, 'No devices were found'],
  ])('refuses %j with exit code %i on stdout', async (args, exitCode, text) => {
    using setup = setUp();
    const { smi } = setup;
    const answer = await smi(...args);
    expect(answer.exitCode).toBe(exitCode);
    expect(answer.stdout).toContain(text);
  });

  it.each<[CardFaults, number, string]>([
    [{ driverNotLoaded: true }, 9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."],
    [{ libraryMismatch: true }, 18, 'Failed to initialize NVML: Driver/library version mismatch'],
    [{ libraryMissing: true }, 12, "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."],
  ])('fails as the real one does under %j', async (faults, exitCode, text) => {
    using setup = setUp();
    const { smi } = setup;
    writeFaults(setup.host.stateDirectory, faults);
    const answer = await smi('-L');
    expect(answer.exitCode).toBe(exitCode);
    expect(answer.stdout).toContain(text);
  });

  it('shows values that the card does not tell as [N/A], without a unit', async () => {
    using setup = setUp();
    const { smi } = setup;
    writeFaults(setup.host.stateDirectory, { notAvailable: ['memory.used'], processMemoryNotAvailable: true });
    expect((await smi('--query-gpu=memory.total,memory.used', '--format=csv,noheader', '-i', '0')).stdout).toBe('24564 MiB, [N/A]\n');
    expect((await smi(appQuery, '--format=csv,noheader')).stdout).toBe(`GPU-b, ${process.pid}, VLLM::EngineCore, [N/A]\n`);
    writeFaults(setup.host.stateDirectory, { processesHidden: true });
    expect((await smi(appQuery, '--format=csv,noheader')).stdout).toBe('');
  });
});
