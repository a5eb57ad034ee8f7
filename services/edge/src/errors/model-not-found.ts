import { OperationalError } from '@berth/core';

/** Most of a name that is said again. */
const LONGEST_NAME = 200;

/** For a model that is in no catalog, and for one that does not exist for whoever asks. */
export function modelNotFound(asked: string): OperationalError {
  const name = asked.length > LONGEST_NAME ? `${asked.slice(0, LONGEST_NAME)}…` : asked;
  return new OperationalError({
    code: 'MODEL_NOT_FOUND',
    message: `The model \`${name}\` does not exist. GET /v1/models lists those that do.`,
    retryable: false,
    details: { param: 'model' },
  });
}
