import { openCardProcess } from '../../card/card-process.ts';
import type { CardProcess } from '../../card/card-process.ts';
import type { WorkerReply, WorkerRequest } from './messages.ts';

/** Program: one rank of a tensor-parallel engine. It holds its GPU's memory and dies with EngineCore. */
process.title = process.argv[2] ?? 'VLLM::Worker';
let holder: CardProcess | undefined;
let gpuUuid = '';

process.on('disconnect', () => process.exit(1));
process.on('message', (request: WorkerRequest) => {
  if (request.kind === 'open') {
    gpuUuid = request.card.gpus[request.rank]?.uuid ?? '';
    holder = openCardProcess({ ...request.card, name: request.name, label: request.label, slowReleaseMs: request.slowReleaseMs });
  } else if (holder !== undefined) process.send?.(answer(holder, request));
});

function answer(memory: CardProcess, request: Exclude<WorkerRequest, { kind: 'open' }>): WorkerReply {
  const { id } = request;
  if (request.kind === 'allocate') return { kind: 'allocated', id, result: memory.allocate(gpuUuid, request.mib) };
  if (request.kind === 'info') return { kind: 'info', id, info: memory.memoryInfo(gpuUuid) };
  memory.free(gpuUuid, request.mib);
  return { kind: 'freed', id };
}
