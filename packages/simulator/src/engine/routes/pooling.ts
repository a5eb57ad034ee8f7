import { prefillOnly } from '../generate.ts';
import { ApiError, missingField } from '../http/api-error.ts';
import { readJsonBody, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { readPrompts, textSize } from './prompts.ts';
import type { PromptSize } from './sampling.ts';
import { admit, checkPrompt, nowSeconds } from './sampling.ts';

/** Length of a simulated embedding when the request does not set `dimensions`. */
const defaultDimensions = 16;

/** `POST /v1/embeddings`: a vector per input, the same for the same size of input. */
export async function embeddings(exchange: Exchange): Promise<void> {
  const { body, vectors, prompts } = await readVectors(exchange);
  const data = vectors.map((vector, index) => ({ index, object: 'embedding', embedding: encoded(vector, body) }));
  sendJson(exchange, 200, { id: `embd-${exchange.requestId}`, ...head(exchange), data, usage: promptUsage(prompts) });
}

/** `POST /pooling`: the same vectors under other names. */
export async function pooling(exchange: Exchange): Promise<void> {
  const { body, vectors, prompts } = await readVectors(exchange);
  const data = vectors.map((vector, index) => ({ index, object: 'pooling', data: encoded(vector, body) }));
  sendJson(exchange, 200, { id: `pooling-${exchange.requestId}`, ...head(exchange), data, usage: promptUsage(prompts) });
}

async function readVectors(exchange: Exchange): Promise<{ body: Body; prompts: readonly PromptSize[]; vectors: number[][] }> {
  const body = await readJsonBody(exchange);
  checkPooledModel(body, exchange);
  const prompts = readPrompts(body, 'input');
  await prefillAll(exchange, prompts);
  const length = typeof body['dimensions'] === 'number' ? body['dimensions'] : defaultDimensions;
  const vectors = prompts.map(({ tokens }) => Array.from({ length }, (_, at) => Math.sin(tokens * (at + 1))));
  return { body, prompts, vectors };
}

/** The little-endian float32 bytes that the official OpenAI clients ask for unless told otherwise, or numbers. */
function encoded(vector: readonly number[], body: Body): string | readonly number[] {
  return body['encoding_format'] === 'base64' ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector;
}

/** Unlike the generating routes these name no aliases (vLLM 0.32.0, recorded). */
function checkPooledModel(body: Body, { serving }: Exchange): void {
  const { model } = body;
  if (typeof model !== 'string' || model === '' || serving.arguments.servedModelNames.includes(model)) return;
  throw new ApiError(404, 'NotFoundError', `The model \`${model}\` does not exist.`);
}

/** `POST /classify`. */
export async function classify(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkPooledModel(body, exchange);
  const prompts = readPrompts(body, 'input');
  await prefillAll(exchange, prompts);
  const data = prompts.map((_, index) => ({ index, label: 'simulated', probs: [0.75, 0.25], num_classes: 2 }));
  sendJson(exchange, 200, { id: `classify-${exchange.requestId}`, ...head(exchange), data, usage: promptUsage(prompts) });
}

/** `POST /score`: `text_1` against each of `text_2`. */
export async function score(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkPooledModel(body, exchange);
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
  checkPooledModel(body, exchange);
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
  const usage = { prompt_tokens: totalTokens(prompts), total_tokens: totalTokens(prompts) };
  sendJson(exchange, 200, { id: `score-${exchange.requestId}`, model: exchange.serving.modelName, usage, results });
}

async function prefillAll(exchange: Exchange, prompts: readonly PromptSize[]): Promise<void> {
  for (const prompt of prompts) checkPrompt(prompt, exchange.serving);
  using _admission = admit(exchange);
  await Promise.all(prompts.map(async (prompt) => await prefillOnly(exchange.serving, prompt.tokens, exchange.signal)));
}

function head(exchange: Exchange): object {
  return { object: 'list', created: nowSeconds(), model: exchange.serving.modelName };
}

function promptUsage(prompts: readonly PromptSize[]): Record<string, number | null> {
  const tokens = totalTokens(prompts);
  return {
    prompt_tokens: tokens,
    total_tokens: tokens,
    completion_tokens: 0,
    prompt_tokens_details: null,
    completion_tokens_details: null,
  };
}

function totalTokens(prompts: readonly PromptSize[]): number {
  return prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
}

function texts(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Array.isArray(value) ? value.map(String) : [];
}

function relevance({ tokens }: PromptSize): number {
  return 1 / (1 + tokens);
}
