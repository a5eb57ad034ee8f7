import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

test('started with plain node it serves until SIGTERM and ends with 0', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-edge-'));
  await writeFile(join(folder, 'berth.yaml'), 'host: { runtime: process }\nmodels: { tiny: { source: org/tiny } }\n');
  const edge = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: { ...process.env, BERTH_PORT: '0', BERTH_REDIS_URL: 'redis://127.0.0.1:1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await new Promise<string>((resolve) => {
      let seen = '';
      edge.stdout.on('data', (piece: Buffer) => {
        seen += piece.toString();
        const found = /"url":"([^"]+)".*"msg":"edge started"/u.exec(seen)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    expect((await fetch(`${url}/v1/models`)).status).toBe(200);
    const exited = once(edge, 'exit');
    edge.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  } finally {
    edge.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
});

test('with a wrong environment it names every variable and ends with 1', async () => {
  const edge = spawn(process.execPath, [MAIN], {
    env: { ...process.env, BERTH_PORT: 'http', BERTH_REACH: 'telepathy' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [output, [code]] = await Promise.all([text(edge.stderr), once(edge, 'exit')]);
  expect(code).toBe(1);
  expect(output).toContain('BERTH_PORT');
  expect(output).toContain('BERTH_REACH');
});
