import { BadRequestError as AnthropicBadRequestError, NotFoundError as AnthropicNotFoundError } from '@anthropic-ai/sdk';
import { APICallError, embed, generateText } from 'ai';
import { BadRequestError, NotFoundError } from 'openai';
import { describe, expect, test } from 'vitest';
import { MESSAGES } from './requests.ts';
import { anthropicOf, openAiOf, vercelCompatibleOf, vercelOpenAiOf, type Target } from './target.ts';

/** What Berth and the engine refuse before anything is generated, as each SDK's own error class. */
export function describeRefusals(target: Target): void {
  const { chat: model } = target.models;

  describe('a model that does not exist', () => {
    const nope = 'no/such/model';

    test.each([false, true])('is NotFoundError of openai on every route, stream: %s', async (stream) => {
      const client = openAiOf(target);
      const asked = [
        client.chat.completions.create({ model: nope, messages: MESSAGES, stream }),
        client.completions.create({ model: nope, prompt: 'x', stream }),
        client.responses.create({ model: nope, input: 'x', stream }),
        client.embeddings.create({ model: nope, input: 'x' }),
      ];
      for (const settled of await Promise.allSettled(asked)) {
        expect(settled).toMatchObject({ reason: { constructor: NotFoundError, code: 'model_not_found', param: 'model' } });
      }
    });

    test.each([false, true])('is NotFoundError of @anthropic-ai/sdk, stream: %s', async (stream) => {
      const client = anthropicOf(target);
      const asked = client.messages.create({ model: nope, messages: MESSAGES, max_tokens: 8, stream });
      await expect(asked).rejects.toMatchObject({ constructor: AnthropicNotFoundError, error: { error: { type: 'not_found_error' } } });
      await expect(client.messages.countTokens({ model: nope, messages: MESSAGES })).rejects.toBeInstanceOf(AnthropicNotFoundError);
    });

    test('is APICallError of ai with the status, and not retried', async () => {
      const options = { prompt: 'x', maxRetries: 2 };
      for (const unknown of [vercelCompatibleOf(target).chatModel(nope), vercelOpenAiOf(target).responses(nope)]) {
        const failure: unknown = await generateText({ model: unknown, ...options }).catch((error: unknown) => error);
        expect(APICallError.isInstance(failure)).toBe(true);
        expect(failure).toMatchObject({ statusCode: 404, isRetryable: false, message: expect.stringContaining(nope) as string });
      }
      await expect(embed({ model: vercelCompatibleOf(target).embeddingModel(nope), value: 'x' })).rejects.toMatchObject({
        statusCode: 404,
      });
    });
  });

  describe('what the engine calls a bad request', () => {
    test.each([false, true])('is BadRequestError of openai with the words of the engine, stream: %s', async (stream) => {
      const client = openAiOf(target);
      const asked = [
        client.chat.completions.create({ model, messages: MESSAGES, max_tokens: -1, stream }),
        client.completions.create({ model, prompt: 'x', max_tokens: -1, stream }),
        client.responses.create({ model, input: 'x', max_output_tokens: -1, stream }),
      ];
      for (const settled of await Promise.allSettled(asked)) {
        expect(settled).toMatchObject({
          reason: {
            constructor: BadRequestError,
            code: 400,
            message: expect.stringContaining('must be at least 1, got -1') as string,
          },
        });
      }
      const many = client.chat.completions.create({ model, messages: [], stream });
      await expect(many).rejects.toMatchObject({
        constructor: BadRequestError,
        message: expect.stringContaining('at least one message') as string,
      });
    });

    test.each([false, true])('is BadRequestError of @anthropic-ai/sdk, stream: %s', async (stream) => {
      const asked = anthropicOf(target).messages.create({ model, messages: MESSAGES, max_tokens: -1, stream });
      await expect(asked).rejects.toMatchObject({
        constructor: AnthropicBadRequestError,
        message: expect.stringContaining('max_tokens must be positive') as string,
      });
    });

    test('is APICallError of ai with the words of the engine', async () => {
      const failure = generateText({ model: vercelCompatibleOf(target).chatModel(model), prompt: 'x', maxOutputTokens: -1 });
      await expect(failure).rejects.toThrow();
      const asked = generateText({ model: vercelCompatibleOf(target).chatModel(model), prompt: 'x', temperature: 9 });
      await expect(asked).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringContaining('temperature must be in [0, 2]') as string,
      });
    });
  });
}
