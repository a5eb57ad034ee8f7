// What other packages may use. Everything else in this package is private.
export { ERROR_CODES, isOperationalError, OperationalError } from './errors.ts';
export type { ErrorCode, FailureShape } from './errors.ts';
export { asId } from './ids.ts';
export type { Branded, EdgeReplicaId, EngineHandle, Generation, GpuUuid, InstallationId, LaunchSignature, ModelName } from './ids.ts';

export { ENDPOINT_STATES, RETIRE_REASONS } from './lifecycle/endpoint.ts';
export type {
  DrainingEndpoint,
  Endpoint,
  EndpointBase,
  EndpointState,
  EndpointUrls,
  GoneEndpoint,
  ReadyEndpoint,
  RetireReason,
  ServingFields,
  StartingEndpoint,
  StoppingEndpoint,
} from './lifecycle/endpoint.ts';
export type { EndpointAfter, EndpointEvent, EndpointEventKind, EndpointEvents, StateChange } from './lifecycle/endpoint-event.ts';
export { formatEngineIdentity, parseEngineIdentity, toEngineIdentity } from './lifecycle/engine-identity.ts';
export { mayStop, needsLeaseCheck } from './lifecycle/lease-check.ts';
export { stateChange, transition } from './lifecycle/transition.ts';

export { allocatedOn } from './memory/allocation.ts';
export type { GpuAllocation } from './memory/allocation.ts';
export { budgetMiB } from './memory/budget.ts';
export { CPU_PRODUCT, withMargin } from './memory/footprint.ts';
export type { Footprint, FootprintKey, FootprintSample, FootprintSource, LoadTimes } from './memory/footprint.ts';
export { foreignMiB } from './memory/foreign.ts';
export type { GpuProcess, GpuReading, HostReading } from './memory/gpu-reading.ts';
export { availableFor, buildLedger } from './memory/ledger.ts';
export type { ClaimCharge, EndpointCharge, GpuLedger, LedgerInput } from './memory/ledger.ts';
export { isMovingOn, measuredMiB } from './memory/ours.ts';
export type { Holders } from './memory/ours.ts';
export { releaseOf } from './memory/release.ts';
export type { Release, ReleaseInput } from './memory/release.ts';

export { asksOf } from './placement/asks.ts';
export type { Arrivals, Ask } from './placement/asks.ts';
export { COLD_START_PHASES, coldStartPhaseOf } from './placement/cold-start-phase.ts';
export type { ColdStartPhase } from './placement/cold-start-phase.ts';
export type { Action, Plan, Reason, ReasonCode } from './placement/plan.ts';
export { plan } from './placement/planner.ts';
export { isSettled, isWithinResidency, residencyEndsAtMs } from './placement/residency.ts';
export type {
  Claim,
  EndpointSnapshot,
  GpuSnapshot,
  OpenPlacement,
  PlacementRight,
  PlannerSettings,
  Requirement,
  Snapshot,
} from './placement/snapshot.ts';

export { chooseIdle } from './tend/choose-idle.ts';
export { chooseOverBudget } from './tend/choose-over-budget.ts';
export { chooseSuperseded } from './tend/choose-superseded.ts';

export type {
  EdgeReplicaView,
  EndpointRegistry,
  FootprintStore,
  PlacementStatus,
  Quarantine,
  RegistryChange,
  RegistryState,
  StopRequest,
  WaiterReport,
  Wish,
} from './ports/endpoint-registry.ts';
export type {
  AcquireAnswer,
  EdgeSession,
  LeaderView,
  LeasedEndpoint,
  LeaseState,
  PlacementClient,
  PlacementOutcome,
  RegistryReader,
  RequestSlot,
  SessionCounts,
  WaiterTicket,
} from './ports/edge-session.ts';
export type { GpuView, HostView } from './ports/host-view.ts';
export type { EngineClient, EngineLoad, ProbeKind } from './ports/engine-client.ts';
export type {
  EngineIdentity,
  EngineMount,
  EngineRuntime,
  EngineSpec,
  EngineStatus,
  PullProgress,
  RunningEngine,
} from './ports/engine-runtime.ts';
export type { CommandResult, GpuProbe, NvidiaSmiRunner } from './ports/gpu-probe.ts';
export type { Term } from './ports/leadership.ts';
export type { PlacementJob, PlacementWorker, StepLog, StepOutcome } from './ports/placement-worker.ts';
