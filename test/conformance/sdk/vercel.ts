import { embed, embedMany, generateObject, generateText, isStepCount, jsonSchema, Output, streamText, tool, transcribe } from 'ai';
import { describe, expect, test } from 'vitest';
import { Berthing, JSON_TOKENS, parseWeather, SEED, WEATHER, WEATHER_SCHEMA } from './requests.ts';
import { silentWav } from './silent-wav.ts';
import { vercelCompatibleOf, vercelOpenAiOf, type Target } from './target.ts';

const PROMPT = 'Which port is free?';
const calm = tool({
  description: WEATHER.description,
  inputSchema: jsonSchema<{ port: string }>({ ...WEATHER_SCHEMA, properties: { port: { type: 'string', enum: ['Kiel', 'Bremen'] } } }),
  strict: true,
  execute: async () => 'calm',
});

/** Its warnings about settings that a kind of model does not take are none of ours. */
globalThis.AI_SDK_LOG_WARNINGS = false;

export function describeVercel(target: Target): void {
  const { models } = target;
  const languageModels = [
    ['openai-compatible: chat', () => vercelCompatibleOf(target).chatModel(models.chat)],
    ['openai: chat', () => vercelOpenAiOf(target).chat(models.chat)],
    ['openai: responses', () => vercelOpenAiOf(target).responses(models.chat)],
  ] as const;
  const plain = { prompt: PROMPT, maxOutputTokens: 8, maxRetries: 0 };
  const json = { ...plain, maxOutputTokens: JSON_TOKENS };

  describe.each(languageModels)('ai with @ai-sdk/%s', (_, model) => {
    test('generates a text', async () => {
      const { text, usage, finishReason } = await generateText({ model: model(), ...plain });
      expect(text).toBeTypeOf('string');
      expect(usage.outputTokens).toBeGreaterThan(0);
      expect(finishReason).toMatch(/stop|length/);
    });

    test('streams a text', async () => {
      const result = streamText({ model: model(), ...plain });
      const text = (await Array.fromAsync(result.textStream)).join('');
      expect(await result.text).toBe(text);
      expect(await result.finishReason).toMatch(/stop|length/);
      expect((await result.usage).outputTokens).toBeGreaterThan(0);
    });

    test('calls a tool that is named, whole and streamed', async () => {
      const body = { ...json, tools: { get_weather: calm }, toolChoice: { type: 'tool' as const, toolName: 'get_weather' as const } };
      const [call] = (await generateText({ model: model(), ...body })).toolCalls;
      parseWeather(JSON.stringify(call?.input));
      const [streamed] = await streamText({ model: model(), ...body }).toolCalls;
      parseWeather(JSON.stringify(streamed?.input));
    });

    test.skipIf(!target.capabilities.choosesTools)('goes from a tool call to the answer in words', async () => {
      const result = await generateText({ model: model(), ...json, tools: { get_weather: calm }, stopWhen: isStepCount(3) });
      expect(result.steps.map((step) => step.toolCalls.length)).toEqual([1, 0]);
      expect(result.text).not.toBe('');
    });

    test('generates an object, whole and streamed', async () => {
      Berthing.parse((await generateObject({ model: model(), ...json, schema: Berthing })).object);
      const output = Output.object({ schema: Berthing });
      Berthing.parse((await generateText({ model: model(), ...json, output })).output);
      const result = streamText({ model: model(), ...json, output });
      await Array.fromAsync(result.partialOutputStream);
      Berthing.parse(await result.output);
    });
  });

  describe('ai: other kinds of models', () => {
    test('a completion model generates and streams', async () => {
      const model = vercelCompatibleOf(target).completionModel(models.chat);
      expect((await generateText({ model, ...plain, seed: SEED })).text).toBeTypeOf('string');
      const streamed = streamText({ model, ...plain, seed: SEED });
      expect((await Array.fromAsync(streamed.textStream)).join('')).toBe(await streamed.text);
    });

    test.skipIf(models.embedding === null)('an embedding model embeds one value and many', async () => {
      for (const provider of [vercelCompatibleOf(target), vercelOpenAiOf(target)]) {
        const model = provider.embeddingModel(models.embedding ?? '');
        const { embedding } = await embed({ model, value: 'A ship', maxRetries: 0 });
        const { embeddings } = await embedMany({ model, values: ['A ship', 'A boat at its berth'], maxRetries: 0 });
        expect(embeddings[0]).toHaveLength(embedding.length);
        expect(embeddings).toHaveLength(2);
      }
    });

    test.skipIf(models.audio === null)('a transcription model transcribes', async () => {
      const model = vercelOpenAiOf(target).transcription(models.audio ?? '');
      const { text } = await transcribe({ model, audio: silentWav(2), maxRetries: 0 });
      expect(text).not.toBe('');
    });
  });
}
