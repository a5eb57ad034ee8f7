import type { EngineArguments } from './arguments.ts';
import { frameLines } from './core/traceback.ts';
import type { Route } from './http/server.ts';
import type { EngineLog } from './log.ts';
import { supportedTasks } from './serving.ts';
import type { Serving } from './serving.ts';

/** What the API server prints first; the banner says that it is simulated. */
export function printBanner(log: EngineLog, args: EngineArguments): void {
  const banner = [
    '',
    '       █     █     █▄   ▄█',
    ' ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.32.0 (simulated)',
    `  █▄█▀ █     █     █     █  model   ${args.model}`,
    '',
  ];
  for (const line of banner) log.info('api_utils.py:347', line);
  const given = Object.entries({ model_tag: args.model, ...args.given }).map(([key, value]) => `'${key}': ${pythonValue(value)}`);
  log.info('api_utils.py:286', `non-default args: {${given.join(', ')}}`);
}

export function printModelConfig(log: EngineLog, maxModelLen: number): void {
  log.info('model.py:733', 'Resolved architecture: SimulatedForCausalLM');
  log.info('model.py:2152', `Using max model len ${maxModelLen}`);
}

export function printRoutes(log: EngineLog, serving: Serving, routes: readonly Route[]): void {
  const { host, port } = serving.arguments;
  const tasks = supportedTasks(serving.task).map((task) => `'${task}'`);
  log.info('entry.py:136', `Supported tasks: [${tasks.join(', ')}]`);
  if (serving.devMode) {
    log.warning('entry.py:90', 'SECURITY WARNING: Development endpoints are enabled! This should NOT be used in production!');
  }
  log.info('entry.py:140', `Starting vLLM server on http://${host}:${port}`);
  log.info('launcher.py:186', 'Available routes are:');
  for (const route of routes) log.info('launcher.py:195', `Route: ${route.path}, Methods: ${route.method}`);
  log.raw(`INFO:     Started server process [${process.pid}]`);
  log.raw('INFO:     Waiting for application startup.');
}

/** The API server's own last words after a failed start: a wrapper that hides the root cause, dozens of lines below it. */
export function printWrapper(log: EngineLog): void {
  log.prefixed('Traceback (most recent call last):');
  for (const line of [...frameLines(), ...frameLines()]) log.prefixed(line);
  log.prefixed('RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}');
}

function pythonValue(value: string | true): string {
  if (value === true) return 'True';
  return /^\d+(?:\.\d+)?$/.test(value) ? value : `'${value}'`;
}
