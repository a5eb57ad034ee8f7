import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openCardProcess } from '../../card/card-process.ts';
import type { AllocationResult, MemoryInfo } from '../../card/card-process.ts';
import type { CoreSettings, WorkerReply, WorkerRequest } from './messages.ts';

/** Memory of one rank's GPU, as the process that drives it sees it. `pid` is the process that nvidia-smi lists. */
export interface DeviceMemory {
  readonly rank: number;
  readonly pid: number;
  allocate(mib: number): Promise<AllocationResult>;
  free(mib: number): Promise<void>;
  info(): Promise<MemoryInfo>;
}

/**
 * The ranks of an engine: EngineCore itself on one GPU, one `VLLM::Worker_TP<n>` child per GPU under tensor parallelism, none on a CPU.
 * A worker that dies takes EngineCore down with it, and the other way round.
 */
export function openDevices(settings: CoreSettings): DeviceMemory[] {
  const { card, arguments: args, profile } = settings;
  if (card === null) return [];
  const label = args.servedModelNames[0] ?? args.model;
  const { slowReleaseMs } = profile;
  if (args.tensorParallelSize === 1) return [openLocal({ ...card, name: 'VLLM::EngineCore', label, slowReleaseMs })];
  return card.gpus.slice(0, args.tensorParallelSize).map((_gpu, rank) => {
    return openWorker({ kind: 'open', card, rank, name: `VLLM::Worker_TP${rank}`, label, slowReleaseMs });
  });
}

function openLocal(options: Parameters<typeof openCardProcess>[0] & { gpus: { uuid: string }[] }): DeviceMemory {
  const holder = openCardProcess(options);
  const uuid = options.gpus[0]?.uuid ?? '';
  return {
    rank: 0,
    pid: process.pid,
    allocate: (mib) => Promise.resolve(holder.allocate(uuid, mib)),
    free: (mib) => Promise.resolve(holder.free(uuid, mib)),
    info: () => Promise.resolve(holder.memoryInfo(uuid)),
  };
}

function openWorker(open: WorkerRequest & { kind: 'open' }): DeviceMemory {
  const program = fileURLToPath(new URL('worker.ts', import.meta.url));
  const child = spawn(process.execPath, [program, open.name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const pending = new Map<number, (reply: WorkerReply) => void>();
  let lastId = 0;
  child.on('message', (reply: WorkerReply) => {
    pending.get(reply.id)?.(reply);
    pending.delete(reply.id);
  });
  child.on('exit', () => process.exit(1));
  const send = (request: WorkerRequest): void => void child.send(request);
  const ask = async (request: Exclude<WorkerRequest, { kind: 'open' }>): Promise<WorkerReply> =>
    await new Promise((resolve) => {
      pending.set(request.id, resolve);
      send(request);
    });
  const nextId = (): number => (lastId += 1);
  send(open);
  return {
    rank: open.rank,
    pid: child.pid ?? 0,
    allocate: async (mib) => {
      const reply = await ask({ kind: 'allocate', id: nextId(), mib });
      return reply.kind === 'allocated' ? reply.result : { kind: 'allocated' };
    },
    free: async (mib) => void (await ask({ kind: 'free', id: nextId(), mib })),
    info: async () => {
      const reply = await ask({ kind: 'info', id: nextId() });
      return reply.kind === 'info' ? reply.info : { totalMiB: 0, freeMiB: 0 };
    },
  };
}
