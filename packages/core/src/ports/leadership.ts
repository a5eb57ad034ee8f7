/** A term of leadership. Handlers capture it once; they never ask for "the present epoch". */
export interface Term {
  /** Fences every registry write: a write of another epoch is refused. */
  readonly epoch: string;
  /** False as soon as leadership cannot be proved any more; check before every irreversible call. */
  isCurrent(): boolean;
  /** Aborts when the term ends. */
  readonly signal: AbortSignal;
}
