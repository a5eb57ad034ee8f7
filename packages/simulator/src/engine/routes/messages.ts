import { ApiError } from '../http/api-error.ts';
import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, eventFrame, generateAll } from './answers.ts';
import { readChat } from './prompts.ts';
import { admit, checkModel, checkPrompt, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';

/** `POST /v1/messages`: Anthropic's API. Only an unknown model is refused in Anthropic's form (vLLM 0.32.0, measured). */
export async function messages(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  if (refusesModel(exchange, body)) return;
  const prompt = readChat(body, serving);
  checkPrompt(prompt, serving);
  const sampling = readSampling(body, serving, prompt, { keys: ['max_tokens'] });
  const { stop_sequences: stopSequences } = body;
  if (Array.isArray(stopSequences)) sampling.stop = stopSequences.filter((entry) => typeof entry === 'string');
  if (body['stream'] === true) return await sendEvents(exchange, messageFrames(exchange, prompt, sampling), streamError);
  using _admission = admit(exchange);
  const [answer] = await collectAll(exchange, [prompt], { ...sampling, n: 1 });
  sendJson(exchange, 200, {
    id: `chatcmpl-${exchange.requestId}`,
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text: answer?.text ?? '' }],
    model: serving.modelName,
    stop_reason: stopReason(answer?.finishReason ?? 'stop'),
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

async function* messageFrames(exchange: Exchange, prompt: PromptSize, sampling: Sampling): AsyncGenerator<string> {
  using _admission = admit(exchange);
  const usage = { input_tokens: prompt.tokens, output_tokens: 0 };
  const head = { id: `chatcmpl-${exchange.requestId}`, type: 'message', role: 'assistant', content: [], model: exchange.serving.modelName };
  let outputTokens = 0;
  let opened = false;
  for await (const step of generateAll(exchange, [prompt], { ...sampling, n: 1 })) {
    if (!opened) {
      opened = true;
      yield eventFrame('message_start', { type: 'message_start', message: { ...head, usage } });
      yield eventFrame('content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
    }
    outputTokens += step.tokens;
    yield eventFrame('content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: step.text } });
    if (step.finishReason === null) continue;
    yield eventFrame('content_block_stop', { type: 'content_block_stop', index: 0 });
    const delta = { stop_reason: stopReason(step.finishReason) };
    yield eventFrame('message_delta', { type: 'message_delta', delta, usage: { ...usage, output_tokens: outputTokens } });
  }
  yield eventFrame('message_stop', { type: 'message_stop' });
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

function stopReason(finishReason: string): string {
  return finishReason === 'length' ? 'max_tokens' : finishReason === 'stop' ? 'end_turn' : finishReason;
}
