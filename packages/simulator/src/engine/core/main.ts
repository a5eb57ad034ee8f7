import { flushCompileCache } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../log.ts';
import type { ModelProfile, StartPhase } from '../model-profile.ts';
import { openDevices } from './device-memory.ts';
import { EngineException } from './failures.ts';
import type { CoreReply, CoreRequest, CoreSettings } from './messages.ts';
import { createMemoryKeeper } from './memory-keeper.ts';
import type { MemoryKeeper } from './memory-keeper.ts';
import { startCpuEngine, startGpuEngine } from './start-engine.ts';
import { printTraceback } from './traceback.ts';

/** Program: `VLLM::EngineCore`, the child that holds the GPU. It talks to the API server over the IPC channel of its parent. */
process.title = 'VLLM::EngineCore';
const log = createLog('EngineCore');
let keeper: MemoryKeeper | undefined;
let orphanMs = 1000;
let work: Promise<void> = Promise.resolve();

// Outside a PID namespace EngineCore outlives an API server that was killed, for a while.
process.on('disconnect', () => setTimeout(() => process.exit(1), orphanMs));
process.on('message', (request: CoreRequest) => {
  work = work.then(async () => await handle(request)).catch(die);
});

async function handle(request: CoreRequest): Promise<void> {
  if (request.kind === 'start') return await start(request.settings);
  if (keeper === undefined) return;
  if (request.kind === 'prefill') await keeper.prefill(request.tokens);
  else if (request.kind === 'sleep') await keeper.sleep(request.level);
  else {
    const refusal = await keeper.wake();
    if (refusal !== undefined) return reply({ kind: 'failed', id: request.id, message: refusal });
  }
  reply({ kind: 'done', id: request.id });
}

async function start(settings: CoreSettings): Promise<void> {
  const { arguments: args, profile } = settings;
  ({ orphanMs } = profile);
  const enter = async (phase: StartPhase): Promise<void> => {
    reply({ kind: 'phase', phase });
    if (profile.crashAtPhase === phase) {
      log.error('core.py:1136', `simulated crash at phase ${phase}`);
      process.exit(profile.crashExitCode);
    }
    if (profile.neverReady && phase === 'device') await new Promise(() => setInterval(() => undefined, 2 ** 30));
    await sleep(durationMs(profile, phase));
  };
  await enter('engine-import');
  log.info(
    'core.py:133',
    `Initializing a V1 LLM engine (v0.32.0) with config: model='${args.model}', speculative_config=None, max_seq_len=${settings.maxModelLen}, ` +
      `tensor_parallel_size=${args.tensorParallelSize}, enforce_eager=${args.enforceEager ? 'True' : 'False'}, ` +
      `served_model_name=${args.servedModelNames[0] ?? args.model} (simulated)`,
  );
  const devices = openDevices(settings);
  const context = { settings, devices, log, enter };
  const facts = settings.card === null ? await startCpuEngine(context) : await startGpuEngine(context);
  keeper = createMemoryKeeper({ settings, devices, facts, log });
  reply({ kind: 'ready', facts });
  // Its end is a SIGKILL, so it would never write the cache at exit.
  flushCompileCache();
}

/** Weights and profiling take their time while memory grows, so they are not waited for at the beginning. */
function durationMs(profile: ModelProfile, phase: StartPhase): number {
  const durations: Record<StartPhase, number> = {
    import: 0,
    'engine-import': profile.engineImportMs,
    device: profile.deviceMs,
    weights: 0,
    profile: 0,
    compile: profile.compileMs,
    graphs: profile.captureMs,
    server: 0,
  };
  return durations[phase];
}

function die(error: unknown): never {
  const exception = error instanceof EngineException ? error : new EngineException('RuntimeError', String(error));
  printTraceback(log, keeper === undefined ? 'EngineCore failed to start.' : 'EngineCore encountered a fatal error.', exception);
  process.exit(1);
}

function reply(message: CoreReply): void {
  if (process.connected) process.send?.(message);
}
