import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, dataFrame, generateAll, streamUsage, systemFingerprint, usage } from './answers.ts';
import { readChat } from './prompts.ts';
import { admit, checkModel, checkPrompt, checkTools, nowSeconds, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';

/** `POST /v1/chat/completions`. */
export async function chatCompletions(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkModel(body, serving);
  const prompt = readChat(body, serving);
  checkTools(body, serving);
  checkPrompt(prompt, serving);
  const sampling = readSampling(body, serving, prompt, { keys: ['max_completion_tokens', 'max_tokens'] });
  if (body['stream'] === true) return await sendEvents(exchange, chatFrames(exchange, body, prompt, sampling));
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
      message: {
        role: 'assistant',
        content: answer.text,
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        reasoning: null,
      },
      logprobs: null,
      finish_reason: answer.finishReason,
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

async function* chatFrames(exchange: Exchange, body: Body, prompt: PromptSize, sampling: Sampling): AsyncGenerator<string> {
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
  let opened = false;
  let open = sampling.n;
  for await (const step of generateAll(exchange, [prompt], sampling)) {
    if (!opened) {
      opened = true;
      for (let index = 0; index < sampling.n; index += 1) {
        const choice = { index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null };
        yield frame([choice], { prompt_token_ids: null, prompt_text: null, ...running() });
      }
    }
    generated += step.tokens;
    const choice = { index: step.index, delta: { content: step.text }, logprobs: null, finish_reason: step.finishReason };
    if (step.finishReason === null) {
      yield frame([{ ...choice, token_ids: null }], running());
      continue;
    }
    open -= 1;
    // The fingerprint stands on the last JSON frame only.
    const last = open === 0 && !want.lastFrame ? { system_fingerprint: systemFingerprint } : {};
    yield frame([{ ...choice, stop_reason: step.stopReason, token_ids: null }], { ...running(), ...last });
  }
  if (want.lastFrame) yield frame([], { usage: usage(prompt.tokens, generated), system_fingerprint: systemFingerprint });
  yield 'data: [DONE]\n\n';
}
