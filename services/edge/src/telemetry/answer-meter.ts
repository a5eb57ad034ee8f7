import type { AnswerHead } from '../upstream/answer-head.ts';
import { UsageReader } from './usage-reader.ts';
import type { TokenUsage } from './usage-reader.ts';

/** Measures an engine's answer as it passes by: when its first byte came, and what the engine says that it cost. */
export class AnswerMeter {
  #firstByteAtMs: number | null = null;
  #reader: UsageReader | null = null;

  /** When the first byte of the body came, by `performance.now()`: vLLM sends its head before it schedules the request. */
  get firstByteAtMs(): number | null {
    return this.#firstByteAtMs;
  }

  /** `null` where the engine did not say, and where its answer is compressed. */
  get usage(): TokenUsage | null {
    return this.#reader?.usage ?? null;
  }

  begin({ status, contentType, encoded }: Pick<AnswerHead, 'status' | 'contentType' | 'encoded'>): void {
    const readable = !encoded && (contentType.startsWith('text/event-stream') || contentType.startsWith('application/json'));
    if (readable && status < 300) this.#reader = new UsageReader();
  }

  feed(piece: Buffer): void {
    this.#firstByteAtMs ??= performance.now();
    this.#reader?.feed(piece);
  }
}
