import type { FailureShape } from '@berth/core';

/** What a service says to the supervisor that started it, over the IPC channel. */
export type ServiceMessage =
  | { readonly kind: 'ready'; readonly url: string }
  /** It could not start. */
  | { readonly kind: 'failed'; readonly failure: FailureShape };

/** What the supervisor says to a service. */
export interface StopMessage {
  readonly kind: 'stop';
  /** For the orchestrator: stop the endpoints as well, which a signal leaves running for adoption. */
  readonly endpoints: boolean;
  readonly graceMs: number;
}

export function isServiceMessage(message: unknown): message is ServiceMessage {
  return hasKind(message) && (message.kind === 'ready' || message.kind === 'failed');
}

export function isStopMessage(message: unknown): message is StopMessage {
  return hasKind(message) && message.kind === 'stop';
}

function hasKind(message: unknown): message is { readonly kind: unknown } {
  return typeof message === 'object' && message !== null && 'kind' in message;
}
