import { describe, expect, it } from 'vitest';
import { parseEngineMetrics } from './engine-metrics.ts';
import { parseMaxModelLen } from './model-list.ts';

const metrics = (running: string, waiting: string): string =>
  [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    '# TYPE vllm:num_requests_running gauge',
    `vllm:num_requests_running{engine="0",model_name="tiny"} ${running}`,
    `vllm:num_requests_waiting{engine="0",model_name="tiny"} ${waiting}`,
    'vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 40.0',
    'vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.0',
    '',
  ].join('\n');
const sleepState = (awake: number, offloaded: number): string =>
  [
    `vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="awake"} ${awake}.0`,
    `vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="weights_offloaded"} ${offloaded}.0`,
    'vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="discard_all"} 0.0',
  ].join('\n');

describe('parseEngineMetrics', () => {
  it('reads running and waiting requests', () => {
    expect(parseEngineMetrics(metrics('4.0', '46.0'))).toEqual({ running: 4, waiting: 46, asleep: null });
  });

  it('sums over the engines behind one API server', () => {
    const two = `${metrics('4.0', '1.0')}\nvllm:num_requests_running{engine="1",model_name="tiny"} 3.0\n`;
    expect(parseEngineMetrics(two)).toMatchObject({ running: 7, waiting: 1 });
  });

  it('tells whether the engine sleeps', () => {
    expect(parseEngineMetrics(metrics('0.0', '0.0') + sleepState(1, 0))).toMatchObject({ asleep: false });
    expect(parseEngineMetrics(metrics('0.0', '0.0') + sleepState(0, 1))).toMatchObject({ asleep: true });
  });

  it.each([
    ['nothing', ''],
    ['one count only', 'vllm:num_requests_running{engine="0"} 0.0'],
    ['a count that is no number', metrics('NaN', '0.0')],
    ['another engine', '# TYPE http_requests_total counter\nhttp_requests_total 4'],
  ])('is unknown, never idle, for %s', (_case, text) => {
    expect(parseEngineMetrics(text)).toBeNull();
  });

  it('reads counts in scientific notation, without labels and with a time', () => {
    expect(parseEngineMetrics('vllm:num_requests_running 1e+03 1795451989000\nvllm:num_requests_waiting 0')).toMatchObject({
      running: 1000,
    });
  });
});

describe('parseMaxModelLen', () => {
  it('reads the context of vLLM', () => {
    const body = '{"object":"list","data":[{"id":"tiny","object":"model","owned_by":"vllm","root":"tiny-llama","max_model_len":512}]}';
    expect(parseMaxModelLen(body)).toBe(512);
  });

  it.each(['{"object":"list","data":[{"id":"x"}]}', '{"data":[{"max_model_len":"512"}]}', '{"detail":"Not Found"}', '[]', '<html>'])(
    'is unknown in %s',
    (body) => {
      expect(parseMaxModelLen(body)).toBeNull();
    },
  );
});
