import type { AppRow, GpuRow } from './rows.ts';
import type { SmiAnswer } from './failures.ts';

/** The table that nvidia-smi prints without arguments, reduced to what the simulated card knows. */
export function renderSummary(gpus: readonly GpuRow[], apps: readonly AppRow[]): SmiAnswer {
  const bar = `+${'-'.repeat(89)}+`;
  const lines = [
    bar,
    line('NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: 13.0    (simulated)'),
    bar,
    ...gpus.map((gpu) => line(`${String(gpu.index).padStart(3)}  ${gpu.name.padEnd(40)} ${gpu.usedMiB}MiB / ${gpu.memoryTotalMiB}MiB`)),
    bar,
    line('Processes:'),
    line(' GPU         PID   Type   Process name                                     GPU Memory'),
    ...apps.map((app) =>
      line(
        `${String(app.gpuIndex).padStart(4)}  ${String(app.pid).padStart(10)}      C   ${app.name.padEnd(44)} ${String(app.usedMiB).padStart(8)}MiB`,
      ),
    ),
    ...(apps.length === 0 ? [line('  No running processes found')] : []),
    bar,
  ];
  return { exitCode: 0, stdout: `${lines.join('\n')}\n` };
}

function line(text: string): string {
  return `| ${text.slice(0, 87).padEnd(87)} |`;
}
