import { formatDuration } from '@berth/config';
import type { AdminState } from '@berth/contracts';
import { formatTable } from './format-table.ts';

/** What `berth status` prints: problems first, then GPUs, endpoints, placements under way and models in quarantine. */
export function formatState(state: AdminState): string {
  const parts = [
    leaderLine(state),
    ...state.problems.map(({ code, message }) => `PROBLEM ${code}: ${message}`),
    gpuTable(state),
    endpointTable(state),
  ];
  if (state.placements.length > 0) parts.push(placementTable(state));
  // One that ended is remembered for a while, so that the next back-off grows from it; it keeps nobody out.
  const quarantines = state.quarantines.filter(({ untilMs }) => untilMs > state.nowMs);
  if (quarantines.length > 0) parts.push(quarantineTable(quarantines, state.nowMs));
  return parts.join('\n\n');
}

function leaderLine({ leader, edges, nowMs }: AdminState): string {
  const orchestrator =
    leader === null ? 'no orchestrator leads: nothing is placed' : `orchestrator ${leader.id}, leading for ${age(nowMs, leader.sinceMs)}`;
  return `${orchestrator}; ${edges.length} edge${edges.length === 1 ? '' : 's'}`;
}

function gpuTable({ gpus }: AdminState): string {
  if (gpus.length === 0) return 'no GPU';
  const heading = ['GPU', 'product', 'budget MiB', 'endpoints', 'reserved', 'claimed', 'foreign', 'free'];
  const rows = gpus.map((gpu) => [
    `${gpu.index}`,
    gpu.product,
    amount(gpu.budgetMiB),
    amount(gpu.endpointsMiB),
    amount(gpu.reservedMiB),
    amount(gpu.claimedMiB),
    amount(gpu.foreignMiB),
    amount(gpu.freeMiB),
  ]);
  return formatTable([heading, ...rows]);
}

function endpointTable({ endpoints, models, nowMs }: AdminState): string {
  const running = new Set(endpoints.map(({ model }) => model));
  const heading = ['model', 'state', 'MiB', 'in flight', 'waiting', 'last used', 'since'];
  const rows = endpoints.map((endpoint) => [
    endpoint.model,
    stateOf(endpoint),
    endpoint.allocations.map(({ vramMiB }) => amount(vramMiB)).join(' + ') || 'cpu',
    String(endpoint.inFlight),
    String(endpoint.waiters),
    endpoint.lastUsedAtMs === null ? '' : `${age(nowMs, endpoint.lastUsedAtMs)} ago`,
    age(nowMs, endpoint.readyAtMs ?? endpoint.createdAtMs),
  ]);
  const stopped = models.filter(({ name }) => !running.has(name)).map(({ name }) => [name, 'stopped', '', '', '', '', '']);
  return formatTable([heading, ...rows, ...stopped]);
}

function stateOf({ state, phase, reason, discovery }: AdminState['endpoints'][number]): string {
  const more = [phase, discovery ? 'measuring' : null, reason].filter((part) => part !== null);
  return more.length === 0 ? state : `${state} (${more.join(', ')})`;
}

function placementTable({ placements }: AdminState): string {
  const rows = placements.map(({ model, stage, detail, etaMs, reasons }) => [
    model,
    stage,
    etaMs === null ? '' : formatDuration(Math.ceil(etaMs / 1000) * 1000),
    [detail, ...reasons.map(({ code }) => code)].filter((part) => part !== null).join('; '),
  ]);
  return formatTable([['placement', 'stage', 'left', 'why'], ...rows]);
}

function quarantineTable(quarantines: AdminState['quarantines'], nowMs: number): string {
  const rows = quarantines.map(({ model, failures, untilMs, failure }) => [model, String(failures), age(untilMs, nowMs), failure.message]);
  return formatTable([['in quarantine', 'failures', 'for', 'cause'], ...rows]);
}

function amount(mebibytes: number | null): string {
  return mebibytes === null ? 'unknown' : String(Math.round(mebibytes));
}

/** In whole seconds; never negative, since clocks of two machines differ. */
function age(laterMs: number, earlierMs: number): string {
  return formatDuration(Math.max(0, Math.round((laterMs - earlierMs) / 1000)) * 1000);
}
