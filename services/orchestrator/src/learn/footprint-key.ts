import type { FootprintKey, HostReading, StartingEndpoint } from '@berth/core';

/** `null` for an endpoint on the CPU, and on GPUs that the reading does not name. */
export function footprintKeyOf(
  endpoint: Pick<StartingEndpoint, 'model' | 'signature' | 'imageId' | 'allocations'>,
  reading: HostReading,
): FootprintKey | null {
  const first = endpoint.allocations[0];
  const gpu = reading.gpus.find((one) => one.uuid === first?.gpuUuid);
  if (gpu === undefined) return null;
  const { model, signature, imageId, allocations } = endpoint;
  return { model, signature, imageId, gpuProduct: gpu.product, gpuCount: allocations.length };
}
