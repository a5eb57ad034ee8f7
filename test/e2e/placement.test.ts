import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type AdminState, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

/** On a card of 24 GiB `small`, `medium` and `middling` fit together, and `other` fits as soon as `medium` or `middling` is gone. */
const MODELS: BerthOptions['models'] = {
  small: { simulated: { weightsMiB: 3_000, activationMiB: 300 } },
  medium: { simulated: { weightsMiB: 6_000, activationMiB: 300 } },
  middling: { simulated: { weightsMiB: 6_500, activationMiB: 300 } },
  other: { simulated: { weightsMiB: 6_600, activationMiB: 300 } },
};

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

async function start(options: Partial<BerthOptions> = {}): Promise<BerthUnderTest> {
  berth = await startBerth({ models: MODELS, runtime: 'docker', ...options });
  return berth;
}

describe('on a real Docker engine with a simulated card', () => {
  test('first run: a model asked for the first time stops the others, is measured, and its footprint is stored', async () => {
    const { chat, state, card, footprintsFile } = await start();
    await chat('small');
    await chat('medium');
    expect(readyModels(await state())).toEqual(['medium']);

    const peaksMiB = card().processes.flatMap((process) => Object.values(process.peakMiB));
    for (const model of ['small', 'medium']) {
      const footprint = await storedFootprint(footprintsFile, model);
      const measuredMiB = footprint.samples[0]?.measuredMiB[0] ?? 0;
      expect(footprint.source).toBe('discovered');
      expect(peaksMiB).toContain(measuredMiB);
      expect(footprint.vramMiB).toBe(Math.ceil(measuredMiB + Math.max(256, measuredMiB * 0.03)));
    }
  });

  test('second run: a model that was measured starts again without discovery, and others keep running', async () => {
    const { chat, state } = await start();
    await chat('small');
    await chat('medium');
    const medium = generationOf(await state(), 'medium');
    await chat('small');
    expect(readyModels(await state())).toEqual(['medium', 'small']);
    expect(generationOf(await state(), 'medium')).toBe(medium);
  });

  test('parallel run: a second, smaller model starts beside the first when it fits', async () => {
    const { chat, state, engines, card } = await start();
    for (const model of ['small', 'medium', 'small']) await chat(model);
    expect((await engines()).filter((engine) => engine.running)).toHaveLength(2);
    await Promise.all([chat('small'), chat('medium')]);
    const [gpu] = card().gpus;
    expect(gpu?.peakUsedMiB).toBeLessThanOrEqual((gpu?.memoryTotalMiB ?? 0) - (gpu?.memoryReservedMiB ?? 0));
    expect(readyModels(await state())).toEqual(['medium', 'small']);
  });

  test('eviction run: a model that does not fit evicts exactly the least recently used, and nothing else', async () => {
    const { chat, state } = await start();
    // Discovery runs alone, so each is asked for once before any two run together.
    for (const model of ['other', 'medium', 'middling', 'small', 'medium', 'middling']) await chat(model);
    expect(readyModels(await state())).toEqual(['medium', 'middling', 'small']);
    for (const model of ['middling', 'small']) await chat(model);
    await eventually('the last uses to be known', async () => leastRecentlyUsed(await state()) === 'medium');
    const before = await state();
    await chat('other');
    const after = await state();
    expect(readyModels(after)).toEqual(['middling', 'other', 'small']);
    for (const model of ['middling', 'small']) expect(generationOf(after, model)).toBe(generationOf(before, model));
  });

  test('inactivity: an idle model is stopped and its memory is free again', async () => {
    const { chat, state, card, engines } = await start({ catalog: { defaults: { idleTimeout: '1s' } } });
    await chat('small');
    await eventually('the idle endpoint to be gone', async () => (await state()).endpoints.length === 0);
    expect(card().gpus[0]?.usedMiB).toBe(0);
    expect(await engines()).toHaveLength(0);
    await chat('small');
    expect(readyModels(await state())).toEqual(['small']);
  });
});

interface StoredFootprint {
  readonly model: string;
  readonly vramMiB: number;
  readonly source: string;
  readonly samples: readonly { readonly measuredMiB: readonly number[] }[];
}

async function storedFootprint(file: string, model: string): Promise<StoredFootprint> {
  const { footprints }: { footprints: StoredFootprint[] } = JSON.parse(await readFile(file, 'utf8'));
  const found = footprints.find((footprint) => footprint.model === model);
  if (found === undefined) throw new Error(`${file} has no footprint of ${model}`);
  return found;
}

function generationOf(state: AdminState, model: string): string | null {
  return state.endpoints.find((endpoint) => endpoint.model === model)?.generation ?? null;
}

function leastRecentlyUsed(state: AdminState): string | undefined {
  return state.endpoints.toSorted((one, other) => (one.lastUsedAtMs ?? 0) - (other.lastUsedAtMs ?? 0))[0]?.model;
}
