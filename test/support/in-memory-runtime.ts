import type { EngineHandle, EngineRuntime, EngineSpec, EngineStatus, InstallationId } from '@berth/core';
import { asId, OperationalError, parseEngineIdentity, formatEngineIdentity } from '@berth/core';

/** What a program of the in-memory runtime can see and do. */
export interface InMemoryProcess {
  readonly spec: EngineSpec;
  readonly log: (line: string) => void;
  readonly exit: (code: number) => void;
  /** Replaces the reaction to SIGTERM, which is to exit with 0. */
  readonly onTerminate: (react: () => void) => void;
}

/** Runs when an engine is started. */
export type InMemoryProgram = (process: InMemoryProcess) => void;

interface InMemoryEngine {
  readonly spec: EngineSpec;
  readonly identity: string;
  readonly log: string[];
  readonly pids: readonly number[];
  state: EngineStatus['state'];
  exitCode: number | null;
  startedAtMs: number | null;
  terminate: () => void;
}

/** What outlives a restart of Berth: hand the same value to two runtimes to restart one. */
export interface InMemoryHost {
  readonly engines: Map<string, InMemoryEngine>;
  readonly watchers: Set<(handle: EngineHandle) => void>;
  /** Images that are there: reference to id. */
  readonly images: Map<string, string>;
  /** Images that a pull finds. */
  readonly registry: Map<string, string>;
  /** Thrown, once each, by the next call of that operation. */
  readonly failures: { readonly operation: keyof EngineRuntime; readonly error: OperationalError }[];
}

/** An empty host. */
export function createInMemoryHost(): InMemoryHost {
  return { engines: new Map(), watchers: new Set(), images: new Map(), registry: new Map(), failures: [] };
}

export interface InMemoryRuntimeOptions {
  readonly host: InMemoryHost;
  readonly installationId: InstallationId;
  readonly hostId: string;
  /** Default: runs until it is stopped. */
  readonly program?: InMemoryProgram;
  /** Default: no URL at all. */
  readonly urlOf?: (spec: EngineSpec) => string | null;
  readonly nowMs?: () => number;
}

let lastPid = 4_000_000; // above any real process id, so that nothing real is ever signalled by mistake

/** The port without a Docker engine or processes, for tests of what stands above it. Passes the port's conformance suite. */
export function createInMemoryRuntime(options: InMemoryRuntimeOptions): EngineRuntime {
  const { host, installationId, hostId, program = () => {}, urlOf = () => null, nowMs = Date.now } = options;

  function failIfTold(operation: keyof EngineRuntime): void {
    const index = host.failures.findIndex((failure) => failure.operation === operation);
    const [failure] = index === -1 ? [] : host.failures.splice(index, 1);
    if (failure !== undefined) throw failure.error;
  }

  function end(handle: EngineHandle, exitCode: number): void {
    const engine = host.engines.get(handle);
    if (engine?.state !== 'running') return;
    engine.state = 'exited';
    engine.exitCode = exitCode;
    for (const watcher of host.watchers) watcher(handle);
  }

  function statusOf(engine: InMemoryEngine): EngineStatus {
    const address = urlOf(engine.spec);
    return {
      state: engine.state,
      exitCode: engine.exitCode,
      startedAtMs: engine.startedAtMs,
      urls: { name: null, address, loopback: null },
    };
  }

  return {
    kind: 'docker',
    async resolveImageId(image) {
      failIfTold('resolveImageId');
      return host.images.get(image) ?? null;
    },
    async pullImage(image, { onProgress, signal }) {
      failIfTold('pullImage');
      signal.throwIfAborted();
      const id = host.images.get(image) ?? host.registry.get(image);
      if (id === undefined) throw imageMissing(image);
      onProgress({ fraction: 1, message: 'pulled' });
      host.images.set(image, id);
      return id;
    },
    async createEngine(spec) {
      failIfTold('createEngine');
      const handle = asId<EngineHandle>(spec.containerName);
      if (host.engines.has(handle)) return handle;
      if (!host.images.has(spec.image)) throw imageMissing(spec.image);
      const fill = (part: string) => part.replaceAll('{port}', String(spec.port));
      host.engines.set(handle, {
        spec: { ...spec, args: spec.args.map(fill), command: spec.command?.map(fill) ?? null },
        identity: formatEngineIdentity(spec),
        log: [],
        pids: [(lastPid += 1), (lastPid += 1)],
        state: 'created',
        exitCode: null,
        startedAtMs: null,
        terminate: () => {},
      });
      return handle;
    },
    async startEngine(handle) {
      try {
        failIfTold('startEngine');
      } catch (error) {
        host.engines.delete(handle);
        throw error;
      }
      const engine = host.engines.get(handle);
      if (engine === undefined) {
        throw new OperationalError({ code: 'ENGINE_START_FAILED', message: `There is no engine ${handle}.`, retryable: true });
      }
      if (engine.state !== 'created') return;
      engine.state = 'running';
      engine.startedAtMs = nowMs();
      engine.terminate = () => {
        end(handle, 0);
      };
      program({
        spec: engine.spec,
        log: (line) => engine.log.push(line),
        exit: (code) => {
          end(handle, code);
        },
        onTerminate: (react) => {
          engine.terminate = react;
        },
      });
    },
    async inspectEngine(handle) {
      failIfTold('inspectEngine');
      const engine = host.engines.get(handle);
      return engine === undefined ? null : statusOf(engine);
    },
    async stopEngine(handle, { graceMs }) {
      failIfTold('stopEngine');
      const engine = host.engines.get(handle);
      if (engine?.state !== 'running') return;
      if (graceMs > 0) engine.terminate();
      end(handle, 137); // whatever ignored SIGTERM; the grace passes at once
    },
    async removeEngine(handle) {
      failIfTold('removeEngine');
      end(handle, 137);
      host.engines.delete(handle);
    },
    async listEngines() {
      failIfTold('listEngines');
      return [...host.engines]
        .map(([name, engine]) => ({
          handle: asId<EngineHandle>(name),
          containerName: name,
          identity: parseEngineIdentity(engine.identity),
          status: statusOf(engine),
        }))
        .filter(({ identity }) => identity?.installationId === installationId && identity.hostId === hostId);
    },
    async processIds(handle) {
      failIfTold('processIds');
      const engine = host.engines.get(handle);
      return engine?.state === 'running' ? engine.pids : [];
    },
    async readLog(handle, { lines }) {
      failIfTold('readLog');
      return lines <= 0 ? [] : (host.engines.get(handle)?.log.slice(-lines) ?? []);
    },
    async watchExits(onExit) {
      const watcher = (handle: EngineHandle) => {
        const spec = host.engines.get(handle)?.spec;
        if (spec?.installationId === installationId && spec.hostId === hostId) onExit(handle);
      };
      host.watchers.add(watcher);
      return {
        async [Symbol.asyncDispose]() {
          host.watchers.delete(watcher);
        },
      };
    },
  };
}

function imageMissing(image: string): OperationalError {
  return new OperationalError({ code: 'IMAGE_MISSING', message: `There is no image ${image}. Put it into the host.`, retryable: false });
}
