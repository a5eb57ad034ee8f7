import { prefillOnly } from '../generate.ts';
import { missingField } from '../http/api-error.ts';
import { readBody, readJsonBody, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { readPrompts, textSize } from './prompts.ts';
import type { PromptSize } from './sampling.ts';
import { admit, checkModel, checkPrompt, nowSeconds } from './sampling.ts';

/** Length of a simulated embedding when the request does not set `dimensions`. */
const defaultDimensions = 16;

/** `POST /v1/embeddings` and `/pooling`: a vector per input, the same for the same size of input. */
export async function embeddings(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  const prompts = readPrompts(body, 'input');
  await prefillAll(exchange, prompts);
  const dimensions = typeof body['dimensions'] === 'number' ? body['dimensions'] : defaultDimensions;
  sendJson(exchange, 200, {
    id: `embd-${exchange.requestId}`,
    ...head(exchange),
    data: prompts.map(({ tokens }, index) => {
      const vector = Array.from({ length: dimensions }, (_, at) => Math.sin(tokens * (at + 1)));
      const encoded = Buffer.from(new Float32Array(vector).buffer).toString('base64');
      return { index, object: 'embedding', embedding: body['encoding_format'] === 'base64' ? encoded : vector };
    }),
    usage: promptUsage(prompts),
  });
}

/** `POST /classify`. */
export async function classify(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  const prompts = readPrompts(body, 'input');
  await prefillAll(exchange, prompts);
  const data = prompts.map((_, index) => ({ index, label: 'simulated', probs: [0.75, 0.25], num_classes: 2 }));
  sendJson(exchange, 200, { id: `classify-${exchange.requestId}`, ...head(exchange), data, usage: promptUsage(prompts) });
}

/** `POST /score`: `text_1` against each of `text_2`. */
export async function score(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  const query = texts(body['text_1'] ?? body['queries']);
  const documents = texts(body['text_2'] ?? body['documents']);
  if (query.length === 0) throw missingField('text_1', body);
  const prompts = documents.map((text) => textSize(`${query[0] ?? ''} ${text}`));
  await prefillAll(exchange, prompts);
  const data = prompts.map((prompt, index) => ({ index, object: 'score', score: relevance(prompt) }));
  sendJson(exchange, 200, { id: `score-${exchange.requestId}`, ...head(exchange), data, usage: promptUsage(prompts) });
}

/** `POST /rerank`: documents by falling relevance, `top_n` of them. */
export async function rerank(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  if (typeof body['query'] !== 'string') throw missingField('query', body);
  const documents = texts(body['documents']);
  const query = body['query'];
  const prompts = documents.map((text) => textSize(`${query} ${text}`));
  await prefillAll(exchange, prompts);
  const topN = typeof body['top_n'] === 'number' && body['top_n'] > 0 ? body['top_n'] : documents.length;
  const results = prompts
    .map((prompt, index) => ({ index, document: { text: documents[index] ?? '', multi_modal: null }, relevance_score: relevance(prompt) }))
    .toSorted((a, b) => b.relevance_score - a.relevance_score)
    .slice(0, topN);
  const { total_tokens: totalTokens, prompt_tokens: promptTokens } = promptUsage(prompts);
  const usage = { prompt_tokens: promptTokens, total_tokens: totalTokens };
  sendJson(exchange, 200, { id: `rerank-${exchange.requestId}`, model: exchange.serving.modelName, usage, results });
}

/** `POST /v1/audio/transcriptions` and `/translations`: multipart, any audio. */
export async function transcription(exchange: Exchange): Promise<void> {
  const form = (await readBody(exchange)).toString('latin1');
  const model = /name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)/.exec(form)?.[1];
  checkModel({ model }, exchange.serving);
  if (!/name="file"/.test(form)) throw missingField('file', {});
  await prefillAll(exchange, [{ tokens: 1500, characters: 0 }], false);
  sendJson(exchange, 200, { text: 'This transcription comes from a simulated engine.', usage: { type: 'duration', seconds: 30 } });
}

async function prefillAll(exchange: Exchange, prompts: readonly PromptSize[], checked = true): Promise<void> {
  if (checked) for (const prompt of prompts) checkPrompt(prompt, exchange.serving);
  using _admission = admit(exchange);
  await Promise.all(prompts.map(async (prompt) => await prefillOnly(exchange.serving, prompt.tokens, exchange.signal)));
}

function head(exchange: Exchange): object {
  return { object: 'list', created: nowSeconds(), model: exchange.serving.modelName };
}

function promptUsage(prompts: readonly PromptSize[]): { prompt_tokens: number; total_tokens: number; completion_tokens: number } {
  const tokens = prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
  return { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 };
}

function texts(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Array.isArray(value) ? value.map(String) : [];
}

function relevance({ tokens }: PromptSize): number {
  return 1 / (1 + tokens);
}
