import { holdForeignMemory } from '@berth/simulator';
import { expect, test } from 'vitest';
import { readyModels, startBerth } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

test('a start that foreign memory has overtaken since the last reading gets its room by an eviction, and does not wait for that memory', async () => {
  await using berth = await startBerth({
    models: {
      small: { simulated: { weightsMiB: 3_000, activationMiB: 300 } },
      big: { simulated: { weightsMiB: 12_000, activationMiB: 300 } },
    },
    // Longer than the test: only an eviction can serve the request.
    catalog: { memoryRelease: { timeout: '10m' } },
  });
  for (const model of ['small', 'big', 'small']) await berth.chat(model);
  expect(readyModels(await berth.state())).toEqual(['big', 'small']);
  await fetch(`${berth.urls[0]}/admin/v1/models/big/stop`, { method: 'POST' });
  await eventually('big to be gone', async () => (await berth.state()).endpoints.length === 1);

  await using _foreign = await holdForeignMemory({
    stateDirectory: berth.host.stateDirectory,
    gpuUuid: berth.host.gpus[0]?.uuid ?? '',
    mib: 8_000,
  });
  await berth.chat('big');
  expect(readyModels(await berth.state())).toEqual(['big']);
});
