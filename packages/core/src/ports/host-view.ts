/** A GPU host's ledger as its orchestrator publishes it for people. */
export interface HostView {
  readonly updatedAtMs: number;
  readonly readingsAvailable: boolean;
  /** Why learning is switched off, or a dependency fails; empty when all is well. */
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  readonly gpus: readonly GpuView[];
}

/** One GPU of it; MiB, `null` where unknown. */
export interface GpuView {
  readonly uuid: string;
  readonly index: number;
  readonly product: string;
  readonly totalMiB: number | null;
  readonly budgetMiB: number | null;
  readonly usedMiB: number | null;
  readonly foreignMiB: number | null;
  readonly freeMiB: number | null;
  readonly reservedMiB: number;
  readonly claimedMiB: number;
  readonly endpointsMiB: number;
  readonly foreignProcesses: readonly { readonly pid: number; readonly name: string; readonly usedMiB: number | null }[];
}
