import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { formatProblems, loadCatalog } from '@berth/config';
import { readCommandSettings, urlOf } from '../environment.ts';
import type { CommandSettings } from '../environment.ts';
import { requireFreePort } from '../free-port.ts';
import { ensureRedisProgram } from '../install/redis-program.ts';
import { startPrivateRedis } from '../redis-server/private-redis.ts';
import { aborted, listenForStop } from '../stop-requests.ts';
import { createLogFormatter } from '../terminal/format-log-line.ts';
import { announce } from '../up/announce.ts';
import { chooseMode } from '../up/choose-mode.ts';
import type { Mode } from '../up/choose-mode.ts';
import { followFile } from '../up/follow-file.ts';
import { readMachine } from '../up/machine.ts';
import { takeRunRecord } from '../up/run-record.ts';
import type { RunRecord } from '../up/run-record.ts';
import { writeStarterCatalog } from '../up/starter-catalog.ts';
import { stopLeftovers } from '../up/stop-leftovers.ts';
import { superviseService } from '../up/supervise-service.ts';
import type { SupervisedService } from '../up/supervise-service.ts';
import type { CommandContext } from './command.ts';

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
const simulatedCatalog = fileURLToPath(new URL('../../../../examples/simulated.yaml', import.meta.url));

/** For requests in flight, at the first signal. */
const requestGraceMs = 10_000;
/** Then for endpoints, which get SIGTERM and a while to exit. */
const endpointGraceMs = 15_000;

/**
 * `berth up`: everything on this machine, in three processes of their own (Redis, orchestrator, edge), until a signal. Each is started again when it ends
 * unasked. At the end: no new requests, 10 s for those in flight, endpoints stopped, Redis stopped; a second signal stops at once.
 */
export async function up({ args, env, cwd, print, complain }: CommandContext): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  using stop = listenForStop(process, Date.now);
  const settings = readCommandSettings(env, cwd);
  const say = (line: string): void => print(`berth: ${line}`);
  mkdirSync(join(settings.stateDirectory, 'logs'), { recursive: true });
  using record = await takeRunRecord(join(settings.stateDirectory, 'run', 'up.json'));
  await requireFreePort(settings);
  const { mode, catalogPath } = await chooseCatalog(settings);
  const catalog = loadCatalog({ path: catalogPath, home: settings.home });
  if (catalog.warnings.length > 0) complain(formatProblems(catalogPath, catalog.warnings));
  say(mode.why);
  if (stop.graceful.aborted) return 0;

  await using redis = await provideRedis(settings, { env, say });
  // A key that opens the admin API is for those who ask it something.
  const { BERTH_ADMIN_KEY: _adminKey, ...inherited } = env;
  const childEnv = {
    // Engines that are processes of this machine have no address but 127.0.0.1, and Docker on a Mac has none that the Mac can reach.
    BERTH_REACH: catalog.host.runtime === 'process' || process.platform === 'darwin' ? 'loopback' : 'address',
    // Nobody but the orchestrator's own health check needs to know it.
    BERTH_ORCHESTRATOR_PORT: '0',
    ...inherited,
    BERTH_CONFIG: catalogPath,
    BERTH_REDIS_URL: redis.url,
    BERTH_HOST: settings.host,
    BERTH_PORT: String(settings.port),
  };
  using logs = new DisposableStack();
  const start = (name: 'orchestrator' | 'edge'): SupervisedService => {
    const logFile = join(settings.stateDirectory, 'logs', `${name}.log`);
    const format = createLogFormatter(name);
    logs.use(followFile(logFile, (line) => printUnlessNull(format(line), print)));
    return superviseService(serviceOf(name, { logFile, env: childEnv, record, say }));
  };
  const services = [start('orchestrator'), start('edge')] as const;
  try {
    const outcome = await Promise.race([
      Promise.all(services.map(async ({ ready }) => ready)).then(() => 'ready' as const),
      aborted(stop.graceful).then(() => 'stopped' as const),
    ]);
    if (outcome === 'ready') {
      print(announce({ url: urlOf(settings), catalog, why: mode.why }));
      await Promise.race([aborted(stop.graceful), redis.ended]);
      if (!stop.graceful.aborted) complain('berth: Redis ended unasked; Berth stops. Its log is .berth/redis/redis.log');
    }
    return stop.graceful.aborted ? 0 : 1;
  } finally {
    await stopServices(services, stop.atOnce, say);
    await stopLeftovers(childEnv, { graceMs: stop.atOnce.aborted ? 0 : endpointGraceMs, complain });
    say('stopped');
  }
}

async function chooseCatalog(settings: CommandSettings): Promise<{ readonly mode: Mode; readonly catalogPath: string }> {
  const { catalogPath, configIsSet, dockerHost } = settings;
  const machine = await readMachine({ dockerHost });
  const mode = chooseMode({ catalogPath, catalogExists: existsSync(catalogPath), configIsSet, machine });
  if (mode.kind === 'starter') writeStarterCatalog(catalogPath);
  return { mode, catalogPath: mode.kind === 'simulated' ? simulatedCatalog : catalogPath };
}

interface UsedRedis extends AsyncDisposable {
  readonly url: string;
  readonly ended: Promise<void>;
}

/** The operator's own, which is left alone, or a private one. */
async function provideRedis(
  { redisUrl, stateDirectory }: CommandSettings,
  options: { readonly env: NodeJS.ProcessEnv; readonly say: (line: string) => void },
): Promise<UsedRedis> {
  if (redisUrl !== null) return { url: redisUrl.reveal(), ended: new Promise(() => {}), [Symbol.asyncDispose]: async () => {} };
  const redisProgram = await ensureRedisProgram(options);
  options.say(`starting Redis (${redisProgram.kind === 'program' ? redisProgram.path : redisProgram.image}), data in .berth/redis`);
  return startPrivateRedis({ directory: join(stateDirectory, 'redis'), program: redisProgram, env: options.env });
}

function serviceOf(
  name: string,
  options: { readonly logFile: string; readonly env: NodeJS.ProcessEnv; readonly record: RunRecord; readonly say: (line: string) => void },
) {
  const { logFile, env, record, say } = options;
  return {
    name,
    args: [program, name],
    env,
    logFile,
    onStarted: (identity: Parameters<RunRecord['note']>[1]) => record.note(name, identity),
    onRestart: (how: string, afterMs: number) => say(`the ${name} ${how}; starting it again in ${afterMs / 1000} s (see ${logFile})`),
  };
}

function printUnlessNull(text: string | null, print: (line: string) => void): void {
  if (text !== null) print(text);
}

/** The edge first, since it holds the requests; then the orchestrator with the endpoints. */
async function stopServices(
  [orchestrator, edge]: readonly [SupervisedService, SupervisedService],
  atOnce: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  say(`stopping: no new requests, ${requestGraceMs / 1000} s for those in flight (Ctrl-C again: at once)`);
  await sooner(edge.stop({ endpoints: false, graceMs: requestGraceMs }), atOnce, async () => edge.stop({ endpoints: false, graceMs: 0 }));
  const graceMs = atOnce.aborted ? 0 : endpointGraceMs;
  await sooner(orchestrator.stop({ endpoints: true, graceMs }), atOnce, async () => orchestrator.stop({ endpoints: true, graceMs: 0 }));
}

async function sooner(work: Promise<void>, atOnce: AbortSignal, hurry: () => Promise<void>): Promise<void> {
  await Promise.race([work, aborted(atOnce).then(hurry)]);
}
