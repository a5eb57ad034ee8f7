/** The head of an answer. */
export interface SinkHead {
  readonly status: number;
  /** Empty: the usual one. */
  readonly statusText: string;
  /** In lines, each with its end. */
  readonly headers: string;
  /** Whether they say how long the body is, and when the answer was made. */
  readonly hasLength: boolean;
  readonly hasDate: boolean;
}

/** The way to the client for one answer. `ClientAnswer` stands before it and keeps its calls in order. */
export interface AnswerSink {
  /** Calls `listener` when the client closes its connection before the whole answer is out. False: it has closed already. */
  watch(listener: () => void): boolean;
  /** `flush`: at once, instead of together with the first bytes of the body. */
  begin(head: SinkHead, flush: boolean): void;
  /** `bytes` has some. `false`: the client reads slower than we write; wait for `onceDrained`. */
  write(bytes: Buffer | string): boolean;
  onceDrained(resume: () => void): void;
  /** The last call, with the last bytes where there are any. */
  end(bytes?: Buffer | string): void;
  /** Cuts the connection, so that the client cannot take what it got for a whole answer. */
  destroy(): void;
}
