import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { injectedCompileCache, injectedDirectory } from '../card/attach-card.ts';
import type { InjectedContainer } from '../card/attach-card.ts';
import { readFaults, readGpus } from '../card/state-directory.ts';
import { SimulatorError } from '../errors.ts';
import { readGpuGrant } from './hook-request.ts';

/**
 * Program: stands in for `nvidia-container-runtime-hook`. runc runs it after the container's mounts are made and before it pivots into
 * them, with the OCI state on stdin. It puts the simulated nvidia-smi and card into the container, as the toolkit does the real ones.
 */
const stateDirectory = process.argv[2] ?? '';
try {
  inject(JSON.parse(await text(process.stdin)) as OciState);
} catch (error) {
  if (!(error instanceof SimulatorError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

interface OciState {
  id: string;
  pid: number;
  bundle: string;
}

interface OciConfig {
  root: { path: string };
  process: { env?: string[] };
}

function inject(state: OciState): void {
  const config = JSON.parse(readFileSync(join(state.bundle, 'config.json'), 'utf8')) as OciConfig;
  if (readFaults(stateDirectory).driverNotLoaded === true) {
    throw new SimulatorError('PROCESS_FAILED', 'nvidia-container-cli: initialization error: nvml error: driver not loaded');
  }
  const grant = readGpuGrant(config.process.env ?? [], readGpus(stateDirectory));
  const rootPath = join(state.bundle, config.root.path.startsWith('/') ? '' : config.root.path);
  const hostRoot = config.root.path.startsWith('/') ? config.root.path : rootPath;
  // Through the process, so that a tmpfs that the container mounts over its files is seen.
  const root = `/proc/${state.pid}/root${hostRoot}`;
  const files = join(root, injectedDirectory);
  for (const mountPoint of ['state', 'program']) mkdirSync(join(files, mountPoint), { recursive: true });
  const injected: InjectedContainer = { containerId: state.id, ...grant };
  writeFileSync(join(files, 'container.json'), JSON.stringify(injected));
  const bind = (source: string, name: string, options: string): void => {
    const target = join(hostRoot, injectedDirectory, name);
    const enter = [`--mount=/proc/${state.pid}/ns/mnt`, 'mount'];
    execFileSync('nsenter', [...enter, '--bind', source, target]);
    execFileSync('nsenter', [...enter, '-o', `remount,bind,${options}`, target]);
  };
  bind(stateDirectory, 'state', 'rw');
  if (!grant.capabilities.includes('utility')) return;
  bind(fileURLToPath(new URL('../..', import.meta.url)), 'program', 'ro');
  const launcher = join(root, 'usr/bin/nvidia-smi');
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  const program = `${injectedDirectory}/program/src/nvidia-smi/main.ts`;
  writeFileSync(
    launcher,
    `#!/usr/bin/node\nrequire('node:module').enableCompileCache('${injectedCompileCache}');\nimport('${program}');\n`,
  );
  chmodSync(launcher, 0o755);
}
