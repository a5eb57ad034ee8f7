import { flushCompileCache } from 'node:module';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { printBanner, printModelConfig, printRoutes, printWrapper } from './api-log.ts';
import type { ApiServerSettings } from './api-server-settings.ts';
import type { EngineArguments } from './arguments.ts';
import type { ModelProfile } from './model-profile.ts';
import { findConfigError } from './config-errors.ts';
import { startEngineClient } from './engine-client.ts';
import type { EngineClient } from './engine-client.ts';
import { createEngineServer } from './http/server.ts';
import { createLog } from './log.ts';
import { engineRoutes } from './routes/routes.ts';
import { createServing } from './serving.ts';
import type { Serving } from './serving.ts';
import { superviseServing } from './supervision.ts';

const log = createLog('APIServer');

/**
 * The API server's life: imports, EngineCore, then the port. The port accepts nothing before the engine is up. Ends the process with
 * vLLM's exit codes: 1 for a failed start, 0 for a stop and for every crash after ready.
 */
export async function runApiServer(settings: ApiServerSettings): Promise<void> {
  const { arguments: args, profile, card } = settings;
  printBanner(log, args);
  // SIGTERM has its default action while the imports run.
  await sleep(profile.importMs);
  if (profile.crashAtPhase === 'import') process.exit(profile.crashExitCode);
  const configError = findConfigError(settings);
  if (configError !== undefined) {
    for (const line of configError.split('\n')) log.prefixed(line);
    process.exit(1);
  }
  if (!(await isPortFree(args))) return failOnPort();
  const maxModelLen = args.maxModelLen ?? profile.maxModelLen;
  const client = startEngineClient({ arguments: args, profile, card, maxModelLen });
  const loading = ignoreSigtermWhileLoading(client, profile);
  printModelConfig(log, maxModelLen);
  const facts = await client.ready;
  if (facts === undefined) {
    printWrapper(log);
    process.exit(1);
  }
  if (loading.isStuck()) return;
  await sleep(profile.serverMs);
  if (profile.crashAtPhase === 'server') {
    client.kill();
    process.exit(profile.crashExitCode);
  }
  const { devMode, storesResponses, keepAliveMs } = settings;
  const serving = createServing({ arguments: args, profile, facts, client, devMode, storesResponses, keepAliveMs });
  await serve(serving, loading);
}

async function serve(serving: Serving, loading: LoadingSignals): Promise<void> {
  const { arguments: args, task, devMode } = serving;
  const routes = engineRoutes(task, devMode);
  const server = createEngineServer(serving, routes);
  printRoutes(log, serving, routes);
  superviseServing(serving, server);
  try {
    await server.listen(args.port, args.host);
  } catch {
    serving.client.kill();
    return failOnPort();
  }
  loading.stop();
  log.raw('INFO:     Application startup complete.');
  // A container that is killed never gets to write the cache at exit.
  flushCompileCache();
}

interface LoadingSignals {
  /** SIGTERM came while EngineCore was importing: both wait for each other from then on. */
  isStuck(): boolean;
  stop(): void;
}

/** A SIGTERM while loading is swallowed; only a second one ends the process, as a KeyboardInterrupt (vLLM 0.32.0, measured). */
function ignoreSigtermWhileLoading(client: EngineClient, profile: ModelProfile): LoadingSignals {
  let received = 0;
  let stuck = false;
  const receive = (): void => {
    received += 1;
    stuck ||= client.phase === 'engine-import';
    if (received < 2) return;
    client.kill();
    setTimeout(() => {
      log.prefixed('KeyboardInterrupt: terminated');
      process.exit(130);
    }, profile.exitMs);
  };
  process.on('SIGTERM', receive);
  // A stuck start must not end by itself when its EngineCore is ready and has nothing more to say.
  setInterval(() => undefined, 2 ** 30).unref();
  return { isStuck: () => stuck, stop: () => void process.off('SIGTERM', receive) };
}

/** A listener on the port makes the start fail; a port that is only bound by another loading engine does not. */
async function isPortFree(args: EngineArguments): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(args.port, args.host === '0.0.0.0' || args.host === '::' ? '127.0.0.1' : args.host);
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}

function failOnPort(): never {
  log.prefixed('OSError: [Errno 98] Address already in use');
  process.exit(1);
}
