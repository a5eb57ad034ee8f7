import { asId } from '../ids.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import type { EngineIdentity } from '../ports/engine-runtime.ts';

const VERSION = 1;

/** The identity alone, whatever else the value carries: a spec's environment must not end up in a label. */
export function toEngineIdentity(source: EngineIdentity): EngineIdentity {
  return {
    installationId: source.installationId,
    hostId: source.hostId,
    generation: source.generation,
    model: source.model,
    signature: source.signature,
    imageId: source.imageId,
    hasCounter: source.hasCounter,
    servedNames: source.servedNames,
    allocations: source.allocations.map(({ gpuUuid, vramMiB }) => ({ gpuUuid, vramMiB })),
    discovery: source.discovery,
    kvCacheBytes: source.kvCacheBytes,
    port: source.port,
    createdAtMs: source.createdAtMs,
  };
}

/** The identity as versioned JSON text, for a container label or a process record. */
export function formatEngineIdentity(source: EngineIdentity): string {
  return JSON.stringify({ version: VERSION, ...toEngineIdentity(source) });
}

/** Reads what `formatEngineIdentity` wrote. `null` for anything else: another version, broken text, a field of another type. */
export function parseEngineIdentity(text: string): EngineIdentity | null {
  const value = parseObject(text);
  if (value?.['version'] !== VERSION) return null;
  const texts = ['installationId', 'hostId', 'generation', 'model', 'signature', 'imageId'].map((key) => value[key]);
  const [installationId, hostId, generation, model, signature, imageId] = texts;
  const { hasCounter, servedNames, allocations, discovery, kvCacheBytes, port, createdAtMs } = value;
  if (!isText(installationId) || !isText(hostId) || !isText(generation) || !isText(model) || !isText(signature) || !isText(imageId))
    return null;
  if (typeof hasCounter !== 'boolean' || typeof discovery !== 'boolean') return null;
  if (!isListOf(servedNames, isText) || !isListOf(allocations, isAllocation)) return null;
  if (kvCacheBytes !== null && !isNumber(kvCacheBytes)) return null;
  if (!isNumber(port) || !isNumber(createdAtMs)) return null;
  return toEngineIdentity({
    installationId: asId(installationId),
    hostId,
    generation: asId(generation),
    model: asId(model),
    signature: asId(signature),
    imageId,
    hasCounter,
    servedNames,
    allocations,
    discovery,
    kvCacheBytes,
    port,
    createdAtMs,
  });
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isListOf<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is Item[] {
  return Array.isArray(value) && value.every(isItem);
}

function isAllocation(value: unknown): value is GpuAllocation {
  return (
    typeof value === 'object' &&
    value !== null &&
    'gpuUuid' in value &&
    isText(value.gpuUuid) &&
    'vramMiB' in value &&
    isNumber(value.vramMiB)
  );
}
