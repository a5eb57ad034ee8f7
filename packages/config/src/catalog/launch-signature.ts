import { createHash } from 'node:crypto';
import { asId } from '@berth/core';
import type { LaunchSignature } from '@berth/core';
import type { ModelSettings } from '../settings.ts';
import { Secret } from '../values/secret.ts';

/**
 * All that changes a model's footprint, as plain data with a fixed order of keys. Of a secret and of a passed-on variable only the
 * name enters; names and aliases, ports, timeouts, pinning and a raised KV cache do not. The order of `args` and `command` matters,
 * that of `env`, `envFrom` and `volumes` does not.
 */
export function launchInputs(model: ModelSettings): Readonly<Record<string, unknown>> {
  return {
    version: 1,
    engine: model.engine,
    source: model.source,
    image: model.image,
    command: model.command,
    args: model.args,
    env: Object.fromEntries(
      Object.entries(model.env)
        .map(([name, value]) => [name, value instanceof Secret ? null : value] as const)
        .toSorted(byName),
    ),
    envFrom: model.envFrom.toSorted(),
    volumes: model.volumes.map(({ source, target, readOnly }) => [target, source, readOnly] as const).toSorted(byName),
    shmSizeBytes: model.shmSizeBytes,
    gpus: model.gpus,
    kvCacheBytes: model.kvCacheBytes,
    probe: model.probe === null ? null : { path: model.probe.path, body: canonical(model.probe.body) },
  };
}

/** 16 hex digits of SHA-256 over `launchInputs`. Equal for equal inputs, on every machine. */
export function launchSignature(model: ModelSettings): LaunchSignature {
  const digest = createHash('sha256')
    .update(JSON.stringify(launchInputs(model)))
    .digest('hex');
  return asId<LaunchSignature>(digest.slice(0, 16));
}

/** By code units, not by locale: the same order on every machine. */
function byName([left]: readonly [string, ...unknown[]], [right]: readonly [string, ...unknown[]]): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** JSON data with the keys of every map in order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, part]) => [key, canonical(part)] as const)
      .toSorted(byName),
  );
}
