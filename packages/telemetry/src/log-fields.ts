/**
 * Fields that log lines share; a child logger binds those that hold for all its lines. All that varies is a field and never part of
 * the message, which is a fixed lower-case phrase in the past tense. Other fields end with their unit (`waitedMs`, `vramMiB`).
 * An error goes under `err`. Prompts, bodies, keys and headers are no fields.
 */
export interface LogFields {
  readonly requestId?: string;
  readonly jobId?: string;
  readonly placementId?: string;
  /** Name of the catalog entry. */
  readonly model?: string;
  /** Generation of the endpoint. */
  readonly endpointId?: string;
  readonly containerId?: string;
  readonly gpuUuid?: string;
  readonly edgeReplicaId?: string;
  readonly hostId?: string;
  readonly err?: unknown;
}
