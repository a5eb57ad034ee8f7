import { BadRequestError, NotFoundError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { Berthing, JSON_TOKENS, parseWeather, WEATHER, WEATHER_SCHEMA } from './requests.ts';
import { openAiOf, type Target } from './target.ts';

const TOOL = { type: 'function' as const, ...WEATHER, strict: true, parameters: WEATHER_SCHEMA };

/** What vLLM says of one that has ended (0.32.0). */
const CAME_TOO_LATE = '400 Cannot cancel a synchronous response.';

function wordsOf(error: unknown): string {
  if (error instanceof BadRequestError) return error.message;
  throw error;
}

export function describeOpenAiResponses(target: Target): void {
  const { chat: model, chatAlias } = target.models;
  const plain = { model, input: 'Which port is free?', max_output_tokens: 8 };
  const toolChoice = { type: 'function' as const, name: WEATHER.name };
  const withTool = { ...plain, max_output_tokens: JSON_TOKENS, tools: [TOOL], tool_choice: toolChoice };

  describe('openai: responses', () => {
    test.each([model, chatAlias])('answer under the name that was asked for: %s', async (name) => {
      const response = await openAiOf(target).responses.create({ ...plain, model: name });
      expect(response).toMatchObject({ object: 'response', model: name, status: expect.stringMatching(/completed|incomplete/) as string });
      expect(response.output_text).toBeTypeOf('string');
      expect(response.usage?.output_tokens).toBeGreaterThan(0);
    });

    test('stream their events in order, numbered without a gap', async () => {
      const events = await Array.fromAsync(await openAiOf(target).responses.create({ ...plain, model: chatAlias, stream: true }));
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
      const types = events.map((event) => event.type);
      expect(types.slice(0, 2)).toEqual(['response.created', 'response.in_progress']);
      expect(types.at(-1)).toBe('response.completed');
      const [first, last] = [events[0], events.at(-1)];
      if (first?.type !== 'response.created' || last?.type !== 'response.completed') throw new Error('the stream is not whole');
      expect([first.response.model, last.response.model]).toEqual([chatAlias, chatAlias]);
      expect(last.response.usage?.output_tokens).toBeGreaterThan(0);
    });

    test('the stream helper collects the response', async () => {
      const stream = openAiOf(target).responses.stream(plain);
      const deltas: string[] = [];
      stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
      const response = await stream.finalResponse();
      expect(response.output_text).toBe(deltas.join(''));
    });

    test('call a tool that is named, whole and in pieces', async () => {
      const client = openAiOf(target);
      const [item] = (await client.responses.create(withTool)).output;
      if (item?.type !== 'function_call') throw new Error('no function was called');
      expect(item.name).toBe(WEATHER.name);
      parseWeather(item.arguments);

      const events = await Array.fromAsync(await client.responses.create({ ...withTool, stream: true }));
      const deltas = events.flatMap((event) => (event.type === 'response.function_call_arguments.delta' ? [event.delta] : []));
      expect(deltas.length).toBeGreaterThan(1);
      parseWeather(deltas.join(''));
    });

    test('the parse helper returns what the schema describes', async () => {
      const text = { format: zodTextFormat(Berthing, 'berthing') };
      const response = await openAiOf(target).responses.parse({ ...plain, max_output_tokens: JSON_TOKENS, text });
      Berthing.parse(response.output_parsed);
    });

    test('are found by their id, and cancelled while they run in the background', async () => {
      const client = openAiOf(target);
      const kept = await client.responses.create(plain);
      expect((await client.responses.retrieve(kept.id)).output_text).toBe(kept.output_text);
      await expect(client.responses.retrieve('resp_none')).rejects.toBeInstanceOf(NotFoundError);

      const long = { ...plain, max_output_tokens: 2000, background: true, ignore_eos: true };
      const queued = await client.responses.create(long);
      expect(queued.status).toBe('queued');
      const cancelled = client.responses.cancel(queued.id).then(({ status }) => status);
      if (target.capabilities.answersWhileItGenerates) expect(await cancelled).toBe('cancelled');
      else expect(['cancelled', CAME_TOO_LATE]).toContain(await cancelled.catch(wordsOf));
      const brief = await client.responses.create({ ...plain, background: true });
      await eventually('the answer in the background', async () => {
        const { status } = await client.responses.retrieve(brief.id);
        return status === 'completed' || status === 'incomplete';
      });
    });

    test('are found by their id when the request names the model', async () => {
      const client = openAiOf(target);
      const kept = await client.responses.create(plain);
      expect((await client.responses.retrieve(kept.id, {}, { query: { model } })).output_text).toBe(kept.output_text);
      const missing = client.responses.retrieve('resp_none', {}, { query: { model } });
      await expect(missing).rejects.toBeInstanceOf(NotFoundError);
    });
  });
}
