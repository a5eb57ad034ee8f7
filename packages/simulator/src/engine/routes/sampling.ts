import { badRequest, engineBusy, internalError, modelNotFound } from '../http/api-error.ts';
import type { Body, Exchange } from '../http/exchange.ts';
import type { Serving } from '../serving.ts';

/** A prompt as it is counted: text has characters, ids have not. */
export interface PromptSize {
  tokens: number;
  characters: number;
}

/** What of a generation request shapes the simulated answer. */
export interface Sampling {
  n: number;
  maxTokens: number;
  ignoreEos: boolean;
  stop: string[];
  /** What is said instead of the simulated sentence; see `ScriptedAnswer`. */
  pieces: readonly string[] | null;
}

/** The most characters vLLM takes for a token before it tokenises at all (0.32.0, measured: 6656 for 512). */
const charactersPerToken = 13;

/** Throws 404 for a model that is not served; a missing, empty or null one is the default model. */
export function checkModel(body: Body, serving: Serving): void {
  const { model } = body;
  const { servedModelNames } = serving.arguments;
  if (typeof model === 'string' && model !== '' && !servedModelNames.includes(model)) throw modelNotFound(model, servedModelNames);
}

/** Throws vLLM's two refusals of a prompt that exceeds the context. */
export function checkPrompt(prompt: PromptSize, serving: Serving): void {
  const { maxModelLen } = serving.facts;
  const limit = maxModelLen * charactersPerToken;
  const head = `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains`;
  if (prompt.characters > limit) {
    throw badRequest(
      `${head} ${prompt.characters} characters (more than ${limit} characters, which is the upper bound for ${maxModelLen} input tokens). ` +
        `Please reduce the length of the input prompt. (parameter=input_text, value=${prompt.characters})`,
      'input_text',
    );
  }
  if (prompt.tokens > maxModelLen) {
    throw badRequest(
      `${head} at least ${maxModelLen + 1} input tokens, which exceeds this limit even without any output tokens. ` +
        `Please reduce the length of the input prompt. (parameter=input_tokens, value=${maxModelLen + 1})`,
      'input_tokens',
    );
  }
}

/** Reads what shapes the answer. What does not fit behind the prompt is cut off without a word (vLLM 0.32.0, measured). */
export function readSampling(body: Body, serving: Serving, prompt: PromptSize, defaults: { maxTokens?: number; keys: string[] }): Sampling {
  const { maxModelLen } = serving.facts;
  const [key = 'max_tokens'] = defaults.keys.filter((candidate) => typeof body[candidate] === 'number');
  const given = body[key];
  if (typeof given === 'number' && given < 1) {
    // Whatever the field is called in the request (vLLM 0.32.0, recorded on three routes).
    throw badRequest(`max_tokens must be at least 1, got ${given}. (parameter=max_tokens, value=${given})`, 'max_tokens');
  }
  if (typeof given === 'number' && given > maxModelLen) {
    throw badRequest(
      `${key}=${given} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens. (parameter=${key}, value=${given})`,
      key,
    );
  }
  checkTemperature(body['temperature']);
  if (typeof body['n'] === 'number' && body['n'] < 1) throw badRequest(`n must be at least 1, got ${body['n']}.`);
  const wanted = typeof given === 'number' ? given : (defaults.maxTokens ?? maxModelLen);
  const { stop } = body;
  return {
    n: typeof body['n'] === 'number' ? body['n'] : 1,
    maxTokens: Math.max(1, Math.min(wanted, maxModelLen - prompt.tokens)),
    ignoreEos: body['ignore_eos'] === true,
    stop: typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop.filter((entry) => typeof entry === 'string') : [],
    pieces: null,
  };
}

function checkTemperature(given: unknown): void {
  if (typeof given !== 'number' || (given >= 0 && given <= 2)) return;
  const value = Number.isInteger(given) ? given.toFixed(1) : String(given);
  throw badRequest(`temperature must be in [0, 2], got ${value}. (parameter=temperature, value=${value})`, 'temperature');
}

/**
 * Admits a request under `--max-num-queued-reqs` and `--shutdown-timeout`, until disposed. Throws 503 or 500 where vLLM does; a stream
 * turns that into an error frame, since its head is out already.
 */
export function admit({ serving }: Exchange): Disposable {
  const { maxNumQueuedRequests } = serving.arguments;
  if (serving.draining) throw internalError('cannot schedule new futures after shutdown');
  if (maxNumQueuedRequests !== undefined && serving.admitted >= maxNumQueuedRequests) {
    serving.metrics.countRejected();
    throw engineBusy();
  }
  serving.admitted += 1;
  return { [Symbol.dispose]: () => (serving.admitted -= 1) };
}

/** Refuses tools without a parser, as vLLM does with its default flags. */
export function checkTools(body: Body, serving: Serving): void {
  const { tools } = body;
  if (!Array.isArray(tools) || tools.length === 0 || serving.arguments.enableAutoToolChoice) return;
  throw badRequest('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set');
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
