import { OperationalError } from '@berth/core';
import type { CommandResult } from '@berth/core';

interface ExitCodeMeaning {
  readonly meaning: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

/** nvidia-smi(1), RETURN VALUE; 18 as seen after an upgrade of the host's driver; 125 to 127 come from the container engine. */
const MEANINGS: ReadonlyMap<number, ExitCodeMeaning> = new Map([
  [2, meaning('it refused an argument', 'Update the NVIDIA driver to R510 or later, which knows every column that is asked for.')],
  [3, meaning('the operation is not supported on this GPU', 'Use a GPU that reports its memory.')],
  [4, meaning('it may not read the GPU', 'Give the probe access to the GPU devices, or run it as a user in the right group.')],
  [6, meaning('it found no such GPU', 'Check with `nvidia-smi -L` on the host that a GPU is there, and that containers get it.')],
  [8, meaning("a GPU's external power cable is not attached", 'Attach the power cable of the GPU.')],
  [9, meaning('the NVIDIA driver is not loaded', 'Install the NVIDIA driver on the host, load it and try `nvidia-smi` there.')],
  [10, meaning('the kernel found an interrupt problem with a GPU', "Look for NVRM messages in the host's kernel log.", true)],
  [12, meaning('the NVML library is missing', 'Install the NVIDIA Container Toolkit, so that containers get the library of the driver.')],
  [13, meaning('the NVML library is older than the program', 'Use the nvidia-smi that belongs to the installed driver.')],
  [14, meaning('the infoROM of a GPU is corrupted', 'Have the GPU checked by its vendor.')],
  [15, meaning('a GPU has fallen off the bus', 'Restart the host; if it happens again, check power, cooling and seating of the GPU.')],
  [18, meaning('the driver and its library have different versions', 'The driver was upgraded while loaded: restart the host.')],
  [125, meaning('the container engine could not run it', 'Look at the log of the container engine.', true)],
  [126, meaning('it cannot be executed', 'Use a probe image for the architecture of this host.')],
  [
    127,
    meaning(
      'the program is not there',
      'Install the NVIDIA Container Toolkit and use a probe image with glibc; it puts nvidia-smi into containers.',
    ),
  ],
  [
    255,
    meaning('an internal error of the driver occurred', 'Run `nvidia-smi` on the host; if it fails there too, restart the host.', true),
  ],
]);

/**
 * The failure for a run of nvidia-smi that did not exit with 0: what the code means, what the program said and what to do.
 * nvidia-smi writes its messages to stdout; stderr only tells of whatever failed to run it.
 */
export function describeExit(result: CommandResult): OperationalError {
  const { meaning: what, remedy, retryable } = MEANINGS.get(result.exitCode) ?? meaning('it failed', 'Run `nvidia-smi` on the host.', true);
  const said = firstLines([result.stdout, result.stderr].join('\n'));
  return new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message: `nvidia-smi ended with exit code ${result.exitCode}: ${what}.${said === '' ? '' : ` It said: "${said}".`} ${remedy}`,
    retryable,
    details: { exitCode: result.exitCode, output: said },
  });
}

function meaning(text: string, remedy: string, retryable = false): ExitCodeMeaning {
  return { meaning: text, remedy, retryable };
}

function firstLines(text: string): string {
  const lines = text
    .split(/\r?\n/u)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.slice(0, 3).join(' ').slice(0, 400);
}
