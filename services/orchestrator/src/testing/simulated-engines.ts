import type { EngineClient, EngineSpec, GpuProbe, GpuProcess, HostReading, ModelName } from '@berth/core';
import { asId, OperationalError } from '@berth/core';
import { createInMemoryHost, type InMemoryHost, type InMemoryProcess } from '../../../../test/support/in-memory-runtime.ts';

const MIB = 1024 * 1024;

/** How the engines of one model behave. Every field may change between two starts. */
export interface EngineBehaviour {
  loadMs?: number;
  /** Besides its KV cache. */
  weightsMiB?: number;
  /** Taken by its first full prefill. */
  prefillMiB?: number;
  /** Lines that a start writes before it exits with 1; `null`: it starts. */
  failWith?: (spec: EngineSpec) => readonly string[] | null;
  /** Answers `/health` with this instead. */
  healthy?: boolean;
}

export interface CardUnderTest {
  readonly totalMiB: number;
}

/** Cards and engines in memory: what a runtime starts holds memory, and a probe and a client see what they would see on a real host. */
export class SimulatedEngines {
  readonly host: InMemoryHost = createInMemoryHost();
  readonly behaviours = new Map<ModelName, EngineBehaviour>();
  /** Every start that was made, in order. */
  readonly starts: { readonly model: ModelName; readonly spec: EngineSpec }[] = [];
  /** Memory on GPU 0 that nobody of ours holds. */
  foreignMiB = 0;
  /** Memory that stays in use when an engine is gone, with no process listed. */
  leakMiB = 0;
  readsFail = false;
  listsProcesses = true;
  /** Requests that engines say they run, by model. */
  readonly running = new Map<ModelName, number>();
  readonly #cards: readonly CardUnderTest[];
  readonly #usedMiB = new Map<string, number>();
  readonly #loaded = new Set<string>();
  readonly #now: () => number;

  constructor(cards: readonly CardUnderTest[], now: () => number) {
    this.#cards = cards;
    this.#now = now;
  }

  readonly program = (process: InMemoryProcess): void => {
    const { spec } = process;
    this.starts.push({ model: spec.model, spec });
    const { loadMs = 20, weightsMiB = 1_000, failWith } = this.#behaviourOf(spec.model);
    this.#usedMiB.set(spec.containerName, weightsMiB);
    setTimeout(() => {
      const lines = failWith?.(spec) ?? null;
      if (lines !== null) {
        for (const line of lines) process.log(line);
        process.exit(1);
        return;
      }
      process.log("(APIServer pid=1) INFO 09-22 01:20:36 [entry.py:136] Supported tasks: ['generate']");
      this.#usedMiB.set(spec.containerName, weightsMiB + (spec.kvCacheBytes ?? 0) / MIB);
      this.#loaded.add(spec.containerName);
    }, loadMs);
  };

  /** MiB that the engine of a container holds on each of its GPUs. */
  hold(containerName: string, vramMiB: number): void {
    this.#usedMiB.set(containerName, vramMiB);
  }

  urlOf = (spec: EngineSpec): string => `http://${spec.containerName}`;

  readonly probe: GpuProbe = {
    readHost: async (): Promise<HostReading> => {
      if (this.readsFail) throw new OperationalError({ code: 'GPU_PROBE_FAILED', message: 'nvidia-smi: no answer', retryable: true });
      const processes = this.#processes();
      return {
        atMs: this.#now(),
        processes: this.listsProcesses ? processes : null,
        gpus: this.#cards.map(({ totalMiB }, index) => {
          const uuid = gpuUuid(index);
          const ours = processes.filter((one) => one.gpuUuid === uuid).reduce((sum, one) => sum + (one.usedMiB ?? 0), 0);
          const usedMiB = ours + (index === 0 ? this.foreignMiB + this.leakMiB : 0);
          return { uuid, index, product: 'Card', totalMiB, driverReservedMiB: 0, usedMiB, freeMiB: totalMiB - usedMiB };
        }),
      };
    },
  };

  readonly client: EngineClient = {
    isHealthy: async (url) => {
      const engine = this.#engineAt(url);
      return engine !== undefined && this.#loaded.has(engine.spec.containerName) && (this.#behaviourOf(engine.spec.model).healthy ?? true);
    },
    readMaxModelLen: async () => 4096,
    readLoad: async (url) => {
      const engine = this.#engineAt(url);
      return engine === undefined ? null : { running: this.running.get(engine.spec.model) ?? 0, waiting: 0 };
    },
    sendProbe: async (url) => {
      const engine = this.#engineAt(url);
      if (engine === undefined) throw new OperationalError({ code: 'ENGINE_UNRESPONSIVE', message: `${url} is gone`, retryable: true });
      const { containerName, model } = engine.spec;
      this.#usedMiB.set(containerName, (this.#usedMiB.get(containerName) ?? 0) + (this.#behaviourOf(model).prefillMiB ?? 0));
    },
  };

  #behaviourOf(model: ModelName): EngineBehaviour {
    return this.behaviours.get(model) ?? {};
  }

  #engineAt(url: string) {
    const engine = this.host.engines.get(url.slice('http://'.length));
    return engine?.state === 'running' ? engine : undefined;
  }

  /** The second process of each engine is the one that holds its GPUs' memory. */
  #processes(): readonly GpuProcess[] {
    return [...this.host.engines.values()].flatMap(({ state, spec, pids }) => {
      if (state !== 'running') return [];
      const uuids = spec.gpuUuids === 'all' ? this.#cards.map((_, index) => gpuUuid(index)) : spec.gpuUuids;
      const usedMiB = this.#usedMiB.get(spec.containerName) ?? 0;
      return uuids.map((uuid) => ({ gpuUuid: uuid, pid: pids[1] ?? 0, name: 'VLLM::EngineCore', usedMiB }));
    });
  }
}

export function gpuUuid(index: number) {
  return asId<GpuProcess['gpuUuid']>(`GPU-${index}`);
}
