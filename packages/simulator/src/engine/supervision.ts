import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineServer } from './http/server.ts';
import { createLog } from './log.ts';
import type { Serving } from './serving.ts';

const log = createLog('APIServer');

/** Time between EngineCore's death and the closed port, in which `/health` says 503 (vLLM 0.32.0: about 0.1 s). */
const deadWindowMs = 100;

/** From ready to exit: SIGTERM, the death of EngineCore, and the faults that end an engine. */
export function superviseServing(serving: Serving, server: EngineServer): void {
  const { client, profile } = serving;
  let stopping = false;
  process.on('SIGTERM', () => {
    // uvicorn takes no notice of a second one.
    if (stopping) return;
    stopping = true;
    void stop(serving, server);
  });
  void client.exited.then(async () => {
    if (stopping) return;
    stopping = true;
    await endAfterDeath(serving, server);
  });
  if (profile.crashAfterReadyMs > 0) {
    setTimeout(() => {
      client.kill();
      process.exit(profile.crashExitCode);
    }, profile.crashAfterReadyMs);
  }
}

/**
 * SIGTERM: the engine goes at once (or after `--shutdown-timeout`), but sockets with a request stay open and silent until their clients
 * close them, however long that takes. Then exit code 0.
 */
async function stop(serving: Serving, server: EngineServer): Promise<void> {
  const { shutdownTimeoutMs } = serving.arguments;
  log.info('launcher.py:231', '[shutdown] API server: shutdown triggered');
  if (shutdownTimeoutMs > 0) {
    serving.draining = true;
    const deadlineMs = Date.now() + shutdownTimeoutMs;
    while (serving.admitted > 0 && Date.now() < deadlineMs) await sleep(Math.min(20, shutdownTimeoutMs));
  }
  const seconds = shutdownTimeoutMs / 1000;
  log.info('async_llm.py:301', `[shutdown] API server: stopping engine client mode=abort timeout=${seconds}s`);
  log.info('utils.py:214', '[shutdown] Process manager: send sigterm to process EngineCore');
  log.info('utils.py:229', '[shutdown] Process manager: force killing remaining processes count=1');
  serving.gate.silence();
  serving.client.kill();
  log.raw('INFO:     Shutting down');
  log.raw('INFO:     Waiting for connections to close. (CTRL+C to force quit)');
  await finish(serving, server);
}

async function endAfterDeath(serving: Serving, server: EngineServer): Promise<void> {
  log.error('core_client.py:712', '[shutdown] MPClient: engine core exited unexpectedly; starting cleanup');
  log.error('async_llm.py:714', 'AsyncLLM output_handler failed.');
  log.error(
    'async_llm.py:714',
    'vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.',
  );
  serving.gate.die();
  await sleep(deadWindowMs);
  log.raw('INFO:     Shutting down');
  await finish(serving, server);
}

async function finish(serving: Serving, server: EngineServer): Promise<void> {
  await server.close();
  log.raw('INFO:     Waiting for application shutdown.');
  log.raw('INFO:     Application shutdown complete.');
  log.raw(`INFO:     Finished server process [${process.pid}]`);
  await sleep(serving.profile.exitMs);
  process.exit(0);
}
