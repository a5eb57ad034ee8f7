import type { EngineLog } from '../log.ts';
import type { EngineException } from './failures.ts';

const frames = [
  [
    '/usr/local/lib/python3.12/dist-packages/vllm/v1/engine/core.py',
    1092,
    'run_engine_core',
    'engine_core = EngineCoreProc(*args, **kwargs)',
  ],
  ['/usr/local/lib/python3.12/dist-packages/vllm/v1/engine/core.py', 871, '__init__', 'super().__init__('],
  ['/usr/local/lib/python3.12/dist-packages/vllm/v1/engine/core.py', 141, '__init__', 'self._initialize_kv_caches(vllm_config)'],
  ['/usr/local/lib/python3.12/dist-packages/vllm/v1/executor/abstract.py', 117, 'collective_rpc', 'return run_method(self.driver_worker)'],
  ['/usr/local/lib/python3.12/dist-packages/vllm/v1/worker/worker_base.py', 326, 'execute_method', 'return func(*args, **kwargs)'],
] as const;

/**
 * Prints an exception the way EngineCore does: once through the logger and once by multiprocessing. The API server's own traceback
 * follows, so the root cause stands dozens of lines above the last one.
 */
export function printTraceback(log: EngineLog, headline: string, exception: EngineException): void {
  const lines = ['Traceback (most recent call last):', ...frameLines(), `${exception.pythonType}: ${exception.message}`];
  log.error('core.py:1136', headline);
  for (const line of lines) log.error('core.py:1136', line);
  log.prefixed('Process EngineCore:');
  for (const line of lines) log.prefixed(line);
}

/** The frames alone, for a traceback of another process. */
export function frameLines(): string[] {
  return frames.flatMap(([file, line, name, code]) => [
    `  File "${file}", line ${line}, in ${name}`,
    `    ${code}`,
    `    ${'^'.repeat(code.length)}`,
  ]);
}
