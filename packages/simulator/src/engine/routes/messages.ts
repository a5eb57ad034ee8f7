import { ApiError, missingField } from '../http/api-error.ts';
import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, eventFrame, generateAll } from './answers.ts';
import type { CompleteAnswer } from './answers.ts';
import { readChat } from './prompts.ts';
import { admit, checkModel, checkPrompt, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';
import { scriptMessages } from './scripted-answer.ts';
import type { FunctionCall } from './scripted-answer.ts';
import { callId, callText } from './tool-calls.ts';

/** `POST /v1/messages`: Anthropic's API. Only an unknown model is refused in Anthropic's form (vLLM 0.32.0, measured). */
export async function messages(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkMaxTokens(body);
  if (refusesModel(exchange, body)) return;
  const prompt = readChat(body, serving);
  checkPrompt(prompt, serving);
  const { call, pieces } = scriptMessages(body, serving);
  const sampling = { ...readSampling(body, serving, prompt, { keys: ['max_tokens'] }), n: 1, pieces };
  const { stop_sequences: stopSequences } = body;
  if (Array.isArray(stopSequences)) sampling.stop = stopSequences.filter((entry) => typeof entry === 'string');
  if (body['stream'] === true) return await sendEvents(exchange, messageFrames(exchange, { prompt, sampling, call }), streamError);
  using _admission = admit(exchange);
  const [answer] = await collectAll(exchange, [prompt], sampling);
  sendJson(exchange, 200, {
    id: `chatcmpl-${exchange.requestId}`,
    type: 'message',
    role: 'assistant',
    content: [contentBlock(answer, call)],
    model: serving.modelName,
    ...stopReason(answer?.finishReason ?? 'stop', answer?.stopReason ?? null, call),
    usage: { input_tokens: prompt.tokens, output_tokens: answer?.tokens ?? 0 },
  });
}

/** `POST /v1/messages/count_tokens`. */
export async function countMessageTokens(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  if (refusesModel(exchange, body)) return;
  const { tokens } = readChat(body, exchange.serving);
  sendJson(exchange, 200, { input_tokens: tokens, context_management: { original_input_tokens: tokens } });
}

interface MessageStream {
  readonly prompt: PromptSize;
  readonly sampling: Sampling;
  readonly call: FunctionCall | null;
}

async function* messageFrames(exchange: Exchange, { prompt, sampling, call }: MessageStream): AsyncGenerator<string> {
  using _admission = admit(exchange);
  const usage = { input_tokens: prompt.tokens, output_tokens: 0 };
  const head = { id: `chatcmpl-${exchange.requestId}`, type: 'message', role: 'assistant', content: [], model: exchange.serving.modelName };
  let outputTokens = 0;
  let opened = false;
  for await (const step of generateAll(exchange, [prompt], sampling)) {
    if (!opened) {
      opened = true;
      yield eventFrame('message_start', { type: 'message_start', message: { ...head, stop_reason: null, stop_sequence: null, usage } });
      yield eventFrame('content_block_start', { type: 'content_block_start', content_block: openBlock(call), index: 0 });
    }
    outputTokens += step.tokens;
    const delta = call === null ? { type: 'text_delta', text: step.text } : { type: 'input_json_delta', partial_json: step.text };
    yield eventFrame('content_block_delta', { type: 'content_block_delta', delta, index: 0 });
    if (step.finishReason === null) continue;
    yield eventFrame('content_block_stop', { type: 'content_block_stop', index: 0 });
    const end = { stop_sequence: null, ...stopReason(step.finishReason, step.stopReason, call) };
    yield eventFrame('message_delta', { type: 'message_delta', delta: end, usage: { ...usage, output_tokens: outputTokens } });
  }
  yield eventFrame('message_stop', { type: 'message_stop' });
}

function openBlock(call: FunctionCall | null): object {
  return call === null ? { type: 'text', text: '' } : { type: 'tool_use', id: callId(), name: call.name, input: {} };
}

function contentBlock(answer: CompleteAnswer | undefined, call: FunctionCall | null): object {
  const text = answer?.text ?? '';
  if (call === null) return { type: 'text', text };
  if (answer?.finishReason !== 'stop') return { type: 'text', text: callText(call, text) };
  return { type: 'tool_use', id: callId(), name: call.name, input: JSON.parse(text) as object };
}

/** Checked with the body's form, so before the model, and told in OpenAI's form. */
function checkMaxTokens(body: Body): void {
  const { max_tokens: given } = body;
  if (given === undefined) throw missingField('max_tokens', body);
  if (typeof given !== 'number' || given > 0) return;
  const problem = 'max_tokens must be positive';
  const message =
    `1 validation error:\n  {'type': 'value_error', 'loc': 'body.max_tokens', 'msg': 'Value error, ${problem}', 'input': '${given}', ` +
    `'ctx': {'error': ValueError('${problem}')}}`;
  throw new ApiError(400, 'Bad Request', message, 'body.max_tokens');
}

function refusesModel(exchange: Exchange, body: Body): boolean {
  try {
    checkModel(body, exchange.serving);
    return false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    sendJson(exchange, error.status, { type: 'error', error: { type: error.type, message: error.message } });
    return true;
  }
}

function streamError(error: ApiError): string {
  return eventFrame('error', { type: 'error', error: { type: 'internal_error', message: error.message } });
}

/** Anthropic's words for why an answer ended. `stop_sequence` stands there only with a text that ended it. */
function stopReason(finishReason: string, stopText: string | null, call: FunctionCall | null): object {
  if (stopText !== null) return { stop_reason: 'stop_sequence', stop_sequence: stopText };
  if (finishReason !== 'stop') return { stop_reason: finishReason === 'length' ? 'max_tokens' : finishReason };
  return { stop_reason: call === null ? 'end_turn' : 'tool_use' };
}
