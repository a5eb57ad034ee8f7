import type { EngineSpec, InstallationId } from '@berth/core';
import { formatEngineIdentity } from '@berth/core';

/** Labels on what Berth creates in the Docker engine. */
export const LABELS = {
  installation: 'berth.installation',
  host: 'berth.host',
  /** Engines only. */
  generation: 'berth.generation',
  model: 'berth.model',
  identity: 'berth.identity',
  /** Repeated outside the identity, so that an engine of another version can still be reached. */
  port: 'berth.port',
  /** The fixed address that it was given on the engine network. */
  address: 'berth.address',
  /** Throw-away containers only: epoch ms after which nobody waits for it any more. */
  probeUntil: 'berth.probe-until',
} as const;

/** Whose containers a runtime may touch. */
export interface Owner {
  readonly installationId: InstallationId;
  readonly hostId: string;
}

/** The labels of one engine. */
export function engineLabels(spec: EngineSpec): Record<string, string> {
  return {
    [LABELS.installation]: spec.installationId,
    [LABELS.host]: spec.hostId,
    [LABELS.generation]: spec.generation,
    [LABELS.model]: spec.model,
    [LABELS.identity]: formatEngineIdentity(spec),
    [LABELS.port]: String(spec.port),
  };
}

/** Label filter for all engines of an owner. */
export function engineFilter(owner: Owner): string[] {
  return [`${LABELS.installation}=${owner.installationId}`, `${LABELS.host}=${owner.hostId}`, LABELS.generation];
}
