import type { ProbeKind } from '@berth/core';
import { parseHumanInteger, readFlag } from '../launch/flag-arguments.ts';
import { silenceForm } from './silence-form.ts';

/** One HTTP POST that proves readiness. */
export interface ProbeRequest {
  readonly kind: ProbeKind;
  readonly path: string;
  readonly body: string;
  readonly contentType: string;
}

export interface ProbeOptions {
  /** From the engine's log; `null` where it no longer tells, which counts as `generate`. */
  readonly tasks: readonly string[] | null;
  /** From `/v1/models`. */
  readonly maxModelLen: number | null;
  /** `--max-num-batched-tokens` of the catalog's `args`, where given. */
  readonly explicitMaxBatchedTokens: number | null;
  readonly servedName: string;
  readonly onCpu: boolean;
}

/** At least what vLLM prefills at once by default on any card (`max_num_batched_tokens` is 2048 to 16384; vLLM 0.28 to 0.32). */
const LARGEST_DEFAULT_PREFILL = 16_384;
/** For an engine that does not tell its context: short enough for every model. */
const CONTEXT_WHEN_UNKNOWN = 256;
/** An ordinary token in every vocabulary: low ids are special tokens, and no real vocabulary ends before. */
const HARMLESS_TOKEN_ID = 100;
const JSON_TYPE = 'application/json';

/**
 * The request with which an engine proves that it is ready and reaches its peak of memory: a pinned KV cache skips the engine's own
 * memory profiling, and its allocator grows to the peak only under a full prefill. So it is as long as one prefill may be, and asks
 * for one token; on the CPU, where no memory is measured, it is one token long. Its kind follows the engine's tasks, because an
 * engine has routes only for those.
 */
export function probeRequest(options: ProbeOptions): ProbeRequest {
  const kind = kindOf(options.tasks ?? ['generate']);
  return { kind, ...BUILDERS[kind](options.servedName, probeLength(options)) };
}

/** The catalog's own probe of an engine that is not vLLM, sent as JSON. */
export function customProbe(probe: { readonly path: string; readonly body: unknown }): ProbeRequest {
  return { kind: 'custom', ...json(probe.path, probe.body) };
}

/** `--max-num-batched-tokens` in the catalog's `args`; `null` where it is not given or cannot be read. */
export function explicitMaxBatchedTokens(args: readonly string[]): number | null {
  const given = readFlag(args, 'max-num-batched-tokens');
  return given === null ? null : parseHumanInteger(given);
}

type EngineProbeKind = Exclude<ProbeKind, 'custom' | 'rerank'>;

/** How a request of each kind looks, given the model's name and the length in tokens. */
const BUILDERS: Readonly<Record<EngineProbeKind, (model: string, length: number) => Omit<ProbeRequest, 'kind'>>> = {
  completion: (model, length) => json('/v1/completions', { model, prompt: tokenIds(length), max_tokens: 1, temperature: 0, stream: false }),
  embedding: (model, length) => json('/v1/embeddings', { model, input: tokenIds(length), encoding_format: 'base64' }),
  pooling: (model, length) => json('/pooling', { model, input: tokenIds(length), encoding_format: 'base64' }),
  classify: (model, length) => json('/classify', { model, input: words(length), truncate_prompt_tokens: length }),
  score: (model, length) => json('/score', { model, text_1: 'a', text_2: words(length), truncate_prompt_tokens: length }),
  audio: (model) => ({ path: '/v1/audio/transcriptions', ...silenceForm(model) }),
};

/** Tasks by vLLM's names: `score` and `encode` up to 0.22, `token_embed`, `token_classify` and combinations with `&` since. */
function kindOf(tasks: readonly string[]): EngineProbeKind {
  if (tasks.includes('generate')) return 'completion';
  if (tasks.includes('transcription')) return 'audio';
  if (tasks.includes('embed')) return 'embedding';
  if (tasks.includes('classify')) return 'classify';
  if (tasks.includes('score')) return 'score';
  return 'pooling';
}

function probeLength({ maxModelLen, explicitMaxBatchedTokens: explicit, onCpu }: ProbeOptions): number {
  if (onCpu) return 1;
  const wanted = Math.max(LARGEST_DEFAULT_PREFILL, explicit ?? 0);
  return Math.max(1, Math.min(wanted, (maxModelLen ?? CONTEXT_WHEN_UNKNOWN) - 1));
}

function tokenIds(count: number): number[] {
  return Array.from({ length: count }, () => HARMLESS_TOKEN_ID);
}

/** Text of about this many tokens: a short word is one token. Special tokens come on top, so such requests also say where to cut. */
function words(count: number): string {
  return Array.from({ length: count }, () => 'a').join(' ');
}

function json(path: string, body: unknown): Omit<ProbeRequest, 'kind'> {
  return { path, body: JSON.stringify(body), contentType: JSON_TYPE };
}
