import { badRequest, missingField } from '../http/api-error.ts';
import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { noResponseStore, responseNotFound } from '../response-store.ts';
import type { StoredResponse } from '../response-store.ts';
import { collectAll } from './answers.ts';
import { readChat, textSize } from './prompts.ts';
import { describeResponse } from './response-body.ts';
import { responseFrames, responseStreamError } from './response-frames.ts';
import { admit, checkModel, checkPrompt, readSampling } from './sampling.ts';
import { scriptResponses } from './scripted-answer.ts';

/** `POST /v1/responses`: OpenAI's Responses API: texts and calls of functions, kept and in the background where the engine keeps them. */
export async function responses(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkModel(body, serving);
  if (body['input'] === undefined) throw missingField('input', body);
  const prompt = typeof body['input'] === 'string' ? textSize(body['input']) : readChat(body, serving, 'input');
  checkPrompt(prompt, serving);
  const background = body['background'] === true;
  if (background && serving.responses === null) throw noResponseStore();
  const store = body['store'] === false ? null : serving.responses;
  const { call, pieces } = scriptResponses(body, serving);
  const sampling = { ...readSampling(body, serving, prompt, { keys: ['max_output_tokens'] }), n: 1, pieces };
  const response = describeResponse(exchange, { body, prompt, call });
  if (background && body['stream'] === true) throw badRequest('The simulated engine does not stream in the background.', 'background');
  if (background && store !== null) {
    const queued = { ...response(undefined), status: 'queued' };
    store.keepRunning(queued, async (signal) => response((await collectAll({ ...exchange, signal }, [prompt], sampling))[0]));
    return sendJson(exchange, 200, queued);
  }
  if (body['stream'] === true) {
    const frames = responseFrames(exchange, { response, prompt, sampling, call, store });
    return await sendEvents(exchange, frames, responseStreamError);
  }
  using _admission = admit(exchange);
  const [answer] = await collectAll(exchange, [prompt], sampling);
  const complete = response(answer);
  store?.keep(complete);
  sendJson(exchange, 200, complete);
}

/** `GET /v1/responses/{id}`. */
export function retrieveResponse(exchange: Exchange): void {
  sendStored(exchange, exchange.serving.responses?.find(idOf(exchange)));
}

/** `POST /v1/responses/{id}/cancel`: only what runs in the background can be cancelled. */
export function cancelResponse(exchange: Exchange): void {
  sendStored(exchange, exchange.serving.responses?.cancel(idOf(exchange)));
}

function sendStored(exchange: Exchange, response: StoredResponse | undefined): void {
  if (response === undefined) throw responseNotFound(idOf(exchange));
  sendJson(exchange, 200, response);
}

function idOf({ url }: Exchange): string {
  return url.pathname.split('/')[3] ?? '';
}
