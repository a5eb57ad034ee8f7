import type { MemoryInfo } from '../../card/card-process.ts';
import { gib } from '../log.ts';
import type { CoreSettings } from './messages.ts';

/** The line with which vLLM sums up a profiled start; not printed with a pinned KV cache. Its advice keeps 150 MiB back, as vLLM does. */
export function profileLine(request: { settings: CoreSettings; snapshot: MemoryInfo; kvMiB: number }): string {
  const { settings, snapshot, kvMiB } = request;
  const { profile, arguments: args } = settings;
  const graphsMiB = args.enforceEager ? 0 : profile.graphsMiB;
  const consumedMiB = Math.ceil(profile.weightsMiB / args.tensorParallelSize);
  const peakMiB = profile.activationMiB + graphsMiB;
  const requestedMiB = snapshot.totalMiB * args.gpuMemoryUtilization;
  const fitMiB = requestedMiB - consumedMiB - peakMiB - graphsMiB - 150;
  const fullMiB = snapshot.freeMiB - consumedMiB - peakMiB - graphsMiB - 150;
  return (
    `Free memory on device (${gib(snapshot.freeMiB)}/${gib(snapshot.totalMiB)} GiB) on startup. Desired GPU memory utilization is ` +
    `(${args.gpuMemoryUtilization}, ${gib(requestedMiB)} GiB). Actual usage is ${gib(consumedMiB)} GiB for consumed memory (weights + ` +
    `non-torch), ${gib(peakMiB)} GiB for peak activation, and ${gib(graphsMiB)} GiB for CUDAGraph memory. Replace gpu_memory_utilization ` +
    `config with \`--kv-cache-memory=${bytes(fitMiB)}\` (${gib(Math.max(0, fitMiB))} GiB) to fit into requested memory, or ` +
    `\`--kv-cache-memory=${bytes(fullMiB)}\` (${gib(Math.max(0, fullMiB))} GiB) to fully utilize gpu memory. Current kv cache memory in use ` +
    `is ${gib(kvMiB)} GiB.`
  );
}

function bytes(mib: number): number {
  return Math.max(0, Math.floor(mib * 2 ** 20));
}
