import { NotFoundError } from 'openai';
import { expect, test } from 'vitest';
import { readyModels, startBerth } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

const storing = { env: { VLLM_ENABLE_RESPONSES_API_STORE: '1' }, simulated: { weightsMiB: 2_000 } };

test('a stored response is found by its id at whichever model has it, through any edge, and is gone with its engine', async () => {
  await using berth = await startBerth({ models: { one: storing, two: storing }, edges: 2 });
  const { chat, client, state, urls } = berth;
  // A model that was never measured starts alone, so it takes a third request until both serve.
  for (const model of ['one', 'two', 'one']) await chat(model);
  expect(readyModels(await state())).toEqual(['one', 'two']);
  const created = [];
  for (const model of ['one', 'two']) created.push(await client().responses.create({ model, input: 'hello', max_output_tokens: 16 }));
  for (const edge of [0, 1]) {
    for (const { id, model } of created) {
      const found = await client(edge).responses.retrieve(id);
      expect([found.id, found.model]).toEqual([id, model]);
    }
  }
  const cancelling = await fetch(`${urls[0]}/v1/responses/${created[0]?.id}/cancel`, { method: 'POST' });
  expect([cancelling.status, await cancelling.json()]).toMatchObject([
    400,
    { error: { message: 'Cannot cancel a synchronous response.' } },
  ]);

  await fetch(`${urls[0]}/admin/v1/models/one/stop`, { method: 'POST' });
  await eventually('the stop', async () => (await state()).endpoints.every(({ model }) => model !== 'one'));
  await expect(client().responses.retrieve(created[0]?.id ?? '')).rejects.toBeInstanceOf(NotFoundError);
  expect((await client().responses.retrieve(created[1]?.id ?? '')).id).toBe(created[1]?.id);
  const { endpoints, wishes } = await state();
  expect([endpoints.map(({ model }) => model), wishes]).toEqual([['two'], []]);
});
