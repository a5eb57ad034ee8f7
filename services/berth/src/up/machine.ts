import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

/** What decides how `berth up` serves without a catalog. */
export interface Machine {
  readonly dockerAnswers: boolean;
  readonly hasGpu: boolean;
}

/** `root` is where the machine's /dev and /proc are. */
export async function readMachine(options: { readonly dockerHost: string | undefined; readonly root?: string }): Promise<Machine> {
  return { dockerAnswers: await dockerAnswers(options.dockerHost), hasGpu: hasNvidiaGpu(options.root ?? '/') };
}

/** By the driver's own files, since nvidia-smi need not be installed where engines run in containers. /dev/dxg is the GPU under WSL2. */
function hasNvidiaGpu(root: string): boolean {
  const cards = join(root, 'proc/driver/nvidia/gpus');
  return existsSync(join(root, 'dev/nvidia0')) || existsSync(join(root, 'dev/dxg')) || (existsSync(cards) && readdirSync(cards).length > 0);
}

async function dockerAnswers(dockerHost: string | undefined): Promise<boolean> {
  const target = dockerTarget(dockerHost);
  if (target === null) return false;
  return new Promise((resolve) => {
    const ping = request({ ...target, path: '/_ping', timeout: 3000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    ping.on('timeout', () => ping.destroy());
    ping.on('error', () => resolve(false));
    ping.end();
  });
}

/** `null` for what Berth cannot use, such as ssh://. */
function dockerTarget(
  dockerHost: string | undefined,
): { readonly socketPath: string } | { readonly host: string; readonly port: string } | null {
  const url = dockerHost === undefined || dockerHost === '' ? 'unix:///var/run/docker.sock' : dockerHost;
  if (url.startsWith('unix://')) return { socketPath: url.slice('unix://'.length) };
  if (!url.startsWith('tcp://') || !URL.canParse(url)) return null;
  const { hostname, port } = new URL(url);
  return { host: hostname, port: port === '' ? '2375' : port };
}
