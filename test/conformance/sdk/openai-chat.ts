import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream';
import { describe, expect, test } from 'vitest';
import { Berthing, BERTHING_SCHEMA, JSON_TOKENS, MESSAGES, parseWeather, SEED, WEATHER, Weather, WEATHER_SCHEMA } from './requests.ts';
import { openAiOf, type Target } from './target.ts';

const TOOLS = [{ type: 'function' as const, function: { ...WEATHER, strict: true, parameters: WEATHER_SCHEMA } }];

export function describeOpenAiChat(target: Target): void {
  const { chat: model, chatAlias } = target.models;
  const plain = { model, messages: MESSAGES, max_tokens: 8, seed: SEED };
  const withTool = { ...plain, max_tokens: JSON_TOKENS, tools: TOOLS, parallel_tool_calls: false };
  const format = { type: 'json_schema' as const, json_schema: { name: 'berthing', strict: true, schema: BERTHING_SCHEMA } };

  describe('openai: chat completions', () => {
    test.each([model, chatAlias])('answer under the name that was asked for: %s', async (name) => {
      const completion = await openAiOf(target).chat.completions.create({ ...plain, model: name });
      expect(completion).toMatchObject({ object: 'chat.completion', model: name });
      expect(completion.choices[0]).toMatchObject({ index: 0, finish_reason: expect.stringMatching(/stop|length/) as string });
      expect(completion.choices[0]?.message.content).toBeTypeOf('string');
      expect(completion.usage?.completion_tokens).toBeGreaterThan(0);
    });

    test('stream with usage on the last chunk, and with none unless it is asked for', async () => {
      const client = openAiOf(target);
      const asked = await client.chat.completions.create({ ...plain, stream: true, stream_options: { include_usage: true } });
      const chunks = await Array.fromAsync(asked);
      expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set([model]));
      expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
      expect(chunks.at(-2)?.choices[0]?.finish_reason).toMatch(/stop|length/);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) as number } });
      const unasked = await Array.fromAsync(await client.chat.completions.create({ ...plain, stream: true }));
      expect(unasked.filter((chunk) => chunk.usage)).toEqual([]);
    });

    test('several answers of one request are told apart, whole and streamed', async () => {
      const client = openAiOf(target);
      const completion = await client.chat.completions.create({ ...plain, n: 2 });
      expect(new Set(completion.choices.map((choice) => choice.index))).toEqual(new Set([0, 1]));
      const chunks = await Array.fromAsync(await client.chat.completions.create({ ...plain, n: 2, stream: true }));
      const finished = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.finish_reason !== null);
      expect(new Set(finished.map((choice) => choice.index))).toEqual(new Set([0, 1]));
    });

    test('the stream helper collects the answer, and hands it on as a web stream', async () => {
      const events: string[] = [];
      const stream = openAiOf(target).chat.completions.stream({ ...plain, stream_options: { include_usage: true } });
      stream.on('content', (delta) => events.push(delta));
      const completion = await stream.finalChatCompletion();
      expect(completion.choices[0]?.message.content).toBe(events.join(''));
      expect(completion.usage?.completion_tokens).toBeGreaterThan(0);

      const readable = openAiOf(target).chat.completions.stream(plain).toReadableStream();
      const again = await ChatCompletionStream.fromReadableStream(readable).finalChatCompletion();
      expect(again.choices[0]?.message.role).toBe('assistant');
    });

    test('call a tool that is required, whole', async () => {
      const completion = await openAiOf(target).chat.completions.create({ ...withTool, tool_choice: 'required' });
      const [choice] = completion.choices;
      expect(choice?.finish_reason).toBe('tool_calls');
      const [call] = choice?.message.tool_calls ?? [];
      if (call?.type !== 'function') throw new Error('no function was called');
      expect(call.function.name).toBe(WEATHER.name);
      expect(call.id).not.toBe('');
      parseWeather(call.function.arguments);
    });

    test('call a tool that is named, in pieces with an index and one id', async () => {
      const toolChoice = { type: 'function' as const, function: { name: WEATHER.name } };
      const body = { ...withTool, tool_choice: toolChoice, stream: true as const };
      const chunks = await Array.fromAsync(await openAiOf(target).chat.completions.create(body));
      const pieces = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
      expect(pieces[0]).toMatchObject({ index: 0, type: 'function', id: expect.any(String) as string, function: { name: WEATHER.name } });
      expect(pieces.filter((piece) => piece.id !== undefined)).toHaveLength(1);
      expect(pieces.length).toBeGreaterThan(2);
      parseWeather(pieces.map((piece) => piece.function?.arguments ?? '').join(''));
    });

    test('the stream helper puts a tool call together', async () => {
      const stream = openAiOf(target).chat.completions.stream({ ...withTool, tool_choice: 'required' });
      const deltas: string[] = [];
      stream.on('tool_calls.function.arguments.delta', (event) => deltas.push(event.arguments_delta));
      const message = await stream.finalMessage();
      const [call] = message.tool_calls ?? [];
      if (call?.type !== 'function') throw new Error('no function was called');
      expect(call.function.arguments).toBe(deltas.join(''));
      parseWeather(call.function.arguments);
    });

    test.skipIf(!target.capabilities.choosesTools)('runTools goes from the call to the answer in words', async () => {
      const ports: string[] = [];
      const weather = zodFunction({
        ...WEATHER,
        parameters: Weather,
        function: ({ port }) => {
          ports.push(port);
          return 'calm';
        },
      });
      const runner = openAiOf(target).chat.completions.runTools({ ...plain, max_tokens: 50, tools: [weather] });
      expect(await runner.finalContent()).toBeTypeOf('string');
      expect(ports).toEqual(['Kiel']);
    });

    test('keep a JSON schema, whole and streamed', async () => {
      const body = { ...plain, max_tokens: JSON_TOKENS, response_format: format };
      const completion = await openAiOf(target).chat.completions.create(body);
      Berthing.parse(JSON.parse(completion.choices[0]?.message.content ?? ''));
      const chunks = await Array.fromAsync(await openAiOf(target).chat.completions.create({ ...body, stream: true }));
      Berthing.parse(JSON.parse(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')));
    });

    test('the parse helper returns what the schema describes', async () => {
      const responseFormat = zodResponseFormat(Berthing, 'berthing');
      const body = { ...plain, max_tokens: JSON_TOKENS, response_format: responseFormat };
      const completion = await openAiOf(target).chat.completions.parse(body);
      Berthing.parse(completion.choices[0]?.message.parsed);
    });
  });
}
