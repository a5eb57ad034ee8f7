import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, dataFrame, generateAll, streamUsage, systemFingerprint, usage } from './answers.ts';
import type { CompleteAnswer, IndexedStep } from './answers.ts';
import { readChat } from './prompts.ts';
import { admit, checkModel, checkPrompt, checkTools, nowSeconds, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';
import { scriptChat } from './scripted-answer.ts';
import type { FunctionCall } from './scripted-answer.ts';
import { callId, callText } from './tool-calls.ts';

/** `POST /v1/chat/completions`. */
export async function chatCompletions(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkModel(body, serving);
  const prompt = readChat(body, serving);
  checkTools(body, serving);
  checkPrompt(prompt, serving);
  const { call, pieces } = scriptChat(body, serving);
  const sampling = { ...readSampling(body, serving, prompt, { keys: ['max_completion_tokens', 'max_tokens'] }), pieces };
  if (body['stream'] === true) return await sendEvents(exchange, chatFrames(exchange, body, { prompt, sampling, call }));
  using _admission = admit(exchange);
  const answers = await collectAll(exchange, [prompt], sampling);
  const completionTokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  sendJson(exchange, 200, {
    id: `chatcmpl-${exchange.requestId}`,
    object: 'chat.completion',
    created: nowSeconds(),
    model: serving.modelName,
    choices: answers.map((answer, index) => ({
      index,
      message: messageOf(answer, call),
      logprobs: null,
      finish_reason: finishReason(answer.finishReason, call),
      stop_reason: answer.stopReason,
      token_ids: null,
      routed_experts: null,
    })),
    service_tier: null,
    system_fingerprint: systemFingerprint,
    usage: { ...usage(prompt.tokens, completionTokens), prompt_tokens_details: null, completion_tokens_details: null },
    prompt_logprobs: null,
    prompt_token_ids: null,
    prompt_text: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
  });
}

function messageOf(answer: CompleteAnswer, call: FunctionCall | null): object {
  const rest = { refusal: null, annotations: null, audio: null, function_call: null };
  if (call === null) return { role: 'assistant', content: answer.text, ...rest, reasoning: null };
  // A call that was cut off cannot be parsed, and stays the text that it is (vLLM 0.32.0 with hermes, recorded).
  if (answer.finishReason !== 'stop') return { role: 'assistant', content: callText(call, answer.text), ...rest, reasoning: null };
  const calls = [{ id: callId(), type: 'function', function: { name: call.name, arguments: answer.text } }];
  return { role: 'assistant', content: '', ...rest, tool_calls: calls, reasoning: null };
}

/** A function that the request named ends with `stop` (vLLM 0.32.0, recorded). */
function finishReason(reason: string, call: FunctionCall | null): string {
  return call !== null && !call.named && reason === 'stop' ? 'tool_calls' : reason;
}

interface ChatStream {
  readonly prompt: PromptSize;
  readonly sampling: Sampling;
  readonly call: FunctionCall | null;
}

async function* chatFrames(exchange: Exchange, body: Body, { prompt, sampling, call }: ChatStream): AsyncGenerator<string> {
  using _admission = admit(exchange);
  const created = nowSeconds();
  const want = streamUsage(exchange, body);
  let generated = 0;
  const frame = (choices: object[], more: object = {}): string =>
    dataFrame({
      id: `chatcmpl-${exchange.requestId}`,
      object: 'chat.completion.chunk',
      created,
      model: exchange.serving.modelName,
      choices,
      ...more,
    });
  const running = (): object => (want.everyFrame ? { usage: usage(prompt.tokens, generated) } : {});
  const part = (index: number, delta: object): string =>
    frame([{ index, delta, logprobs: null, finish_reason: null, token_ids: null }], running());
  let opened = false;
  let open = sampling.n;
  for await (const step of generateAll(exchange, [prompt], sampling)) {
    if (!opened) {
      opened = true;
      for (let index = 0; index < sampling.n; index += 1) {
        const choice = { index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null };
        yield frame([choice], { prompt_token_ids: null, prompt_text: null, ...running() });
        if (call !== null) yield part(index, callBegins(call));
      }
    }
    generated += step.tokens;
    if (step.finishReason === null || call !== null) yield part(step.index, deltaOf(step, call));
    if (step.finishReason === null) continue;
    open -= 1;
    const delta = call === null ? { content: step.text } : {};
    const choice = { index: step.index, delta, logprobs: null, finish_reason: finishReason(step.finishReason, call) };
    // The fingerprint stands on the last JSON frame only.
    const last = open === 0 && !want.lastFrame ? { system_fingerprint: systemFingerprint } : {};
    yield frame([{ ...choice, stop_reason: step.stopReason, token_ids: null }], { ...running(), ...last });
  }
  if (want.lastFrame) yield frame([], { usage: usage(prompt.tokens, generated), system_fingerprint: systemFingerprint });
  yield 'data: [DONE]\n\n';
}

function callBegins({ name }: FunctionCall): object {
  return { content: null, tool_calls: [{ id: callId(), type: 'function', index: 0, function: { name } }] };
}

function deltaOf({ text }: IndexedStep, call: FunctionCall | null): object {
  return call === null ? { content: text } : { content: null, tool_calls: [{ index: 0, function: { arguments: text } }] };
}
