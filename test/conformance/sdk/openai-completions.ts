import { describe, expect, test } from 'vitest';
import { SEED } from './requests.ts';
import { openAiOf, type Target } from './target.ts';

export function describeOpenAiCompletions(target: Target): void {
  const plain = { model: target.models.chat, prompt: 'A ship', max_tokens: 8, seed: SEED };

  describe('openai: completions', () => {
    test('answer a text, texts, and token ids', async () => {
      const client = openAiOf(target);
      const completion = await client.completions.create(plain);
      expect(completion).toMatchObject({ object: 'text_completion', model: target.models.chat });
      expect(completion.choices[0]?.text).toBeTypeOf('string');
      const several = await client.completions.create({ ...plain, prompt: ['A ship', 'A boat'] });
      expect(several.choices.map((choice) => choice.index)).toEqual([0, 1]);
      const tokens = await client.completions.create({ ...plain, prompt: [70, 71, 72] });
      expect(tokens.usage?.prompt_tokens).toBe(3);
    });

    test('stream with usage on the last chunk', async () => {
      const body = { ...plain, model: target.models.chatAlias, stream: true as const, stream_options: { include_usage: true } };
      const chunks = await Array.fromAsync(await openAiOf(target).completions.create(body));
      expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set([target.models.chatAlias]));
      expect(chunks.at(-2)?.choices[0]?.finish_reason).toMatch(/stop|length/);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) as number } });
    });
  });
}
