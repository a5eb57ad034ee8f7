import { ClientGoneError } from './gate.ts';
import type { FinishReason } from './metrics.ts';
import type { Serving } from './serving.ts';
import { countTokens } from './tokens.ts';

export interface GenerationRequest {
  promptTokens: number;
  maxTokens: number;
  ignoreEos: boolean;
  stop: readonly string[];
  /** What is said instead of the simulated sentence, once. */
  pieces: readonly string[] | null;
  signal: AbortSignal;
}

/** One step of an answer: `tokens` new tokens, and at the end why it ended. */
export interface GenerationStep {
  text: string;
  tokens: number;
  finishReason: FinishReason | null;
  stopReason: string | null;
}

const sentence =
  'This answer comes from a simulated engine: no model was loaded, no GPU was used and nothing was understood. ' +
  'It has the form, the pace and the errors of a real one.';

/**
 * Generates the simulated answer: waits for a slot, grows the engine's memory for the prefill, then gives a word per
 * `tokenDelayMs`. With `ignoreEos` it repeats itself until `maxTokens`. Rejects with `EngineDeadError` or `ClientGoneError`.
 */
export async function* generate(serving: Serving, request: GenerationRequest): AsyncGenerator<GenerationStep> {
  const { gate, scheduler, profile, metrics } = serving;
  if (serving.sleep !== undefined) await untilAwake(serving, request.signal);
  if ((await scheduler.acquire(request.signal)) === 'interrupted') {
    yield finish('', 0, 'abort');
    return;
  }
  let generated = 0;
  let reason: FinishReason = 'error';
  try {
    serving.begun += 1;
    const hangs = profile.hangAfterRequests >= 0 && serving.begun > profile.hangAfterRequests;
    let paused = await gate.wait(request.signal, (elapsed) => {
      void serving.client.prefill(request.promptTokens).then(elapsed);
      return () => undefined;
    });
    if (paused === 'elapsed') paused = await gate.pause(hangs ? 2 ** 31 - 1 : profile.timeToFirstTokenMs, request.signal);
    for (const word of answerWords(request)) {
      if (paused === 'interrupted') {
        yield finish('', 0, (reason = 'abort'));
        return;
      }
      generated += 1;
      const stopped = request.stop.find((text) => text !== '' && word.soFar.includes(text));
      if (stopped !== undefined) {
        const keep = word.text.slice(0, Math.max(0, word.text.length - (word.soFar.length - word.soFar.indexOf(stopped))));
        yield { text: keep, tokens: 1, finishReason: (reason = 'stop'), stopReason: stopped };
        return;
      }
      if (generated >= request.maxTokens || word.last) {
        yield finish(word.text, 1, (reason = word.last ? 'stop' : 'length'));
        return;
      }
      yield { text: word.text, tokens: 1, finishReason: null, stopReason: null };
      paused = await nextTick(serving, generated, request.signal);
    }
  } catch (error) {
    // A disconnect is not counted as an abort by vLLM 0.32.0.
    if (error instanceof ClientGoneError) reason = 'abort';
    throw error;
  } finally {
    scheduler.release();
    if (!request.signal.aborted) metrics.countFinished(reason, request.promptTokens, generated);
  }
}

/** Runs a request that generates nothing (embedding, score): a slot, a prefill, done. */
export async function prefillOnly(serving: Serving, promptTokens: number, signal: AbortSignal): Promise<void> {
  for await (const _step of generate(serving, { promptTokens, maxTokens: 1, ignoreEos: false, stop: [], pieces: null, signal }));
}

/** The tokens of a chat prompt: its texts and four for the template of each message. */
export function chatPromptTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + countTokens(text) + 4, 0);
}

function finish(text: string, tokens: number, finishReason: FinishReason): GenerationStep {
  return { text, tokens, finishReason, stopReason: null };
}

function* answerWords(request: GenerationRequest): Generator<{ text: string; soFar: string; last: boolean }> {
  const words = request.pieces ?? sentence.split(/(?= )/);
  const endless = request.ignoreEos && request.pieces === null;
  let tail = '';
  const longestStop = Math.max(0, ...request.stop.map((text) => text.length));
  for (let count = 0; ; count += 1) {
    const position = count % words.length;
    const text = (count > 0 && position === 0 ? ' ' : '') + (words[position] ?? '');
    tail = (tail + text).slice(-(longestStop + text.length));
    yield { text, soFar: tail, last: !endless && position === words.length - 1 };
  }
}

/** Without a token delay the event loop still gets its turn, every so often. */
async function nextTick(serving: Serving, generated: number, signal: AbortSignal): Promise<'elapsed' | 'interrupted'> {
  const { tokenDelayMs } = serving.profile;
  if (tokenDelayMs > 0 || generated % 64 === 0 || serving.gate.state !== 'open') return await serving.gate.pause(tokenDelayMs, signal);
  return 'elapsed';
}

/** A request to a sleeping engine pends, in neither gauge (vLLM 0.32.0, measured). */
async function untilAwake(serving: Serving, signal: AbortSignal): Promise<void> {
  while (serving.sleep !== undefined) {
    const { awake } = serving.sleep;
    await serving.gate.wait(signal, (elapsed) => {
      void awake.then(elapsed);
      return () => undefined;
    });
  }
}
