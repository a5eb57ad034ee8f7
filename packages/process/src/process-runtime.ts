import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineHandle, EngineRuntime, EngineSpec, EngineStatus, InstallationId } from '@berth/core';
import { asId, formatEngineIdentity, OperationalError, parseEngineIdentity } from '@berth/core';
import type { LaunchedEngine } from './launch.ts';
import { launch } from './launch.ts';
import { isHeldByStranger } from './port-listener.ts';
import type { PortRange } from './port-pool.ts';
import { isPortFree, openPortPool } from './port-pool.ts';
import { readBootId, readProcess } from './process-table.ts';
import { readLogTail } from './read-log-tail.ts';
import { resolveProgram } from './resolve-program.ts';
import type { EngineRecord } from './run-directory.ts';
import { openRunDirectory } from './run-directory.ts';
import { livingMembers, stopSession } from './stop-session.ts';
import { trimLog } from './trim-log.ts';
import { ExitWatch } from './watch-exits.ts';

export interface ProcessRuntimeOptions {
  /** Holds records and logs; several installations may share it. */
  readonly runDirectory: string;
  readonly installationId: InstallationId;
  readonly hostId: string;
  /** Environment that every engine gets under its own; its PATH is where programs are looked for. No secret of Berth belongs here. */
  readonly env: Readonly<Record<string, string>>;
  /** Ports of 127.0.0.1 that engines may get; default 21000 to 21999, below the ports that the kernel gives to clients. */
  readonly portRange?: PortRange;
  /** What runs where a spec names no command; default `vllm serve`. */
  readonly defaultCommand?: readonly string[];
  readonly nowMs?: () => number;
  /** How often exits are looked for; default 500. */
  readonly watchEveryMs?: number;
}

/** A launcher records itself within milliseconds; a machine that swaps may need longer. */
const LAUNCH_DEADLINE_MS = 10_000;
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Runs engines as processes of this machine, each in a session of its own, so that they outlive Berth and are found again by their
 * record: process id, start time and boot id must all match. An engine runs once: starting one that has exited does nothing. The port
 * of a spec is a hint that is not used; each engine gets a free one, told by its URL, and what answers there must be a process of its
 * session. Images and mounts are ignored: paths are this machine's own. A failed start leaves nothing behind.
 */
