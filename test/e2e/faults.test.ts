import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type AdminState, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { postChat, chatBody } from '../support/requests.ts';

const MODELS: BerthOptions['models'] = {
  small: { simulated: { weightsMiB: 3_000, activationMiB: 300 } },
  medium: { simulated: { weightsMiB: 6_000, activationMiB: 300 } },
  slow: { simulated: { weightsMiB: 2_000, activationMiB: 300, weightsMs: 6_000 } },
};

const running: BerthUnderTest[] = [];

afterEach(async () => {
  for (const berth of running.splice(0).toReversed()) await berth[Symbol.asyncDispose]();
});

async function start(options: Partial<BerthOptions> = {}): Promise<BerthUnderTest> {
  const berth = await startBerth({ models: MODELS, runtime: 'docker', ...options });
  running.push(berth);
  return berth;
}

describe('an engine that ends unasked', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('a container ended by %s is noticed and replaced on the next request', async (signal) => {
    const { chat, state, engines } = await start();
    await chat('small');
    const before = generationOf(await state(), 'small');
    const [engine] = await engines();
    await engine?.kill(signal);
    await eventually('the exit to be noticed', async () => !readyModels(await state()).includes('small'));
    const answer = await chat('small');
    expect(answer.model).toBe('small');
    expect(generationOf(await state(), 'small')).not.toBe(before);
    expect((await engines()).filter((one) => one.running)).toHaveLength(1);
  });

  test('a load that fails answers every waiter with its cause, and the model backs off', async () => {
    const { urls, state } = await start({
      models: { broken: { simulated: { weightsMiB: 1_000, crashAtPhase: 'weights' } } },
      catalog: { quarantine: { base: '20s', max: '30s' } },
    });
    const answers = await Promise.all(Array.from({ length: 5 }, () => postChat(urls[0] ?? '', chatBody('broken'))));
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(answer.body.error?.message).toContain('broken');
    }
    expect((await state()).quarantines.map((quarantine) => quarantine.model)).toEqual(['broken']);
    const again = await postChat(urls[0] ?? '', chatBody('broken'));
    expect(again.status).toBe(503);
    expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('an orchestrator that is killed', () => {
  test('in the middle of a load: the load is adopted, waiters get their answer, and no second container is made', async () => {
    const berth = await start();
    const answer = berth.chat('slow');
    await eventually('the load', async () => (await berth.engines()).some((engine) => engine.running));
    await berth.orchestrator().kill('SIGKILL');
    const before = await berth.engines();
    await berth.startOrchestrator();
    expect((await answer).model).toBe('slow');
    const after = await berth.engines();
    expect(after.map((engine) => engine.name)).toEqual(before.map((engine) => engine.name));
  });

  test('while models serve: they serve on, and are adopted without a reload', async () => {
    const berth = await start();
    await berth.chat('small');
    const before = generationOf(await berth.state(), 'small');
    await berth.orchestrator().kill('SIGKILL');
    expect((await berth.chat('small')).model).toBe('small');
    await berth.startOrchestrator();
    await eventually('the new leader to serve another model', async () => (await berth.chat('medium')).model === 'medium');
    expect((await berth.chat('small')).model).toBe('small');
    expect(before).not.toBeNull();
  });
});

describe('a Redis that loses its data', () => {
  test('containers are adopted again, and footprints are back from the file', async () => {
    const berth = await start();
    await berth.chat('small');
    await berth.chat('medium');
    const medium = generationOf(await berth.state(), 'medium');
    const file = await readFile(berth.footprintsFile, 'utf8');
    await flush(berth.redis.url);
    await eventually('the endpoint to be adopted', async () => {
      const state = await berth.state().catch(() => null);
      return state !== null && generationOf(state, 'medium') === medium && readyModels(state).includes('medium');
    });
    expect((await berth.chat('medium')).model).toBe('medium');
    // Known again, so it starts beside the other instead of being discovered alone.
    await berth.chat('small');
    expect(readyModels(await berth.state())).toEqual(['medium', 'small']);
    expect(generationOf(await berth.state(), 'medium')).toBe(medium);
    expect(JSON.parse(await readFile(berth.footprintsFile, 'utf8')).footprints).toHaveLength(JSON.parse(file).footprints.length);
  });
});

describe('a Redis that is away', () => {
  test('ready models go on, cold ones are refused at once with what to do, and afterwards all is as before', async () => {
    const berth = await start({ runtime: 'process' });
    await berth.chat('small');
    const url = berth.urls[0] ?? '';
    await berth.redis.kill();
    expect((await berth.chat('small')).model).toBe('small');
    const cold = await postChat(url, chatBody('medium'));
    expect([cold.status, cold.body.error?.code]).toEqual([503, 'REDIS_UNAVAILABLE']);
    expect(Number(cold.headers.get('retry-after'))).toBeGreaterThan(0);
    await eventually('readiness to tell of it', async () => {
      const ready = await fetch(`${url}/health/ready`);
      return ready.status === 200 && (await ready.text()).includes('REDIS_UNAVAILABLE');
    });
    await eventually('placement health to fail', async () => (await fetch(`${url}/health/placement`)).status === 503);
    await berth.redis.start();
    await eventually('a cold model to be served', async () => (await postChat(url, chatBody('medium'))).status === 200, 60_000);
    expect((await berth.chat('small')).model).toBe('small');
  });
});

describe('two installations on one Docker engine', () => {
  test('leave each other alone', async () => {
    const first = await start();
    await first.chat('small');
    const before = await first.engines();
    const second = await start();
    // What the other installation holds is foreign memory here: it is neither stopped nor counted as free.
    expect((await second.chat('medium')).model).toBe('medium');
    expect((await first.engines()).map((engine) => [engine.name, engine.running])).toEqual(before.map((engine) => [engine.name, true]));
    await second.orchestrator().kill('SIGTERM');
    await second.startOrchestrator();
    expect((await first.chat('small')).model).toBe('small');
    expect(await second.engines()).toHaveLength(1);
  });
});

async function flush(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.flushall();
  redis.disconnect();
}

function generationOf(state: AdminState, model: string): string | null {
  return state.endpoints.find((endpoint) => endpoint.model === model)?.generation ?? null;
}
