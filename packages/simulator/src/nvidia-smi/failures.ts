/** What nvidia-smi prints, always on stdout, and its exit code (nvidia-smi(1), RETURN VALUE; 18 as seen in the field). */
export interface SmiAnswer {
  exitCode: number;
  stdout: string;
}

export const driverNotLoaded: SmiAnswer = {
  exitCode: 9,
  stdout:
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
};

export const libraryMismatch: SmiAnswer = {
  exitCode: 18,
  stdout: `Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.82\n`,
};

export const libraryMissing: SmiAnswer = {
  exitCode: 12,
  stdout:
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver is properly installed and present in your system.\nPlease also try adding directory that contains libnvidia-ml.so to your system PATH.\n",
};

export const noDevices: SmiAnswer = { exitCode: 6, stdout: 'No devices were found\n' };

/** A bad command line: exit code 2. */
export function badArguments(message: string): SmiAnswer {
  return { exitCode: 2, stdout: `${message}\n` };
}
