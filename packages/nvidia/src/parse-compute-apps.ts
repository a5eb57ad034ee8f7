import { asId } from '@berth/core';
import type { GpuProcess, GpuUuid } from '@berth/core';
import { csvLines, isUnavailable, parseGpuUuid, parseMiB, parseWholeNumber, unreadable } from './parse-csv-value.ts';

/** The arguments whose answer `parseComputeApps` reads. */
export const QUERY_COMPUTE_APPS: readonly string[] = [
  '--query-compute-apps=gpu_uuid,pid,process_name,used_memory',
  '--format=csv,noheader,nounits',
];

const COLUMNS_BEFORE_NAME = 2;

/**
 * Reads the answer to `QUERY_COMPUTE_APPS`, one line per process and GPU; a process name may contain commas. Memory that the
 * driver does not tell (WSL2, MIG) is `null`. Returns `null` where the driver lists no processes at all or lists none with an id.
 * An empty list is what a driver says of an idle card, and also what WSL2 and a caller in a PID namespace of its own are told.
 * Throws `GPU_PROBE_FAILED` with the line for a wrong number of columns and for anything that is no number.
 */
export function parseComputeApps(stdout: string): GpuProcess[] | null {
  const lines = csvLines(stdout);
  if (lines.length === 0) return [];
  if (lines.every((line) => isUnavailable(line.trim()))) return null;
  const processes = lines.flatMap(parseComputeApp);
  return processes.length === 0 ? null : processes;
}

function parseComputeApp(line: string): GpuProcess[] {
  const columns = line.split(',').map((column) => column.trim());
  if (columns.length < COLUMNS_BEFORE_NAME + 2) throw unreadable(line, `${columns.length} columns instead of 4`);
  const [uuid = '', pid = ''] = columns;
  const gpuUuid = asId<GpuUuid>(parseGpuUuid(uuid, line));
  const usedMiB = parseMiB(columns.at(-1) ?? '', line);
  if (isUnavailable(pid)) return [];
  return [
    {
      gpuUuid,
      pid: parseWholeNumber(pid, line, 'process id'),
      name: columns.slice(COLUMNS_BEFORE_NAME, -1).join(', '),
      usedMiB,
    },
  ];
}
