import type { EngineArguments } from './arguments.ts';
import type { EngineFacts } from './core/messages.ts';
import type { EngineClient } from './engine-client.ts';
import { createGate } from './gate.ts';
import type { Gate } from './gate.ts';
import { createMetrics } from './metrics.ts';
import type { EngineMetrics } from './metrics.ts';
import type { ModelProfile, ModelTask } from './model-profile.ts';
import { createScheduler } from './scheduler.ts';
import { createResponseStore } from './response-store.ts';
import type { ResponseStore } from './response-store.ts';
import type { Scheduler } from './scheduler.ts';

/** A model that is up and answers: everything that a route needs. */
export interface Serving {
  readonly arguments: EngineArguments;
  readonly profile: ModelProfile;
  readonly facts: EngineFacts;
  readonly client: EngineClient;
  readonly gate: Gate;
  readonly scheduler: Scheduler;
  readonly metrics: EngineMetrics;
  readonly task: ModelTask;
  readonly devMode: boolean;
  /** `null` without `VLLM_ENABLE_RESPONSES_API_STORE=1`. */
  readonly responses: ResponseStore | null;
  /** Idle connections are closed after exactly this time. */
  readonly keepAliveMs: number;
  /** The first served name: answers carry it whatever name was asked for. */
  readonly modelName: string;
  /** Requests admitted and not finished, for `--max-num-queued-reqs` and `/load`. */
  admitted: number;
  /** Requests that began so far, for the fault `hangAfterRequests`. */
  begun: number;
  /** Draining under `--shutdown-timeout`: no new request is scheduled. */
  draining: boolean;
  sleep: { level: number; awake: Promise<void>; wake: () => void } | undefined;
}

export function createServing(parts: {
  arguments: EngineArguments;
  profile: ModelProfile;
  facts: EngineFacts;
  client: EngineClient;
  devMode: boolean;
  storesResponses: boolean;
  keepAliveMs: number;
}): Serving {
  const gate = createGate();
  const scheduler = createScheduler(parts.arguments.maxNumSeqs, gate);
  return {
    ...parts,
    responses: parts.storesResponses ? createResponseStore() : null,
    gate,
    scheduler,
    metrics: createMetrics(parts.arguments, parts.facts, scheduler),
    task: servedTask(parts.arguments, parts.profile),
    modelName: parts.arguments.servedModelNames[0] ?? parts.arguments.model,
    admitted: 0,
    begun: 0,
    draining: false,
    sleep: undefined,
  };
}

/** `--runner pooling` turns a generating model into an embedding one; `--runner generate` the other way round. */
export function servedTask(args: EngineArguments, profile: ModelProfile): ModelTask {
  if (args.runner === 'pooling' && profile.task === 'generate') return 'embed';
  if (args.runner === 'generate') return 'generate';
  return profile.task;
}

/** As the log line `Supported tasks: […]` names them. */
export function supportedTasks(task: ModelTask): string[] {
  const tasks: Record<ModelTask, string[]> = {
    generate: ['generate'],
    embed: ['token_embed', 'embed'],
    score: ['score'],
    classify: ['token_classify', 'classify'],
    transcription: ['transcription'],
  };
  return tasks[task];
}
