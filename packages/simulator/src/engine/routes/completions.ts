import { readJsonBody, sendEvents, sendJson } from '../http/exchange.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import { collectAll, dataFrame, generateAll, streamUsage, systemFingerprint, usage } from './answers.ts';
import { readPrompts } from './prompts.ts';
import { admit, checkModel, checkPrompt, nowSeconds, readSampling } from './sampling.ts';
import type { PromptSize, Sampling } from './sampling.ts';

/** OpenAI's default length of a completion. */
const defaultMaxTokens = 16;

/** `POST /v1/completions`: prompts as texts or as token ids. */
export async function completions(exchange: Exchange): Promise<void> {
  const body = await readJsonBody(exchange);
  const { serving } = exchange;
  checkModel(body, serving);
  const prompts = readPrompts(body, 'prompt');
  for (const prompt of prompts) checkPrompt(prompt, serving);
  const longest = prompts.reduce((a, b) => (b.tokens > a.tokens ? b : a), { tokens: 0, characters: 0 });
  const sampling = readSampling(body, serving, longest, { keys: ['max_tokens'], maxTokens: defaultMaxTokens });
  if (body['stream'] === true) return await sendEvents(exchange, completionFrames(exchange, body, prompts, sampling));
  using _admission = admit(exchange);
  const answers = await collectAll(exchange, prompts, sampling);
  const completionTokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  sendJson(exchange, 200, {
    ...head(exchange, nowSeconds()),
    choices: answers.map((answer, index) => ({
      index,
      text: answer.text,
      logprobs: null,
      finish_reason: answer.finishReason,
      stop_reason: answer.stopReason,
      token_ids: null,
      prompt_logprobs: null,
      prompt_token_ids: null,
      routed_experts: null,
    })),
    service_tier: null,
    system_fingerprint: systemFingerprint,
    usage: { ...usage(promptTotal(prompts), completionTokens), prompt_tokens_details: null, completion_tokens_details: null },
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
  });
}

async function* completionFrames(
  exchange: Exchange,
  body: Body,
  prompts: readonly PromptSize[],
  sampling: Sampling,
): AsyncGenerator<string> {
  using _admission = admit(exchange);
  const shared = head(exchange, nowSeconds());
  const want = streamUsage(exchange, body);
  const promptTokens = promptTotal(prompts);
  let generated = 0;
  let open = prompts.length * sampling.n;
  for await (const step of generateAll(exchange, prompts, sampling)) {
    generated += step.tokens;
    if (step.finishReason !== null) open -= 1;
    const choice = {
      index: step.index,
      text: step.text,
      logprobs: null,
      finish_reason: step.finishReason,
      stop_reason: step.stopReason,
      prompt_token_ids: null,
      token_ids: null,
    };
    yield dataFrame({
      ...shared,
      choices: [choice],
      ...(want.everyFrame ? { usage: usage(promptTokens, generated) } : {}),
      ...(open === 0 && !want.lastFrame ? { system_fingerprint: systemFingerprint } : {}),
    });
  }
  if (want.lastFrame)
    yield dataFrame({ ...shared, choices: [], usage: usage(promptTokens, generated), system_fingerprint: systemFingerprint });
  yield 'data: [DONE]\n\n';
}

function head(exchange: Exchange, created: number): { id: string; object: string; created: number; model: string } {
  return { id: `cmpl-${exchange.requestId}`, object: 'text_completion', created, model: exchange.serving.modelName };
}

function promptTotal(prompts: readonly PromptSize[]): number {
  return prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
}
