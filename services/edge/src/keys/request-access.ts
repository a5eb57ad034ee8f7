import { OperationalError } from '@berth/core';
import type { ModelName, PlacementRight } from '@berth/core';

/** What one request may do. */
export interface RequestAccess {
  /** What it may cause: use a loaded model, a start, an eviction. Each includes those before it. */
  readonly right: PlacementRight;
  /** Whether the model exists for it. */
  mayUse(model: ModelName): boolean;
  /** Counts the request out of its key's limits; later calls do nothing. */
  release(): void;
}

/** Every request's access where the catalog has no keys. */
export const OPEN_ACCESS: RequestAccess = Object.freeze({
  right: 'displace',
  mayUse: () => true,
  release: () => undefined,
});

/** Throws `KEY_MAY_NOT_PLACE` unless the request may cause a start. */
export function requireRightToPlace(access: RequestAccess, model: ModelName): void {
  if (access.right === 'use') throw mayNotPlace(model);
}

export function mayNotPlace(model: ModelName): OperationalError {
  return new OperationalError({
    code: 'KEY_MAY_NOT_PLACE',
    message: `${model} is not loaded, and this key may only use loaded models. Somebody whose key has the right \`place\` must ask for it first.`,
    retryable: false,
    details: { model },
  });
}
