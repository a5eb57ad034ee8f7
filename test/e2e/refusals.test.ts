import { execFile } from 'node:child_process';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setFaults, type CardFaults } from '@berth/simulator';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { chatBody, postChat } from '../support/requests.ts';
import { ENTRY_POINTS } from '../support/service.ts';

const MODELS: BerthOptions['models'] = {
  small: { simulated: { weightsMiB: 3_000, activationMiB: 300 } },
  medium: { simulated: { weightsMiB: 6_000, activationMiB: 300 } },
};
const GIB = 1024 ** 3;

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

async function start(options: Partial<BerthOptions> = {}): Promise<BerthUnderTest> {
  berth = await startBerth({ models: MODELS, ...options });
  return berth;
}

describe('a model that needs more than every card has', () => {
  test('is refused at once with the numbers when its weights lie on this machine', async () => {
    const { urls, state, directory } = await start({ models: { ...MODELS, huge: { source: './weights/huge' } } });
    await writeSparseWeights(join(directory, 'weights', 'huge'), 40 * GIB);
    const answer = await postChat(urls[0] ?? '', chatBody('huge'));
    expect(answer.status).toBe(503);
    expect(answer.body.error?.code).toBe('DOES_NOT_FIT');
    expect(answer.body.error?.message).toMatch(/4\d{4} MiB|4\d(\.\d+)? GiB/);
    expect((await state()).endpoints).toEqual([]);
  });

  test('is refused at once with the numbers when the catalog says so', async () => {
    const { urls, state } = await start({ models: { ...MODELS, huge: { memory: { atLeast: '40GiB' } } } });
    const answer = await postChat(urls[0] ?? '', chatBody('huge'));
    expect(answer.body.error?.code).toBe('DOES_NOT_FIT');
    expect((await state()).endpoints).toEqual([]);
  });

  test('is refused at once after an earlier out-of-memory taught its size, and the card is left to the others', async () => {
    const { urls, state, chat } = await start({ models: { ...MODELS, huge: { simulated: { weightsMiB: 40_000 } } } });
    const first = await postChat(urls[0] ?? '', chatBody('huge'));
    expect(first.status).toBe(503);
    await chat('small');
    const second = await postChat(urls[0] ?? '', chatBody('huge'));
    expect(second.status).toBe(503);
    expect(readyModels(await state())).toEqual(['small']);
  });

  test('names the pinned model that leaves too little room', async () => {
    const { urls, chat } = await start({
      models: { medium: { ...MODELS['medium'], pinned: true }, large: { memory: { atLeast: '18GiB' } } },
    });
    await chat('medium');
    const answer = await postChat(urls[0] ?? '', chatBody('large'));
    expect(answer.body.error?.code).toBe('DOES_NOT_FIT');
    expect(answer.body.error?.message).toContain('medium');
  });
});

describe('without GPU readings', () => {
  const unreadable: readonly (readonly [string, CardFaults | 'missing'])[] = [
    ['is missing', 'missing'],
    ['does not find the driver', { driverNotLoaded: true }],
    ['hangs', { hangMs: 60_000 }],
    ['answers [N/A]', { notAvailable: ['memory.total', 'memory.used', 'memory.free', 'memory.reserved'] }],
  ];
  test.each(unreadable)('when nvidia-smi %s, one model runs at a time, nothing is learned, and health says so', async (_, fault) => {
    const { urls, chat, state, orchestrator } = await start({
      env: { BERTH_NVIDIA_SMI_TIMEOUT: '1s' },
      prepare: async (host) => {
        if (fault === 'missing') await rm(host.nvidiaSmiPath);
        else setFaults(host.stateDirectory, fault);
      },
    });
    await chat('small');
    expect(readyModels(await state())).toEqual(['small']);
    await chat('medium');
    expect(readyModels(await state())).toEqual(['medium']);
    const health = await fetch(`${urls[0] ?? ''}/health/placement`);
    expect(await health.text()).toContain('GPU_PROBE_FAILED');
    expect((await orchestrator().readLog()).some((line) => line['level'] === 'error' && line['msg'] === 'gpu reading failed')).toBe(true);
    expect((await orchestrator().readLog()).some((line) => line['msg'] === 'footprint learned')).toBe(false);
  });
});

describe('a dependency that is not there', () => {
  test('without a Docker socket a cold model is refused with what to do', async () => {
    const { urls } = await start({ runtime: 'docker', env: { BERTH_DOCKER_SOCKET: '/nowhere/docker.sock' } });
    const answer = await postChat(urls[0] ?? '', chatBody('small'));
    expect(answer.status).toBe(503);
    expect(answer.body.error?.code).toBe('DOCKER_UNAVAILABLE');
    expect(answer.body.error?.message).toContain('/nowhere/docker.sock');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('an image that neither this machine nor a registry has is named in the answer', async () => {
    const { urls } = await start({ runtime: 'docker', models: { small: { ...MODELS['small'], image: '127.0.0.1:9/nowhere/vllm:v1' } } });
    const answer = await postChat(urls[0] ?? '', chatBody('small'));
    expect(answer.status).toBe(503);
    expect(answer.body.error?.code).toBe('IMAGE_MISSING');
    expect(answer.body.error?.message).toContain('127.0.0.1:9/nowhere/vllm:v1');
  });

  test('a port that is taken ends the service with the variable to change', async () => {
    const { edges, orchestrator, directory } = await start();
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as { port: number };
    for (const [name, variable, env] of [
      ['edge', 'BERTH_PORT', edges[0]?.env],
      ['orchestrator', 'BERTH_ORCHESTRATOR_PORT', orchestrator().env],
    ] as const) {
      const ended = await runToItsEnd(name, { ...env, [variable]: String(port) }, directory);
      expect(ended.code).toBe(1);
      expect(ended.output).toContain(variable);
    }
    server.close();
  });
});

describe('requests and catalogs that are wrong', () => {
  test('an unknown model is 404, and malformed JSON is 400', async () => {
    const { urls } = await start();
    const unknown = await postChat(urls[0] ?? '', chatBody('nobody'));
    expect([unknown.status, unknown.body.error?.code]).toEqual([404, 'model_not_found']);
    const malformed = await postChat(urls[0] ?? '', '{"model": "small", ');
    expect([malformed.status, malformed.body.error?.type]).toEqual([400, 'invalid_request_error']);
  });

  test('a catalog with an unknown key, a duplicate alias and an impossible size is refused with all problems at once', async () => {
    const { orchestrator, directory } = await start();
    const path = join(directory, 'bad.yaml');
    await writeFile(
      path,
      [
        'host: { runtime: process, reserv: 1GiB }',
        'models:',
        '  one: { source: a/one, aliases: [same] }',
        '  two: { source: a/two, aliases: [same], kvCache: 0GiB }',
      ].join('\n'),
    );
    const ended = await runToItsEnd('orchestrator', { ...orchestrator().env, BERTH_CONFIG: path }, directory);
    expect(ended.code).toBe(1);
    for (const text of ['bad.yaml:1:', 'reserv', 'reserve', 'bad.yaml:4:', 'same', 'kvCache']) expect(ended.output).toContain(text);
  });
});

async function writeSparseWeights(folder: string, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify({ torch_dtype: 'bfloat16' }));
  await using file = await open(join(folder, 'model.safetensors'), 'w');
  await file.truncate(bytes);
}

async function runToItsEnd(
  name: keyof typeof ENTRY_POINTS,
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [ENTRY_POINTS[name]], { env, cwd, timeout: 20_000 });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
