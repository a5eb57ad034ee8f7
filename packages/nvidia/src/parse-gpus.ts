import { asId } from '@berth/core';
import type { GpuReading, GpuUuid } from '@berth/core';
import { csvLines, parseGpuUuid, parseMiB, parseWholeNumber, unreadable } from './parse-csv-value.ts';

/** The arguments whose answer `parseGpus` reads. */
export const QUERY_GPUS: readonly string[] = [
  '--query-gpu=index,uuid,name,memory.total,memory.reserved,memory.used,memory.free,mig.mode.current',
  '--format=csv,noheader,nounits',
];

const COLUMNS_BEFORE_NAME = 2;
const COLUMNS_AFTER_NAME = 5;

/**
 * Reads the answer to `QUERY_GPUS`, one GPU per line. The columns are taken from both ends, because a product name may contain a
 * comma. A GPU in MIG mode gets no numbers: its slices are used one by one, so the whole card's free memory is nobody's to give.
 * Throws `GPU_PROBE_FAILED` with the line for a wrong number of columns, anything that is no number, or a GPU named twice.
 */
export function parseGpus(stdout: string): GpuReading[] {
  const gpus = csvLines(stdout).map(parseGpu);
  for (const [position, gpu] of gpus.entries()) {
    if (gpus.findIndex((other) => other.uuid === gpu.uuid) !== position) throw unreadable(gpu.uuid, 'a GPU is listed twice');
  }
  return gpus;
}

function parseGpu(line: string): GpuReading {
  const columns = line.split(',').map((column) => column.trim());
  if (columns.length < COLUMNS_BEFORE_NAME + 1 + COLUMNS_AFTER_NAME) {
    throw unreadable(line, `${columns.length} columns instead of 8`);
  }
  const [index = '', uuid = ''] = columns;
  const [total = '', reserved = '', used = '', free = '', mig = ''] = columns.slice(-COLUMNS_AFTER_NAME);
  const migEnabled = mig.toLowerCase() === 'enabled';
  const memory = {
    totalMiB: parseMiB(total, line),
    driverReservedMiB: parseMiB(reserved, line),
    usedMiB: parseMiB(used, line),
    freeMiB: parseMiB(free, line),
  };
  const product = columns.slice(COLUMNS_BEFORE_NAME, -COLUMNS_AFTER_NAME).join(', ');
  if (product === '') throw unreadable(line, 'the product name is empty');
  return {
    uuid: asId<GpuUuid>(parseGpuUuid(uuid, line)),
    index: parseWholeNumber(index, line, 'GPU index'),
    product,
    ...(migEnabled ? { totalMiB: null, driverReservedMiB: null, usedMiB: null, freeMiB: null, migEnabled } : memory),
  };
}
