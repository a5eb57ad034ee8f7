import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

/** On a card of 24 GiB, `small` and `medium` fit together; `large` needs the room of at least one of them. */
const MODELS: BerthOptions['models'] = {
  small: { simulated: { weightsMiB: 3_000, activationMiB: 300 } },
  medium: { simulated: { weightsMiB: 8_000, activationMiB: 600 } },
  large: { simulated: { weightsMiB: 14_000, activationMiB: 900 } },
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

    const peaks = card().processes.map((process) => Math.max(0, ...Object.values(process.peakMiB)));
    const file: { footprints: { model: string; vramMiB: number; samples: { measuredMiB: number[] }[]; source: string }[] } = JSON.parse(
      await readFile(footprintsFile, 'utf8'),
    );
    for (const model of ['small', 'medium']) {
      const footprint = file.footprints.find((entry) => entry.model === model);
      expect(footprint?.source).toBe('discovered');
      const measuredMiB = footprint?.samples[0]?.measuredMiB[0] ?? 0;
      expect(peaks).toContain(measuredMiB);
      expect(footprint?.vramMiB).toBe(Math.ceil(measuredMiB + Math.max(256, measuredMiB * 0.03)));
    }
  });

  test('second run: a model that was measured starts again without discovery, and others keep running', async () => {
    const { chat, state, startModel } = await withBothLearned();
    await startModel('small');
    const before = await state();
    expect(readyModels(before)).toEqual(['medium', 'small']);
    await chat('medium');
    const generations = (one: typeof before) => one.endpoints.map((endpoint) => endpoint.generation).toSorted();
    expect(generations(await state())).toEqual(generations(before));
  });
});

async function withBothLearned() {
  const started = await start();
  await started.chat('small');
  await started.chat('medium');
  return { ...started, startModel: started.chat };
}
void eventually;
