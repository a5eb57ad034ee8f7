import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, openStream, postChat, queueCounts } from '../support/requests.ts';

/** On a card of 24 GiB `left` and `right` exclude each other, and so do `big` and any two of the small ones. */
const MODELS: BerthOptions['models'] = {
  left: { simulated: { weightsMiB: 14_000, activationMiB: 300, tokenDelayMs: 40 } },
  right: { simulated: { weightsMiB: 14_500, activationMiB: 300 } },
  big: { simulated: { weightsMiB: 17_000, activationMiB: 300 } },
  'small-1': { simulated: { weightsMiB: 4_000, activationMiB: 300 } },
  'small-2': { simulated: { weightsMiB: 4_100, activationMiB: 300 } },
  'small-3': { simulated: { weightsMiB: 4_200, activationMiB: 300 } },
};

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

async function start(options: Partial<BerthOptions> = {}): Promise<BerthUnderTest> {
  berth = await startBerth({ models: MODELS, ...options });
  return berth;
}

describe('many requests for one cold model', () => {
  test.each([1, 2])('200 at once through %i edge(s) make one job and one container, and all succeed', async (edges) => {
    const { chat, state, urls, card, engines } = await start({ edges, runtime: 'docker' });
    // The card of the shared Docker engine remembers every process it ever had.
    const earlier = new Set(card().processes.map(identityOf));
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => chat('small-1', index % edges)));
    expect(answers.every((answer) => answer.choices[0]?.message.content !== '')).toBe(true);
    expect((await state()).endpoints).toHaveLength(1);
    // On one GPU an engine has one process that holds memory.
    expect(new Set(card().processes.map(identityOf)).difference(earlier).size).toBe(1);
    expect(await engines()).toHaveLength(1);
    expect((await queueCounts(urls[0] ?? '')).completedPlacements).toBe(1);
  });
});

describe('eviction under load', () => {
  test('an endless stream on the victim is not cut: its model answers others again, and the newcomer is served when it ends', async () => {
    const { chat, state, urls } = await start({ catalog: { drain: { timeout: '1s' } } });
    await chat('right');
    await chat('left');
    const stream = await openStream(urls[0] ?? '', 'left');
    await stream.firstEvent;

    const newcomer = chat('right');
    await eventually('the drain of the victim', async () => (await state()).endpoints.some((endpoint) => endpoint.state === 'draining'));
    const during = await chat('left');
    expect(during.model).toBe('left');
    expect(readyModels(await state())).toEqual(['left']);
    expect(stream.ended()).toBe(false);
    stream.close();
    expect((await newcomer).model).toBe('right');
    expect(stream.errorFrames()).toEqual([]);
  });

  test('two models that each need the memory of the other are both served', async () => {
    const { chat } = await start();
    const served = await Promise.all(['left', 'right', 'left', 'right', 'left', 'right'].map((model) => chat(model)));
    expect(served.map((answer) => answer.model)).toEqual(['left', 'right', 'left', 'right', 'left', 'right']);
  });

  test('a big model is not starved by small ones that are asked for all the time', async () => {
    const { chat } = await start();
    for (const model of ['big', 'small-1', 'small-2', 'small-3']) await chat(model);
    const done = new AbortController();
    const small = ['small-1', 'small-2', 'small-3'].map(async (model) => {
      let served = 0;
      while (!done.signal.aborted) {
        await chat(model);
        served += 1;
        await sleep(20);
      }
      return served;
    });
    const big = await chat('big');
    done.abort();
    expect(big.model).toBe('big');
    for (const served of await Promise.all(small)) expect(served).toBeGreaterThan(0);
  });
});

describe('waiting for a load', () => {
  const slow = { ...MODELS, slow: { simulated: { weightsMiB: 2_000, weightsMs: 4_000 } } };

  test('a client that polls with Retry-After gets a model whose load takes longer than any one wait', async () => {
    const { urls } = await start({ models: slow, catalog: { coldStart: { wait: '1s' } } });
    const first = await postChat(urls[0] ?? '', chatBody('slow'));
    expect(first.status).toBe(503);
    expect(first.body.error?.code).toBe('model_loading');
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    const served = await eventually('the model to be served', async () => {
      const answer = await postChat(urls[0] ?? '', chatBody('slow'));
      if (answer.status === 200) return answer;
      expect(answer.status).toBe(503);
      await sleep(Math.min(500, Number(answer.headers.get('retry-after')) * 1000));
      return null;
    });
    expect(served.body.model).toBe('slow');
  });

  test('Prefer: wait shortens the wait of one request', async () => {
    const { urls } = await start({ models: slow });
    const answer = await postChat(urls[0] ?? '', chatBody('slow'), { prefer: 'wait=1' });
    expect(answer.status).toBe(503);
    expect(answer.body.error?.code).toBe('model_loading');
  });

  test('a client that leaves while queued leaves no waiter and no wish', async () => {
    const { chat, state, urls } = await start();
    await chat('right');
    await chat('left');
    const stream = await openStream(urls[0] ?? '', 'left');
    await stream.firstEvent;
    const leaving = new AbortController();
    const gone = postChat(urls[0] ?? '', chatBody('right'), {}, leaving.signal).catch(() => 'gone');
    await eventually('the waiter', async () => waitersOf(await state(), 'right') === 1);
    leaving.abort();
    expect(await gone).toBe('gone');
    await eventually('nobody to wait', async () => waitersOf(await state(), 'right') === 0);
    await eventually('the claim to be dropped', async () => (await state()).claims.length === 0);
    await eventually('the victim to serve on', async () => readyModels(await state()).includes('left'));
    expect((await state()).wishes).toEqual([]);
    expect(readyModels(await state())).toEqual(['left']);
    stream.close();
  });
});

function identityOf({ containerId, pid, startTicks }: ReturnType<BerthUnderTest['card']>['processes'][number]): string {
  return `${containerId ?? 'host'}/${pid}/${startTicks}`;
}

function waitersOf(state: Awaited<ReturnType<BerthUnderTest['state']>>, model: string): number {
  return state.edges
    .flatMap((edge) => edge.waiters)
    .filter((report) => report.model === model)
    .reduce((sum, report) => sum + report.count, 0);
}
