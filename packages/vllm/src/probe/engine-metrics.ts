import type { EngineLoad } from '@berth/core';

/** What `/metrics` of vLLM tells of its requests. */
export interface EngineMetrics extends EngineLoad {
  /** A sleeping engine holds requests back without counting them; `null` where it does not tell whether it sleeps. */
  readonly asleep: boolean | null;
}

const SAMPLE = /^(?<name>[A-Za-z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)(?: \d+)?$/u;

/**
 * Running and waiting requests, summed over all engines of one API server (data parallel), and whether any of them sleeps. `null`
 * when either count is missing or is no number: unknown, never idle (vLLM 0.32.0, measured; the sleep state came with 0.3x).
 */
export function parseEngineMetrics(text: string): EngineMetrics | null {
  const samples = text.split('\n').flatMap((line) => {
    const { name, labels = '', value } = SAMPLE.exec(line.trimEnd())?.groups ?? {};
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
  const sum = (name: string): number | null => {
    const found = samples.filter((sample) => sample.name === name);
    const total = found.reduce((soFar, { value }) => soFar + value, 0);
    return found.length === 0 || !Number.isFinite(total) ? null : total;
  };
  const running = sum('vllm:num_requests_running');
  const waiting = sum('vllm:num_requests_waiting');
  if (running === null || waiting === null) return null;
  const states = samples.filter(({ name }) => name === 'vllm:engine_sleep_state');
  const asleep = states.some(({ labels, value }) => value === 1 && !labels.includes('sleep_state="awake"'));
  return { running, waiting, asleep: states.length === 0 ? null : asleep };
}
