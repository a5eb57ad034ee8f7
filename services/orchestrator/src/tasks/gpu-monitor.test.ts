import type { GpuUuid, HostReading } from '@berth/core';
import { asId, OperationalError } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { describe, expect, it } from 'vitest';
import { GpuMonitor } from './gpu-monitor.ts';

const READING: HostReading = {
  atMs: 0,
  gpus: [{ uuid: asId<GpuUuid>('GPU-1'), index: 0, product: 'Card', totalMiB: 1024, driverReservedMiB: 0, usedMiB: 0, freeMiB: 1024 }],
  processes: [],
};

/** A monitor of a host that answers as told, one answer after the other. */
function createMonitor(answers: readonly (HostReading | string)[]) {
  const lines: string[] = [];
  const left = [...answers];
  const log = createLogger({
    service: 'orchestrator',
    level: 'error',
    secrets: [],
    destination: { write: (line) => void lines.push(line) },
  });
  const readHost = async (): Promise<HostReading> => {
    const answer = left.shift() ?? 'nothing left';
    if (typeof answer !== 'string') return answer;
    throw new OperationalError({ code: 'GPU_PROBE_FAILED', message: answer, retryable: true });
  };
  return { lines, monitor: new GpuMonitor({ probe: { readHost }, log, now: () => 0, retryAfterMs: 0 }) };
}

describe('the GPU monitor', () => {
  it('logs a failure that stays the same once, and again after a success or with another cause', async () => {
    const { lines, monitor } = createMonitor(['no driver', 'no driver', READING, 'no driver', 'lost', 'lost']);
    const failures: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      await monitor.readAtStart();
      failures.push(lines.length);
    }
    expect(failures).toEqual([1, 1, 1, 2, 3, 3]);
    expect(monitor.problem?.message).toBe('lost');
  });
});
