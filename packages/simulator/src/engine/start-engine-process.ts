import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatorError } from '../errors.ts';
import type { SimulatedHost } from '../simulated-host.ts';

/** A simulated engine as a process of this machine. */
export interface EngineProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** All it has printed so far, stdout and stderr together. */
  readonly output: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Resolves when `/health` says 200. Throws `PROCESS_FAILED` with the output when the process ends first. */
  ready(): Promise<void>;
  /** Resolves when the output holds `text`. Throws `PROCESS_FAILED` when the process ends without it. */
  printed(text: string): Promise<void>;
}

/**
 * Starts `vllm serve` of a simulated host on a free port of 127.0.0.1. Disposing kills its whole process group, so nothing is left behind
 * whatever state it is in.
 */
export async function startEngineProcess(request: {
  host: SimulatedHost;
  args: readonly string[];
  environment?: NodeJS.ProcessEnv;
  port?: number;
}): Promise<EngineProcess> {
  const port = request.port ?? (await findFreePort());
  const args = ['serve', ...request.args, '--host', '127.0.0.1', '--port', String(port)];
  const child = spawn(request.host.vllmPath, args, { env: request.environment ?? {}, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode }));
  let output = '';
  let ended = false;
  void exited.then(() => (ended = true));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const url = `http://127.0.0.1:${port}`;
  const until = async (isTrue: () => Promise<boolean> | boolean, what: string): Promise<void> => {
    while (!(await isTrue())) {
      if (ended) throw new SimulatorError('PROCESS_FAILED', `the engine ended before ${what}:\n${output}`);
      await sleep(10);
    }
  };
  return {
    url,
    port,
    pid: child.pid ?? 0,
    get output() {
      return output;
    },
    exited,
    ready: async () => await until(async () => (await statusOf(`${url}/health`)) === 200, 'it was ready'),
    printed: async (text) => await until(() => output.includes(text), `it printed "${text}"`),
    [Symbol.asyncDispose]: async () => {
      killGroup(child.pid ?? 0);
      await exited;
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function statusOf(url: string): Promise<number> {
  try {
    return (await fetch(url)).status;
  } catch {
    return 0;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
