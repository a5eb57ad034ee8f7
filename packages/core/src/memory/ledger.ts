import type { Generation, GpuUuid, ModelName } from '../ids.ts';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import type { Claim, GpuSnapshot, Snapshot } from '../placement/snapshot.ts';
import { allocatedOn } from './allocation.ts';

/** What one endpoint is charged on one GPU. */
export interface EndpointCharge {
  readonly generation: Generation;
  readonly model: ModelName;
  readonly state: Endpoint['state'];
  readonly vramMiB: number;
}

/** What one claim holds on one GPU beyond what its own victims still hold there. */
export interface ClaimCharge {
  readonly model: ModelName;
  readonly claimedMiB: number;
  /** Of its victims, not released yet; this memory is charged to them. */
  readonly victimsMiB: number;
  readonly excessMiB: number;
}

/** Where the memory of one GPU is: budget = charged + claim excess + foreign + available. */
export interface GpuLedger {
  readonly gpuUuid: GpuUuid;
  readonly index: number;
  readonly product: string;
  readonly budgetMiB: number;
  /** `null`: unknown. */
  readonly foreignMiB: number | null;
  readonly endpoints: readonly EndpointCharge[];
  readonly claims: readonly ClaimCharge[];
  /** Reserved for endpoints that start. */
  readonly reservedMiB: number;
  readonly readyMiB: number;
  readonly drainingMiB: number;
  readonly stoppingMiB: number;
  /** Σ of the four above. */
  readonly chargedMiB: number;
  readonly claimExcessMiB: number;
  /** Negative while over budget; `null` while foreign memory is unknown. */
  readonly availableMiB: number | null;
  /** How far the GPU is over its budget; unknown foreign memory counts as none here. */
  readonly overcommittedMiB: number;
}

/** The part of a snapshot that says where memory is. */
export type LedgerInput = Pick<Snapshot, 'gpus' | 'endpoints' | 'claims'>;

/** The ledger of every GPU. Every endpoint is charged until it is gone, a stopping one too: its memory is not back yet. */
export function buildLedger(snapshot: LedgerInput): ReadonlyMap<GpuUuid, GpuLedger> {
  return new Map(snapshot.gpus.map((gpu) => [gpu.uuid, gpuLedger(gpu, snapshot)]));
}

/**
 * MiB that a placement may take on a GPU: budget − foreign − everything charged − what the *other* claims exceed their own victims.
 * Its own claim holds memory for it, so that is no obstacle. `null` while foreign memory is unknown.
 */
export function availableFor(ledger: GpuLedger, model: ModelName): number | null {
  if (ledger.availableMiB === null) return null;
  const own = ledger.claims.find((claim) => claim.model === model);
  return ledger.availableMiB + (own?.excessMiB ?? 0);
}

function gpuLedger(gpu: GpuSnapshot, { endpoints, claims }: LedgerInput): GpuLedger {
  const charges = endpoints.flatMap(({ endpoint }) => chargeOn(endpoint, gpu.uuid));
  const claimCharges = claims.flatMap((claim) => claimOn(claim, gpu.uuid, charges));
  const inState = (state: Endpoint['state']) => sum(charges.filter((charge) => charge.state === state).map((charge) => charge.vramMiB));
  const chargedMiB = sum(charges.map((charge) => charge.vramMiB));
  const claimExcessMiB = sum(claimCharges.map((claim) => claim.excessMiB));
  const takenMiB = chargedMiB + claimExcessMiB;
  return {
    gpuUuid: gpu.uuid,
    index: gpu.index,
    product: gpu.product,
    budgetMiB: gpu.budgetMiB,
    foreignMiB: gpu.foreignMiB,
    endpoints: charges,
    claims: claimCharges,
    reservedMiB: inState('starting'),
    readyMiB: inState('ready'),
    drainingMiB: inState('draining'),
    stoppingMiB: inState('stopping'),
    chargedMiB,
    claimExcessMiB,
    availableMiB: gpu.foreignMiB === null ? null : gpu.budgetMiB - gpu.foreignMiB - takenMiB,
    overcommittedMiB: Math.max(0, takenMiB + (gpu.foreignMiB ?? 0) - gpu.budgetMiB),
  };
}

function chargeOn(endpoint: Endpoint, gpuUuid: GpuUuid): readonly EndpointCharge[] {
  if (!endpoint.allocations.some((allocation) => allocation.gpuUuid === gpuUuid)) return [];
  const { generation, model, state } = endpoint;
  return [{ generation, model, state, vramMiB: allocatedOn(endpoint.allocations, gpuUuid) }];
}

function claimOn(claim: Claim, gpuUuid: GpuUuid, charges: readonly EndpointCharge[]): readonly ClaimCharge[] {
  if (!claim.allocations.some((allocation) => allocation.gpuUuid === gpuUuid)) return [];
  const claimedMiB = allocatedOn(claim.allocations, gpuUuid);
  const victimsMiB = sum(charges.filter((charge) => claim.victims.includes(charge.generation)).map((charge) => charge.vramMiB));
  return [{ model: claim.model, claimedMiB, victimsMiB, excessMiB: Math.max(0, claimedMiB - victimsMiB) }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
