import type { EngineArguments } from './arguments.ts';
import type { EngineFacts } from './core/messages.ts';
import type { Scheduler } from './scheduler.ts';

export type FinishReason = 'stop' | 'length' | 'abort' | 'error' | 'repetition';

/** Counters of the API server, rendered as vLLM 0.32.0 names and labels them. */
export interface EngineMetrics {
  countFinished(reason: FinishReason, promptTokens: number, generatedTokens: number): void;
  countRejected(): void;
  countHttp(handler: string, method: string, status: number): void;
  render(sleepState: 'awake' | 'weights_offloaded' | 'discard_all'): string;
}

const uncounted = new Set(['/metrics', '/health', '/version', '/ping', '/load']);

export function createMetrics(args: EngineArguments, facts: EngineFacts, scheduler: Scheduler): EngineMetrics {
  const model = args.servedModelNames[0] ?? args.model;
  const labels = `engine="0",model_name="${model}"`;
  const finished: Record<FinishReason, number> = { stop: 0, length: 0, abort: 0, error: 0, repetition: 0 };
  const http = new Map<string, number>();
  let rejected = 0;
  let promptTotal = 0;
  let generatedTotal = 0;
  return {
    countFinished: (reason, promptTokens, generatedTokens) => {
      finished[reason] += 1;
      promptTotal += promptTokens;
      generatedTotal += generatedTokens;
    },
    countRejected: () => (rejected += 1),
    countHttp: (handler, method, status) => {
      if (uncounted.has(handler)) return;
      const key = `handler="${handler}",method="${method}",status="${Math.floor(status / 100)}xx"`;
      http.set(key, (http.get(key) ?? 0) + 1);
    },
    render: (sleepState) => {
      const cache = {
        block_size: '16',
        gpu_memory_utilization: String(args.gpuMemoryUtilization),
        kv_cache_memory_bytes: args.kvCacheMemoryBytes === undefined ? 'None' : String(args.kvCacheMemoryBytes),
        kv_cache_size_tokens: String(facts.kvCacheTokens),
        kv_cache_max_concurrency: String(facts.kvCacheTokens / facts.maxModelLen),
        num_gpu_blocks: String(facts.blocks),
      };
      const cacheLabels = Object.entries(cache).map(([key, value]) => `${key}="${value}"`);
      const usage = Math.min(1, scheduler.running / Math.max(1, args.maxNumSeqs));
      return [
        ...gauge('vllm:num_requests_running', 'Number of requests in model execution batches.', `{${labels}} ${float(scheduler.running)}`),
        ...gauge('vllm:num_requests_waiting', 'Number of requests waiting to be processed.', `{${labels}} ${float(scheduler.waiting)}`),
        ...gauge(
          'vllm:num_requests_waiting_by_reason',
          'Number of waiting requests by reason.',
          `{${labels},reason="capacity"} ${float(scheduler.waiting)}`,
          `{${labels},reason="deferred"} 0.0`,
        ),
        ...gauge(
          'vllm:engine_sleep_state',
          'Engine sleep state.',
          ...['awake', 'weights_offloaded', 'discard_all'].map(
            (state) => `{${labels},sleep_state="${state}"} ${state === sleepState ? '1.0' : '0.0'}`,
          ),
        ),
        ...gauge('vllm:kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', `{${labels}} ${float(usage)}`),
        ...gauge('vllm:cache_config_info', 'Information of the LLMEngine CacheConfig', `{${cacheLabels.join(',')},engine="0"} 1.0`),
        ...counter(
          'vllm:admission_rejections',
          'Requests rejected at admission.',
          `{model_name="${model}",reason="max_num_queued_reqs"} ${float(rejected)}`,
        ),
        ...counter('vllm:prompt_tokens', 'Number of prefill tokens processed.', `{${labels}} ${float(promptTotal)}`),
        ...counter('vllm:generation_tokens', 'Number of generation tokens processed.', `{${labels}} ${float(generatedTotal)}`),
        ...counter(
          'vllm:request_success',
          'Count of successfully processed requests.',
          ...Object.entries(finished).map(
            ([reason, count]) => `{engine="0",finished_reason="${reason}",model_name="${model}"} ${float(count)}`,
          ),
        ),
        ...counter(
          'http_requests',
          'Total number of requests by method, status and handler.',
          ...[...http].map(([key, count]) => `{${key}} ${float(count)}`),
        ),
        '',
      ].join('\n');
    },
  };
}

function gauge(name: string, help: string, ...samples: string[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...samples.map((sample) => name + sample)];
}

function counter(name: string, help: string, ...samples: string[]): string[] {
  return [`# HELP ${name}_total ${help}`, `# TYPE ${name}_total counter`, ...samples.map((sample) => `${name}_total${sample}`)];
}

/** Prometheus numbers as Python prints floats. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
