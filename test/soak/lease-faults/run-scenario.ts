import { startRedis } from '@berth/redis/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { EngineHost } from './engine-host.ts';
import { FAULTS } from './faults.ts';
import type { Fault } from './faults.ts';
import type { ProcessSettings } from './settings.ts';
import { addTally, emptyTally } from './tally.ts';
import type { Tally } from './tally.ts';

export interface Scenario {
  readonly name: string;
  /** Injected one after the other, again and again. */
  readonly faults: readonly Fault[];
  readonly durationMs: number;
  readonly pauseMs: number;
  readonly degradedMs: number;
  readonly leaseTtlMs: number;
  /** Drains ask nobody: such a run breaks requests. */
  readonly careless?: boolean;
}

export interface ScenarioResult extends Tally {
  readonly stops: number;
  readonly injected: Readonly<Record<string, number>>;
  /** Requests that were running on an engine when it was stopped: must stay empty. */
  readonly cut: readonly string[];
  /** How each broken request ended at its client. */
  readonly notes: readonly string[];
  /** Processes that ended by themselves: must stay empty. */
  readonly crashes: readonly string[];
}

/** A Redis user that may not listen: the edge with it hears no hint at all. */
const DEAF = { name: 'deaf', password: 'deaf' };

/**
 * Three edges with clients, two orchestrators, four models on two slots, a Redis and an engine host of their own; one edge hears no hints.
 * Injects faults for the given time, lets everything come to rest, and tells what happened.
 */
export async function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  await using opened = new AsyncDisposableStack();
  const redis = opened.use(await startRedis({ args: ['--user', DEAF.name, 'on', `>${DEAF.password}`, '~*', 'resetchannels', '+@all'] }));
  const engines = opened.use(new EngineHost());
  const settings = settingsOf(scenario, redis.url, await engines.listen());
  const deaf = { ...settings, redisUrl: redis.url.replace('redis://', `redis://${DEAF.name}:${DEAF.password}@`) };
  const tally = emptyTally();
  const notes: string[] = [];
  const onMessage = (part: Partial<Tally> & { readonly note?: string }): void => {
    addTally(tally, part);
    if (part.note !== undefined) notes.push(part.note);
  };
  const start = (program: string, own: ProcessSettings): Child => opened.use(new Child(program, own, onMessage));
  const orchestrators = [start('orchestrator-process.ts', settings), start('orchestrator-process.ts', settings)];
  const edges = [start('edge-process.ts', settings), start('edge-process.ts', settings), start('edge-process.ts', deaf)];
  await untilServing(tally);

  const injected: Record<string, number> = {};
  const endsAt = performance.now() + scenario.durationMs;
  for (let turn = 0; performance.now() < endsAt; turn += 1) {
    const fault = scenario.faults[turn % scenario.faults.length];
    if (fault === undefined) break;
    await FAULTS[fault]({ redis, edges, orchestrators, leaseTtlMs: scenario.leaseTtlMs, leaderTtlMs: settings.leader.ttlMs });
    injected[fault] = (injected[fault] ?? 0) + 1;
    await sleep(scenario.pauseMs * (0.5 + Math.random()));
  }
  const served = tally.ok;
  await untilServing(tally, served);
  const crashes = [...edges, ...orchestrators].flatMap(({ crashed }) => (crashed === null ? [] : [crashed]));
  return { ...tally, stops: engines.stops, cut: [...engines.cut], notes, injected, crashes };
}

function settingsOf({ leaseTtlMs, degradedMs, careless = false }: Scenario, redisUrl: string, enginesUrl: string): ProcessSettings {
  return {
    redisUrl,
    enginesUrl,
    hostId: 'faults',
    models: ['a', 'b', 'c', 'd'],
    slots: 2,
    leaseTtlMs,
    leaseRenewMs: Math.round(leaseTtlMs / 6),
    degradedMs,
    leader: { ttlMs: 3000, renewMs: 500, abortAfterMs: 2000 },
    longestMs: 3000,
    clientsPerEdge: 16,
    drainTimeoutMs: 8000,
    careless,
  };
}

/** Requests are answered: at the start, and again after the last fault. */
async function untilServing(tally: Tally, served = 0): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (tally.ok <= served + 20) {
    if (performance.now() > deadline) throw new Error(`no requests were answered for 40 s: ${JSON.stringify(tally)}`);
    await sleep(50);
  }
}
