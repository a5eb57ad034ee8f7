import type { ModelName, PlacementRight } from '@berth/core';
import { KEY_RIGHTS } from '../schema/key-schema.ts';
import type { AdminKeyInput, KeyInput } from '../schema/key-schema.ts';
import type { AdminKeySettings, KeySettings } from '../settings.ts';
import { matchesGlob } from '../values/model-glob.ts';
import { Secret } from '../values/secret.ts';

/** One checked entry of `keys`: its globs as the models they stand for, its rights as the strongest of them. */
export function resolveKey(key: KeyInput, models: readonly ModelName[]): KeySettings {
  return {
    id: key.id,
    sha256: new Secret(key.sha256.toLowerCase()),
    models: models.filter((name) => key.models.some((glob) => matchesGlob(glob, name))),
    right: strongest(key.rights),
    maxInFlight: key.maxInFlight ?? null,
    requestsPerMinute: key.requestsPerMinute ?? null,
  };
}

export function resolveAdminKey({ id, sha256 }: AdminKeyInput): AdminKeySettings {
  return { id, sha256: new Secret(sha256.toLowerCase()) };
}

/** Each right includes those before it, so the strongest says all. */
function strongest(rights: KeyInput['rights']): PlacementRight {
  return KEY_RIGHTS.findLast((right) => rights.includes(right)) ?? 'use';
}
