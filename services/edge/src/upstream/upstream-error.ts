/**
 * What went wrong on the connection to an engine:
 * - `unreached`: refused, unreachable, unresolvable or not connected in time. Nothing was sent.
 * - `closed`: the connection ended before the first byte of an answer.
 * - `broken`: the connection ended inside an answer.
 * - `malformed`: what came is no HTTP/1.1 answer, or one that two readers could take for different answers.
 */
export type UpstreamFault = 'unreached' | 'closed' | 'broken' | 'malformed';

/** A connection to an engine failed. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly fault: UpstreamFault;
  /** The connection had served a request before, so an engine that closes idle connections may just have closed it. */
  readonly reused: boolean;

  constructor(fault: UpstreamFault, message: string, options: { readonly reused?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.reused = options.reused ?? false;
  }
}

/** `what` is wrong with an engine's answer, in a clause. */
export function malformed(what: string): UpstreamError {
  return new UpstreamError('malformed', `The engine's answer cannot be read: ${what}.`);
}

/** The endpoint is gone, or an operator forced its stop. */
export class EndpointGone extends Error {
  override readonly name = 'EndpointGone';

  constructor() {
    super('endpoint gone');
  }
}
