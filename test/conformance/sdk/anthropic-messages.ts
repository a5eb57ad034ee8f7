import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { describe, expect, test } from 'vitest';
import { Berthing, JSON_TOKENS, MESSAGES, parseWeather, WEATHER, WEATHER_SCHEMA } from './requests.ts';
import { anthropicOf, type Target } from './target.ts';

export function describeAnthropicMessages(target: Target): void {
  const { chat: model, chatAlias } = target.models;
  const plain = { model, messages: MESSAGES, max_tokens: 8 };
  const tools = [{ ...WEATHER, strict: true, input_schema: { ...WEATHER_SCHEMA, required: [...WEATHER_SCHEMA.required] } }];
  const withTool = { ...plain, max_tokens: JSON_TOKENS, tools, tool_choice: { type: 'tool' as const, name: WEATHER.name } };

  describe('@anthropic-ai/sdk: messages', () => {
    test.each([model, chatAlias])('answer under the name that was asked for: %s', async (name) => {
      const message = await anthropicOf(target).messages.create({ ...plain, model: name });
      expect(message).toMatchObject({ type: 'message', role: 'assistant', model: name });
      expect(message.stop_reason).toMatch(/end_turn|max_tokens/);
      expect(message.usage.output_tokens).toBeGreaterThan(0);
    });

    test('stream their events in order', async () => {
      const events = await Array.fromAsync(await anthropicOf(target).messages.create({ ...plain, model: chatAlias, stream: true }));
      const types = events.map((event) => event.type);
      expect(types[0]).toBe('message_start');
      expect(types.slice(-2)).toEqual(['message_delta', 'message_stop']);
      const [first] = events;
      expect(first?.type === 'message_start' && first.message.model).toBe(chatAlias);
    });

    test('the stream helper collects the message', async () => {
      const stream = anthropicOf(target).messages.stream(plain);
      const texts: string[] = [];
      stream.on('text', (delta) => texts.push(delta));
      const message = await stream.finalMessage();
      expect(message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('')).toBe(texts.join(''));
      expect(message.usage.output_tokens).toBeGreaterThan(0);
    });

    test('are counted without being answered', async () => {
      const counted = await anthropicOf(target).messages.countTokens({ model, messages: MESSAGES });
      expect(counted.input_tokens).toBeGreaterThan(0);
    });

    test('call a tool that is named, whole and in pieces', async () => {
      const message = await anthropicOf(target).messages.create(withTool);
      expect(message.stop_reason).toBe('tool_use');
      const [block] = message.content;
      if (block?.type !== 'tool_use') throw new Error('no tool was called');
      expect(block.name).toBe(WEATHER.name);
      parseWeather(JSON.stringify(block.input));

      const stream = anthropicOf(target).messages.stream(withTool);
      const pieces: string[] = [];
      stream.on('inputJson', (piece) => pieces.push(piece));
      const [streamed] = (await stream.finalMessage()).content;
      if (streamed?.type !== 'tool_use') throw new Error('no tool was called in the stream');
      parseWeather(JSON.stringify(streamed.input));
      expect(pieces.length).toBeGreaterThan(1);
    });

    test('the parse helper returns what the schema describes', async () => {
      const body = { ...plain, max_tokens: JSON_TOKENS, output_config: { format: zodOutputFormat(Berthing) } };
      Berthing.parse((await anthropicOf(target).messages.parse(body)).parsed_output);
    });
  });
}