export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<EngineRuntime> {
  const { installationId, hostId, env, defaultCommand = ['vllm', 'serve'], nowMs = Date.now } = options;
  const directory = await openRunDirectory(options.runDirectory);
  const ports = await openPortPool({
    directory: join(options.runDirectory, 'ports'),
    range: options.portRange ?? { first: 21_000, last: 21_999 },
    nowMs,
    startAt: installationId,
    isOwnerAlive: async (name) => (await directory.readRecord(name)) !== null,
  });
  const ownExits = new Map<string, Promise<number | null>>();
  const watches = new Set<ExitWatch>();
  const inTurn = createTurns();

  const findProgram = (command: readonly string[] | null) => resolveProgram((command ?? defaultCommand)[0] ?? '', env['PATH'] ?? '');

  async function readStatus(record: EngineRecord): Promise<EngineStatus> {
    const urls = { name: null, address: null, loopback: `http://127.0.0.1:${record.port}` };
    const started = await directory.readStarted(record.name);
    if (started === null) return { state: 'created', exitCode: null, startedAtMs: null, urls };
    const process = started.bootId === (await readBootId()) ? await readProcess(started.pid) : null;
    const running = process !== null && !process.ended && process.startTime === started.startTime;
    if (running) return { state: 'running', exitCode: null, startedAtMs: started.startedAtMs, urls };
    const exitCode = (await ownExits.get(record.name)) ?? (await directory.readExitCode(record.name));
    return { state: 'exited', exitCode, startedAtMs: started.startedAtMs, urls };
  }

  /** An engine whose port somebody else answers has no URL: neither a probe nor a request may reach a stranger. */
  async function readReachable(record: EngineRecord): Promise<EngineStatus> {
    const status = await readStatus(record);
    const started = status.state === 'running' ? await directory.readStarted(record.name) : null;
    if (started === null) return status;
    const pids = (await livingMembers(started)).map((member) => member.pid);
    return (await isHeldByStranger(record.port, pids)) ? { ...status, urls: { ...status.urls, loopback: null } } : status;
  }

  async function createRecord(spec: EngineSpec): Promise<void> {
    if ((await directory.readRecord(spec.containerName)) !== null) return;
    const program = await findProgram(spec.command);
    const port = await ports.take(spec.containerName);
    const [, ...rest] = spec.command ?? defaultCommand;
    await directory.writeRecord({
      name: spec.containerName,
      installationId,
      hostId,
      identity: formatEngineIdentity({ ...spec, port }),
      port,
      command: [program.path, ...[...rest, ...spec.args].map((part) => part.replaceAll('{port}', String(port)))],
      env: { ...env, ...spec.env, ...visibleDevices(spec) },
    });
  }

  async function start(record: EngineRecord): Promise<void> {
    if ((await directory.readStarted(record.name)) !== null) return;
    if (!(await isPortFree(record.port))) throw startFailed(record, `port ${record.port} was taken meanwhile`);
    const engine = await launch(record.command, record.env ?? env, directory.filesOf(record.name));
    const exited = engine.exited.then(async (exitCode) => {
      // A launcher that came second, in another process of Berth, says nothing about the engine.
      if ((await directory.readStarted(record.name))?.pid !== engine.pid) return null;
      await directory.writeExitCode(record.name, exitCode);
      for (const watch of watches) watch.report(asId(record.name));
      return exitCode;
    });
    exited.catch(() => {}); // a full disk: `inspectEngine` tells whoever asks
    ownExits.set(record.name, exited);
    await waitUntilRecorded(record, engine);
    await directory.writeRecord({ ...record, env: null });
  }

  async function waitUntilRecorded(record: EngineRecord, engine: LaunchedEngine): Promise<void> {
    const deadline = performance.now() + LAUNCH_DEADLINE_MS;
    const isOver = engine.exited.then(() => true);
    for (;;) {
      const over = await Promise.race([isOver, sleep(10, false)]);
      if ((await directory.readStarted(record.name)) !== null) return;
      if (over) throw startFailed(record, (await readLogTail(directory.filesOf(record.name).log, 3)).join(' ') || 'its launcher ended');
      if (performance.now() > deadline) {
        engine.kill();
        throw startFailed(record, `its launcher wrote no record within ${LAUNCH_DEADLINE_MS} ms`);
      }
    }
  }

  async function remove(name: string): Promise<void> {
    const record = await directory.readRecord(name);
    if (record === null) return;
    const started = await directory.readStarted(name);
    if (started !== null) await stopSession(started, 0);
    await ownExits.get(name); // its exit code is written before the files go
    ownExits.delete(name);
    await ports.release(record.port);
    await directory.removeFiles(name);
  }

  async function listRecords(): Promise<readonly EngineRecord[]> {
    const records = await Promise.all((await directory.listNames()).map((name) => directory.readRecord(name)));
    return records
      .filter((record) => record !== null)
      .filter((record) => record.installationId === installationId && record.hostId === hostId);
  }

  /** Looked at again and again by whoever watches; so logs are kept short here too. */
  async function readStates(): Promise<ReadonlyMap<EngineHandle, boolean>> {
    const states = new Map<EngineHandle, boolean>();
    for (const record of await listRecords()) {
      const { state } = await readStatus(record);
      if (state === 'running') await trimLog(directory.filesOf(record.name).log, LOG_LIMIT_BYTES);
      if (state !== 'created') states.set(asId(record.name), state === 'running');
    }
    return states;
  }

  return {
    kind: 'process',
    resolveImageId: async (_image, command) => (await findProgram(command)).imageId,
    pullImage: async (_image, { onProgress }) => {
      onProgress({ fraction: 1, message: 'a program of this machine needs no image' });
      return (await findProgram(null)).imageId;
    },
    createEngine: (spec) =>
      inTurn(spec.containerName, async () => {
        await createRecord(spec);
        return asId<EngineHandle>(spec.containerName);
      }),
    startEngine: (handle) =>
      inTurn(handle, async () => {
        const record = await directory.readRecord(handle);
        if (record === null) throw startFailed({ name: handle }, 'its record is gone');
        try {
          await start(record);
        } catch (error) {
          await remove(handle);
          throw error;
        }
      }),
    inspectEngine: async (handle) => {
      const record = await directory.readRecord(handle);
      return record === null ? null : readReachable(record);
    },
    stopEngine: (handle, { graceMs }) =>
      inTurn(handle, async () => {
        const started = await directory.readStarted(handle);
        if (started !== null) await stopSession(started, graceMs);
      }),
    removeEngine: (handle) => inTurn(handle, () => remove(handle)),
    listEngines: async () =>
      Promise.all(
        (await listRecords()).map(async (record) => ({
          handle: asId<EngineHandle>(record.name),
          containerName: record.name,
          identity: parseEngineIdentity(record.identity),
          status: await readReachable(record),
        })),
      ),
    processIds: async (handle) => {
      const started = await directory.readStarted(handle);
      return started === null ? [] : (await livingMembers(started)).map((member) => member.pid);
    },
    readLog: (handle, { lines }) => readLogTail(directory.filesOf(handle).log, lines),
    watchExits: async (onExit) => {
      const watch = new ExitWatch({ readStates, onExit, everyMs: options.watchEveryMs ?? 500 });
      await watch.begin();
      watches.add(watch);
      return {
        async [Symbol.asyncDispose]() {
          watches.delete(watch);
          await watch[Symbol.asyncDispose]();
        },
      };
    },
  };
}

function startFailed(engine: { readonly name: string }, why: string): OperationalError {
  return new OperationalError({
    code: 'ENGINE_START_FAILED',
    message: `The engine ${engine.name} could not be started: ${why}.`,
    retryable: true,
    details: { engine: engine.name },
  });
}

/** By UUID; an empty list hides every GPU from CUDA. */
function visibleDevices(spec: EngineSpec): Record<string, string> {
  return spec.gpuUuids === 'all' ? {} : { CUDA_VISIBLE_DEVICES: spec.gpuUuids.join(',') };
}

/** Runs what concerns one engine one after the other: a stop waits for a start that is under way. */
function createTurns(): <Result>(key: string, action: () => Promise<Result>) => Promise<Result> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, action) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(action, action);
    const settled = mine.catch(() => {});
    last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}
