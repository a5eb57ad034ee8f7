import type { Exchange } from '../http/exchange.ts';
import { generate } from '../generate.ts';
import type { GenerationStep } from '../generate.ts';
import type { PromptSize, Sampling } from './sampling.ts';

/** Says in every answer that no real engine made it. */
export const systemFingerprint = 'simulated';

/** A step of one of several answers to a request. */
export interface IndexedStep extends GenerationStep {
  index: number;
}

/** One complete answer. */
export interface CompleteAnswer {
  text: string;
  tokens: number;
  finishReason: string;
  stopReason: string | null;
}

/** All answers to the prompts of a request, `n` for each, their steps as they come. */
export async function* generateAll(exchange: Exchange, prompts: readonly PromptSize[], sampling: Sampling): AsyncGenerator<IndexedStep> {
  const { serving, signal } = exchange;
  const { maxTokens, ignoreEos, stop, pieces } = sampling;
  const sources = prompts.flatMap((prompt) =>
    Array.from({ length: sampling.n }, () =>
      generate(serving, { promptTokens: prompt.tokens, maxTokens, ignoreEos, stop, pieces, signal }),
    ),
  );
  const advance = async (index: number): Promise<{ index: number; result: IteratorResult<GenerationStep, void> }> => {
    const result = await sources[index]?.next();
    return { index, result: result ?? { done: true, value: undefined } };
  };
  const pending = new Map(sources.map((_source, index) => [index, advance(index)]));
  while (pending.size > 0) {
    const { index, result } = await Promise.race(pending.values());
    if (result.done === true) pending.delete(index);
    else {
      yield { ...result.value, index };
      pending.set(index, advance(index));
    }
  }
}

/** The same, collected. */
export async function collectAll(exchange: Exchange, prompts: readonly PromptSize[], sampling: Sampling): Promise<CompleteAnswer[]> {
  const answers: CompleteAnswer[] = Array.from({ length: prompts.length * sampling.n }, () => ({
    text: '',
    tokens: 0,
    finishReason: 'stop',
    stopReason: null,
  }));
  for await (const step of generateAll(exchange, prompts, sampling)) {
    const answer = answers[step.index];
    if (answer === undefined) continue;
    answer.text += step.text;
    answer.tokens += step.tokens;
    answer.finishReason = step.finishReason ?? answer.finishReason;
    answer.stopReason = step.stopReason;
  }
  return answers;
}

/** Usage as it stands at the end of a stream; a non-stream answer has two more fields. */
export function usage(promptTokens: number, completionTokens: number): Record<string, number> {
  return { prompt_tokens: promptTokens, total_tokens: promptTokens + completionTokens, completion_tokens: completionTokens };
}

/** Which usage a stream carries: on every frame, in a last frame, or none. */
export function streamUsage(exchange: Exchange, body: Record<string, unknown>): { everyFrame: boolean; lastFrame: boolean } {
  const options = body['stream_options'];
  const forced = exchange.serving.arguments.enableForceIncludeUsage;
  const asked = (key: string): boolean => typeof options === 'object' && options !== null && Reflect.get(options, key) === true;
  return { everyFrame: forced || asked('continuous_usage_stats'), lastFrame: forced || asked('include_usage') };
}

export function dataFrame(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** A named event, as messages and responses use them; no `[DONE]` follows those. */
export function eventFrame(event: string, value: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
}
