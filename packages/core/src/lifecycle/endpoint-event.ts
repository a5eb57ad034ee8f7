import type { FailureShape } from '../errors.ts';
import type { EngineHandle, ModelName } from '../ids.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import type {
  DrainingEndpoint,
  Endpoint,
  EndpointUrls,
  GoneEndpoint,
  ReadyEndpoint,
  RetireReason,
  StartingEndpoint,
  StoppingEndpoint,
} from './endpoint.ts';

/** What can happen to an endpoint, and what each event tells. Past tense: it has happened, or is written in the same breath. */
export interface EndpointEvents {
  /** The runtime created its engine. */
  'engine-created': { readonly handle: EngineHandle };
  /** `usedBefore`: used memory of its GPUs just before, where it was read. */
  'engine-started': { readonly atMs: number; readonly usedBefore?: readonly GpuAllocation[] };
  /** The engine's log reached another phase of the load. */
  'phase-seen': { readonly phase: string };
  /** Health, a real request and the measurement succeeded. `allocations` replace the reservation. */
  'ready-proved': {
    readonly urls: EndpointUrls;
    readonly atMs: number;
    readonly loadMs: number;
    readonly processIds: readonly number[];
    readonly measured: readonly GpuAllocation[];
    readonly allocations: readonly GpuAllocation[];
    readonly maxModelLen: number | null;
  };
  'drain-begun': { readonly reason: RetireReason; readonly claimedBy: ModelName | null; readonly atMs: number };
  'drain-called-off': { readonly sparedUntilMs: number | null };
  /** Its memory was measured again; `allocations` is what the ledger charges from now on. */
  remeasured: { readonly measured: readonly GpuAllocation[]; readonly allocations: readonly GpuAllocation[] };
  'stop-begun': {
    readonly reason: RetireReason;
    readonly atMs: number;
    readonly kill: boolean;
    readonly failure: FailureShape | null;
    /** An operator's force or deadline: without the check for leases. Implied from `ready`. */
    readonly forced?: boolean;
  };
  /** None of its processes is left. */
  'exit-seen': { readonly atMs: number };
  /** The driver shows its memory free, or what is left of it counts as foreign from now on. */
  'memory-released': object;
}

export type EndpointEventKind = keyof EndpointEvents;

/** An event of the given kind; any event without one. */
export type EndpointEvent<Kind extends EndpointEventKind = EndpointEventKind> = {
  [Each in Kind]: { readonly kind: Each } & EndpointEvents[Each];
}[Kind];

/** What an endpoint is once an event of a kind was accepted. */
export interface EndpointAfter {
  'engine-created': StartingEndpoint;
  'engine-started': StartingEndpoint;
  'phase-seen': StartingEndpoint;
  'ready-proved': ReadyEndpoint;
  'drain-begun': DrainingEndpoint;
  'drain-called-off': ReadyEndpoint;
  remeasured: ReadyEndpoint | DrainingEndpoint;
  'stop-begun': StoppingEndpoint;
  'exit-seen': StoppingEndpoint;
  'memory-released': GoneEndpoint;
}

/** One change of state, for the log and for whoever listens. */
export interface StateChange {
  readonly generation: Endpoint['generation'];
  readonly model: ModelName;
  readonly event: EndpointEventKind;
  readonly from: Endpoint['state'];
  readonly to: Endpoint['state'] | 'gone';
  /** Why it is being retired; `null` where the event says all. */
  readonly reason: RetireReason | null;
}
