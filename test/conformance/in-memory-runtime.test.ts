import { FAKE_ENGINE_LINES, parseFakeEngineArguments } from '../support/fake-engine.ts';
import type { InMemoryProcess } from '../support/in-memory-runtime.ts';
import { createInMemoryHost, createInMemoryRuntime } from '../support/in-memory-runtime.ts';
import { describeEngineRuntime } from './engine-runtime-suite.ts';

function fakeEngine({ spec, log, exit, onTerminate }: InMemoryProcess): void {
  const engine = parseFakeEngineArguments(spec.args);
  for (let number = 1; number <= engine.lines; number += 1) log(FAKE_ENGINE_LINES.line(number));
  log(FAKE_ENGINE_LINES.marker(spec.env['FAKE_ENGINE_MARKER']));
  onTerminate(() => {
    log(FAKE_ENGINE_LINES.terminated);
    if (engine.onSigterm === 'exit') exit(0);
  });
  log(FAKE_ENGINE_LINES.listening(engine.port));
  if (engine.exitCode !== null) exit(engine.exitCode);
}

describeEngineRuntime('in memory', async () => {
  const host = createInMemoryHost();
  host.images.set('fake:1', 'sha256:fake');
  const living = () => [...host.engines.values()].filter((engine) => engine.state === 'running').flatMap((engine) => engine.pids);
  let addresses = 0;
  const known = new Map<string, string>();
  return {
    open: async (installationId, hostId) =>
      createInMemoryRuntime({
        host,
        installationId,
        hostId,
        program: fakeEngine,
        urlOf: (spec) => {
          const url = known.get(spec.containerName) ?? `http://10.0.0.${(addresses += 1)}:${spec.port}`;
          known.set(spec.containerName, url);
          return url;
        },
      }),
    program: { image: 'fake:1', command: null },
    missingProgram: { image: 'missing:1', command: null },
    isServing: async (status) => status.state === 'running',
    isAlive: (pid) => living().includes(pid),
    keepsPort: true,
    async [Symbol.asyncDispose]() {},
  };
});
