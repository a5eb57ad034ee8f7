import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalNvidiaSmi } from './local-nvidia-smi.ts';

async function createProgram(script: string) {
  const directory = await mkdtemp(join(tmpdir(), 'berth-smi-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'nvidia-smi');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return { path, directory };
}

describe('nvidia-smi of this machine', () => {
  it('is found on the path and answers with its arguments, output and exit code', async () => {
    const { directory } = await createProgram('echo "out $1"; echo "err $2" >&2; exit 9');
    const runner = createLocalNvidiaSmi({ env: { PATH: `${directory}:/usr/bin:/bin` } });
    expect(await runner.run(['a b', 'c'], { timeoutMs: 10_000 })).toEqual({ exitCode: 9, stdout: 'out a b\n', stderr: 'err c\n' });
  });

  it('says what to install where it is missing', async () => {
    const runner = createLocalNvidiaSmi({ env: { PATH: '/no/such/folder' } });
    await expect(runner.run([], { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'GPU_PROBE_FAILED',
      retryable: false,
      message: expect.stringContaining('NVIDIA driver'),
    });
  });

  it('is killed when it hangs, and its caller is not kept waiting by what holds its output', async () => {
    const { path } = await createProgram('trap "" TERM; sleep 5 & wait; sleep 5');
    const runner = createLocalNvidiaSmi({ path, env: { PATH: '/usr/bin:/bin' } });
    await expect(runner.run([], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'GPU_PROBE_FAILED', retryable: true });
  });
});
