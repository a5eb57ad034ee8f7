import { readFileSync } from 'node:fs';
import type { CommandResult, NvidiaSmiRunner } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { createGpuProbe } from './gpu-probe.ts';
import { QUERY_COMPUTE_APPS } from './parse-compute-apps.ts';
import { QUERY_GPUS } from './parse-gpus.ts';
import { totalVram } from './total-vram.ts';

const recorded = (name: string): string => readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8');
const ok = (name: string): CommandResult => ({ exitCode: 0, stdout: recorded(name), stderr: '' });
const empty: CommandResult = { exitCode: 0, stdout: '', stderr: '' };
const options = { timeoutMs: 5000, now: () => 42 };

/** A runner that answers the two queries from recorded outputs and remembers what it was asked. */
function runnerOf(cards: CommandResult, apps: CommandResult): NvidiaSmiRunner & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async run(args): Promise<CommandResult> {
      asked.push(args[0] ?? '');
      return args === QUERY_GPUS ? cards : apps;
    },
  };
}

describe('createGpuProbe', () => {
  it('reads cards and processes, with the time before the reading', async () => {
    const reading = await createGpuProbe(runnerOf(ok('gpus-h100-pair.csv'), ok('apps-h100-pair.csv')), options).readHost();
    expect(reading.atMs).toBe(42);
    expect(reading.gpus.map((gpu) => gpu.usedMiB)).toEqual([45210, 18001]);
    expect(reading.processes?.map((row) => row.pid)).toEqual([41210, 41877, 41878, 977]);
  });

  it('reads processes before cards, so that memory taken in between counts as foreign and is not lost', async () => {
    const runner = runnerOf(ok('gpus-h100-pair.csv'), empty);
    await createGpuProbe(runner, options).readHost();
    expect(runner.asked).toEqual([QUERY_COMPUTE_APPS[0], QUERY_GPUS[0]]);
  });

  it('asks both in one run where the runner can', async () => {
    const asked: (readonly (readonly string[])[])[] = [];
    const runner: NvidiaSmiRunner = {
      run: () => Promise.reject(new TypeError('not to be called')),
      runAll: (commandLines) => {
        asked.push(commandLines);
        return Promise.resolve([ok('apps-gb10.csv'), ok('gpus-gb10.csv')]);
      },
    };
    const reading = await createGpuProbe(runner, options).readHost();
    expect(asked).toEqual([[QUERY_COMPUTE_APPS, QUERY_GPUS]]);
    expect(reading).toMatchObject({ gpus: [{ product: 'NVIDIA GB10' }], processes: [{ pid: 5150, usedMiB: 21480 }] });
  });

  it('has no processes where the driver does not support the query', async () => {
    const unsupported: CommandResult = { exitCode: 3, stdout: 'Not Supported\n', stderr: '' };
    const reading = await createGpuProbe(runnerOf(ok('gpus-wsl2.csv'), unsupported), options).readHost();
    expect(reading.processes).toBeNull();
  });

  it.each([
    [9, 'driver-not-loaded.txt', "couldn't communicate with the NVIDIA driver", 'Install the NVIDIA driver'],
    [18, 'library-mismatch.txt', 'Driver/library version mismatch', 'restart the host'],
    [6, 'no-devices.txt', 'No devices were found', 'nvidia-smi -L'],
  ])('says for exit code %i what nvidia-smi wrote to stdout and what to do', async (exitCode, file, said, remedy) => {
    const failed: CommandResult = { exitCode, stdout: recorded(file), stderr: '' };
    const failure = createGpuProbe(runnerOf(failed, empty), options).readHost();
    await expect(failure).rejects.toMatchObject({ code: 'GPU_PROBE_FAILED', retryable: false, details: { exitCode } });
    await expect(failure).rejects.toThrowError(said);
    await expect(failure).rejects.toThrowError(remedy);
  });

  it.each([2, 3, 4, 8, 10, 12, 13, 14, 15, 126, 127, 255, 77])('fails on exit code %i with the code and a remedy', async (exitCode) => {
    const failed: CommandResult = { exitCode, stdout: '', stderr: 'exec failed' };
    const failure = createGpuProbe(runnerOf(failed, empty), options).readHost();
    await expect(failure).rejects.toMatchObject({ code: 'GPU_PROBE_FAILED', details: { exitCode, output: 'exec failed' } });
    await expect(failure).rejects.toThrowError(new RegExp(`exit code ${exitCode}: .+\\. It said: "exec failed"\\. .+\\.$`, 'u'));
  });

  it('fails when the processes cannot be read, since memory of ours would then pass for foreign', async () => {
    const failed: CommandResult = { exitCode: 255, stdout: 'Unknown Error\n', stderr: '' };
    await expect(createGpuProbe(runnerOf(ok('gpus-h100-pair.csv'), failed), options).readHost()).rejects.toMatchObject({
      code: 'GPU_PROBE_FAILED',
      retryable: true,
    });
  });

  it('fails when no GPU is listed', async () => {
    await expect(createGpuProbe(runnerOf(empty, empty), options).readHost()).rejects.toThrowError('listed no GPU');
  });
});

describe('totalVram', () => {
  it('reads the total of every card', async () => {
    const totals = totalVram(await createGpuProbe(runnerOf(ok('gpus-mig.csv'), empty), options).readHost());
    expect(totals.map((gpu) => [gpu.index, gpu.totalMiB])).toEqual([
      [0, null],
      [1, 81920],
    ]);
  });

  it('fails when no card tells its total', async () => {
    const reading = await createGpuProbe(runnerOf(ok('gpus-gb10.csv'), empty), options).readHost();
    expect(() => totalVram(reading)).toThrow(
      expect.objectContaining({ code: 'GPU_PROBE_FAILED', message: expect.stringContaining('GPU 0 (NVIDIA GB10)') }),
    );
  });
});
