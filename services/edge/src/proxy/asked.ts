import { OperationalError } from '@berth/core';

/** What a request says of its routing. */
export interface Asked {
  readonly model: string;
  readonly stream: boolean;
}

/** Finds the model in a body that comes in pieces. Every method throws `INVALID_REQUEST`. */
export interface ModelFinder {
  /** Reads the next piece. */
  feed(piece: Buffer): void;
  /** The model named so far: `undefined` when none has been, `null` when what stands there can be none. */
  readonly model: string | null | undefined;
  /** What a small body asks for that has come whole; `null`: feed it. */
  askedByWhole(body: Buffer): Asked | null;
  /** What was asked for by all that was fed; `ended`: nothing more comes. */
  asked(ended: boolean): Asked;
}

/** The value as a model's name. An engine takes its default model for none at all; here it must be named. */
export function modelName(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalidRequest(
    value === undefined || value === null || value === ''
      ? 'The request names no model. Set `model` to one of GET /v1/models.'
      : '`model` is not a string. Set it to one of GET /v1/models.',
    'model',
  );
}

/** What two readers could take for different models is refused. */
export function twoModels(): OperationalError {
  return invalidRequest('The request names two different models. Set `model` once.', 'model');
}

export function invalidRequest(message: string, param: string | null = null): OperationalError {
  return new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false, details: { param } });
}
