import { missingField } from '../http/api-error.ts';
import type { ApiError } from '../http/api-error.ts';
import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, eventFrame, generateAll } from './answers.ts';
import type { CompleteAnswer } from './answers.ts';
import { readChat, textSize } from './prompts.ts';
import { admit, checkModel, checkPrompt, nowSeconds, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';

/** `POST /v1/responses`: OpenAI's Responses API, text only. */
export async function responses(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkModel(body, serving);
  if (body['input'] === undefined) throw missingField('input', body);
  const prompt = typeof body['input'] === 'string' ? textSize(body['input']) : readChat(body, serving, 'input');
  checkPrompt(prompt, serving);
  const sampling = { ...readSampling(body, serving, prompt, { keys: ['max_output_tokens'] }), n: 1 };
  const response = describe(exchange, body, prompt);
  if (body['stream'] === true) {
    const keep: Describe = (answer) => (answer === undefined ? response(answer) : stored(exchange, body, response(answer)));
    return await sendEvents(exchange, responseFrames(exchange, keep, prompt, sampling), streamError);
  }
  using _admission = admit(exchange);
  const [answer] = await collectAll(exchange, [prompt], sampling);
  sendJson(exchange, 200, stored(exchange, body, response(answer)));
}

/** Keeps a response if the engine stores any and the client does not refuse that. */
function stored(exchange: Exchange, body: Body, response: Record<string, unknown>): Record<string, unknown> {
  if (body['store'] !== false) exchange.serving.storedResponses?.set(`resp_${exchange.requestId}`, response);
  return response;
}

type Describe = (answer: CompleteAnswer | undefined) => Record<string, unknown>;

async function* responseFrames(exchange: Exchange, response: Describe, prompt: PromptSize, sampling: Sampling): AsyncGenerator<string> {
  using _admission = admit(exchange);
  let sequence = 0;
  const event = (type: string, fields: object): string => eventFrame(type, { ...fields, sequence_number: sequence++, type });
  const place = { item_id: `msg_${exchange.requestId}`, output_index: 0, content_index: 0 };
  yield event('response.created', { response: response(undefined) });
  yield event('response.in_progress', { response: response(undefined) });
  const answer: CompleteAnswer = { text: '', tokens: 0, finishReason: 'stop', stopReason: null };
  let opened = false;
  for await (const step of generateAll(exchange, [prompt], sampling)) {
    if (!opened) {
      opened = true;
      yield event('response.output_item.added', { output_index: 0, item: outputItem(exchange, '', 'in_progress') });
      yield event('response.content_part.added', { ...place, part: outputPart('') });
    }
    answer.text += step.text;
    answer.tokens += step.tokens;
    answer.finishReason = step.finishReason ?? answer.finishReason;
    yield event('response.output_text.delta', { ...place, delta: step.text, logprobs: [] });
  }
  yield event('response.output_text.done', { ...place, text: answer.text, logprobs: [] });
  yield event('response.content_part.done', { ...place, part: outputPart(answer.text) });
  yield event('response.output_item.done', { output_index: 0, item: outputItem(exchange, answer.text, 'completed') });
  yield event('response.completed', { response: response(answer) });
}

function describe(exchange: Exchange, body: Body, prompt: PromptSize): Describe {
  const createdAt = nowSeconds();
  return (answer) => {
    const length = answer?.finishReason === 'length';
    return {
      id: `resp_${exchange.requestId}`,
      created_at: createdAt,
      incomplete_details: length ? { reason: 'max_output_tokens' } : null,
      instructions: body['instructions'] ?? null,
      metadata: null,
      model: exchange.serving.modelName,
      object: 'response',
      output: answer === undefined ? [] : [outputItem(exchange, answer.text, 'completed')],
      parallel_tool_calls: true,
      temperature: 1,
      tool_choice: 'auto',
      tools: [],
      top_p: 1,
      status: answer === undefined ? 'in_progress' : length ? 'incomplete' : 'completed',
      usage:
        answer === undefined
          ? null
          : {
              input_tokens: prompt.tokens,
              input_tokens_details: { cached_tokens: 0 },
              output_tokens: answer.tokens,
              output_tokens_details: { reasoning_tokens: 0 },
              total_tokens: prompt.tokens + answer.tokens,
            },
    };
  };
}

function outputItem(exchange: Exchange, text: string, status: string): object {
  const content = status === 'completed' ? [outputPart(text)] : [];
  return { id: `msg_${exchange.requestId}`, content, role: 'assistant', status, type: 'message' };
}

function outputPart(text: string): object {
  return { annotations: [], text, type: 'output_text', logprobs: null };
}

function streamError(error: ApiError): string {
  return eventFrame('error', { type: 'error', code: String(error.status), message: error.message, param: error.param });
}
