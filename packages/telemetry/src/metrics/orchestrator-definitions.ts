import type { MetricDefinition } from './metric-set.ts';

/** What an orchestrator tells of itself and its GPU host. What only a leader knows is missing at one that stands by. */
export const ORCHESTRATOR_METRICS = {
  leading: { name: 'berth_leader', help: '1 while this process leads its GPU host, 0 while it stands by' },
  epoch: { name: 'berth_leader_epoch', help: 'Epoch of the term in which this process leads; missing while it stands by' },
  coldStarts: {
    name: 'berth_cold_starts_total',
    help: 'Starts that ended, by outcome ready, failed or cancelled, and by the error code of a failure',
    labels: ['model', 'outcome', 'code'],
  },
  coldStartDuration: {
    name: 'berth_cold_start_duration_seconds',
    help: 'From the reservation of memory to an endpoint that serves',
    labels: ['model'],
  },
  coldStartPhases: {
    name: 'berth_cold_start_phase_seconds_total',
    help: 'Time that starts which became ready spent in each phase; divided by their number it is the mean',
    labels: ['model', 'phase'],
  },
  stops: {
    name: 'berth_endpoint_stops_total',
    help: 'Endpoints whose stop began, by reason: evicted, idle, exited (it crashed), operator, superseded, overBudget, …',
    labels: ['model', 'reason'],
  },
  drainsCalledOff: { name: 'berth_drains_called_off_total', help: 'Drains after which an endpoint served on', labels: ['model'] },
  endpoints: { name: 'berth_endpoints', help: 'Endpoints on record, by state', labels: ['model', 'state'] },
  plans: {
    name: 'berth_plans_total',
    help: 'Plans of placement steps, by kind: serving, joined, apply, wait or refuse',
    labels: ['kind'],
  },
  placements: {
    name: 'berth_placements_total',
    help: 'Placements that ended, by outcome ready, abandoned or failed, and by the error code of a failure',
    labels: ['model', 'outcome', 'code'],
  },
  steps: { name: 'berth_step_duration_seconds', help: 'Duration of one step of the worker, by job: place or tend', labels: ['job'] },
  gpuMemory: {
    name: 'berth_gpu_memory_bytes',
    help: 'Memory of each GPU: kind total, budget, used, free, foreign, endpoints, reserved or claimed; what is unknown is missing',
    labels: ['gpu', 'index', 'kind'],
  },
  readingAge: { name: 'berth_gpu_reading_age_seconds', help: 'Age of the last reading of nvidia-smi; missing before the first' },
  readingFailures: { name: 'berth_gpu_reading_failures_total', help: 'Runs of nvidia-smi that gave no reading' },
} as const satisfies Record<string, MetricDefinition>;
