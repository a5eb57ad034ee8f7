/** How many requests an engine says it has. */
export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
}

export type ProbeKind = 'completion' | 'embedding' | 'pooling' | 'score' | 'rerank' | 'classify' | 'audio' | 'custom';

/** Talks to a running engine over HTTP. Every call has its own deadline and throws `ENGINE_UNRESPONSIVE`. */
export interface EngineClient {
  /** True on 200; false on any other answer, and on a refused connection (an engine that loads does not listen). */
  isHealthy(url: string, path: string): Promise<boolean>;
  /** `null` where the engine does not tell. */
  readMaxModelLen(url: string): Promise<number | null>;
  /** Sends one request and waits for its whole answer. Throws `ENGINE_UNRESPONSIVE` with status and text when it is not 2xx. */
  sendProbe(
    url: string,
    probe: { readonly path: string; readonly body: string; readonly contentType: string },
    timeoutMs: number,
  ): Promise<void>;
  /** Running and waiting requests; `null` when they cannot be read. */
  readLoad(url: string): Promise<EngineLoad | null>;
}
