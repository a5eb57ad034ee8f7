import { describe, expect, test } from 'vitest';
import { MESSAGES } from './requests.ts';
import { postJson, type Target } from './target.ts';

/** The routes that no SDK covers. */
export function describePlainRoutes(target: Target): void {
  const { models } = target;

  describe('without an SDK', () => {
    test('texts and chats become tokens, and tokens text', async () => {
      const model = models.chat;
      const { json } = await postJson(target, '/tokenize', { model, prompt: 'A ship' });
      expect(json).toMatchObject({ count: expect.any(Number) as number, max_model_len: expect.any(Number) as number });
      const { tokens } = json as { tokens: number[] };
      expect(await postJson(target, '/detokenize', { model, tokens })).toEqual({ status: 200, json: { prompt: 'A ship' } });
      expect(await postJson(target, '/tokenize', { model, messages: MESSAGES })).toMatchObject({
        status: 200,
        json: { count: expect.any(Number) as number },
      });
    });

    const scorer = models.reranker ?? models.embedding;
    test.skipIf(scorer === null).each(['/v1/rerank', '/v2/rerank', '/rerank'])('%s ranks documents', async (path) => {
      const body = { model: scorer, query: 'A ship', documents: ['A boat at its berth', 'x'], top_n: 1 };
      const { status, json } = await postJson(target, path, body);
      expect([status, json]).toMatchObject([200, { model: scorer, results: [{ relevance_score: expect.any(Number) as number }] }]);
      const [best] = (json as { results: { index: number; document: { text: string } }[] }).results;
      expect(best?.document.text).toBe(body.documents[best?.index ?? -1]);
    });

    test.skipIf(scorer === null).each(['/v1/score', '/score'])('%s scores a text against others', async (path) => {
      const { status, json } = await postJson(target, path, { model: scorer, text_1: 'A ship', text_2: ['A boat', 'x'] });
      expect([status, json]).toMatchObject([200, { model: scorer, data: [{ index: 0, object: 'score' }, { index: 1 }] }]);
    });

    test.skipIf(models.embedding === null)('/pooling returns a vector', async () => {
      const { status, json } = await postJson(target, '/pooling', { model: models.embedding, input: 'A ship' });
      expect([status, json]).toMatchObject([
        200,
        { model: models.embedding, data: [{ object: 'pooling', data: expect.any(Array) as number[] }] },
      ]);
    });

    test.skipIf(models.classifier === null)('/classify returns probabilities', async () => {
      const { status, json } = await postJson(target, '/classify', { model: models.classifier, input: 'A ship' });
      expect([status, json]).toMatchObject([
        200,
        { data: [{ num_classes: 2, probs: [expect.any(Number), expect.any(Number)] as number[] }] },
      ]);
    });
  });
}
