import { randomBytes } from 'node:crypto';
import { missingField } from '../http/api-error.ts';
import { readJsonBody, sendEmpty, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendText } from '../http/server.ts';
import { decodeTokens, encodeTokens } from '../tokens.ts';
import { readChat } from './prompts.ts';
import { checkModel, nowSeconds } from './sampling.ts';

/** `GET /health` and `/ping`: 200 as long as EngineCore lives; it proves nothing about the GPU. */
export function health(exchange: Exchange): void {
  sendEmpty(exchange, exchange.serving.gate.state === 'dead' ? 503 : 200);
}

export function version(exchange: Exchange): void {
  sendJson(exchange, 200, { version: '0.32.0' });
}

/** `GET /load`: always 0 without `--enable-server-load-tracking`. */
export function load({ serving, ...exchange }: Exchange): void {
  sendJson({ serving, ...exchange }, 200, { server_load: serving.arguments.enableServerLoadTracking ? serving.admitted : 0 });
}

export function metrics(exchange: Exchange): void {
  const { serving } = exchange;
  const sleepState = serving.sleep === undefined ? 'awake' : serving.sleep.level === 1 ? 'weights_offloaded' : 'discard_all';
  sendText(exchange, 200, serving.metrics.render(sleepState), 'text/plain; version=0.0.4; charset=utf-8');
}

/** `GET /v1/models`: all served names; `root` is the model as given on the command line, `created` is now. */
export function models(exchange: Exchange): void {
  const { arguments: args, facts } = exchange.serving;
  const created = nowSeconds();
  const data = args.servedModelNames.map((id) => ({
    id,
    object: 'model',
    created,
    owned_by: 'vllm',
    root: args.model,
    parent: null,
    max_model_len: facts.maxModelLen,
    permission: [
      {
        id: `modelperm-${randomBytes(8).toString('hex')}`,
        object: 'model_permission',
        created,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: '*',
        group: null,
        is_blocking: false,
      },
    ],
  }));
  sendJson(exchange, 200, { object: 'list', data });
}

/** `POST /tokenize`: of a `prompt`, or the count alone of a chat's `messages`. */
export async function tokenize(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  const { maxModelLen } = exchange.serving.facts;
  const { prompt } = body;
  if (typeof prompt === 'string') {
    const tokens = encodeTokens(prompt);
    return sendJson(exchange, 200, { count: tokens.length, max_model_len: maxModelLen, tokens, token_strs: null });
  }
  if (body['messages'] === undefined) throw missingField('prompt', body);
  const { tokens: count } = readChat(body, exchange.serving);
  sendJson(exchange, 200, { count, max_model_len: maxModelLen, tokens: Array.from({ length: count }, () => 0), token_strs: null });
}

/** `POST /detokenize`. */
export async function detokenize(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  checkModel(body, exchange.serving);
  if (!Array.isArray(body['tokens'])) throw missingField('tokens', body);
  sendJson(exchange, 200, { prompt: decodeTokens(body['tokens'].map(Number)) });
}
