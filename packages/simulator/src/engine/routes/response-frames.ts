import type { ApiError } from '../http/api-error.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ResponseStore } from '../response-store.ts';
import { eventFrame, generateAll } from './answers.ts';
import type { CompleteAnswer } from './answers.ts';
import { outputPart, responseItem } from './response-body.ts';
import type { DescribeResponse, ResponseItem } from './response-body.ts';
import { admit } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';
import type { FunctionCall } from './scripted-answer.ts';

export interface ResponseStream {
  readonly response: DescribeResponse;
  readonly prompt: PromptSize;
  readonly sampling: Sampling;
  readonly call: FunctionCall | null;
  readonly store: ResponseStore | null;
}

type Event = (type: string, fields: object) => string;

/** The events of a streamed response; no `[DONE]` follows (vLLM 0.32.0, recorded). */
export async function* responseFrames(exchange: Exchange, stream: ResponseStream): AsyncGenerator<string> {
  const { response, prompt, sampling, call, store } = stream;
  using _admission = admit(exchange);
  let sequence = 0;
  const event: Event = (type, fields) => eventFrame(type, { ...fields, sequence_number: sequence++, type });
  yield event('response.created', { response: response(undefined) });
  yield event('response.in_progress', { response: response(undefined) });
  const answer: CompleteAnswer = { text: '', tokens: 0, finishReason: 'stop', stopReason: null };
  const item = responseItem(call);
  let opened = false;
  for await (const step of generateAll(exchange, [prompt], sampling)) {
    if (!opened) yield* begin(event, item);
    opened = true;
    answer.text += step.text;
    answer.tokens += step.tokens;
    answer.finishReason = step.finishReason ?? answer.finishReason;
    const kind = item.isCall ? 'response.function_call_arguments.delta' : 'response.output_text.delta';
    yield event(kind, { ...placeOf(item), delta: step.text, ...(item.isCall ? {} : { logprobs: [] }) });
  }
  yield* finish(event, item, answer.text, call);
  const complete = response(answer, item);
  store?.keep(complete);
  yield event('response.completed', { response: complete });
}

function* begin(event: Event, item: ResponseItem): Generator<string> {
  yield event('response.output_item.added', { item: item.render('', 'in_progress'), output_index: 0 });
  if (!item.isCall) yield event('response.content_part.added', { ...placeOf(item), part: outputPart('', []) });
}

function* finish(event: Event, item: ResponseItem, text: string, call: FunctionCall | null): Generator<string> {
  if (item.isCall) {
    yield event('response.function_call_arguments.done', { ...placeOf(item), arguments: text, name: call?.name });
  } else {
    yield event('response.output_text.done', { ...placeOf(item), text, logprobs: [] });
    yield event('response.content_part.done', { ...placeOf(item), part: outputPart(text) });
  }
  yield event('response.output_item.done', { item: item.render(text, 'completed'), output_index: 0 });
}

function placeOf(item: ResponseItem): object {
  return { item_id: item.id, output_index: 0, ...(item.isCall ? {} : { content_index: 0 }) };
}

export function responseStreamError(error: ApiError): string {
  return eventFrame('error', { type: 'error', code: String(error.status), message: error.message, param: error.param });
}
