import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

export const ENTRY_POINTS = {
  edge: fileURLToPath(new URL('../../services/edge/src/main.ts', import.meta.url)),
  orchestrator: fileURLToPath(new URL('../../services/orchestrator/src/main.ts', import.meta.url)),
} as const;

const COMMANDS = {
  edge: [ENTRY_POINTS.edge],
  orchestrator: [ENTRY_POINTS.orchestrator],
  /** As many edges as `BERTH_EDGE_WORKERS` says, behind one port. */
  workers: [fileURLToPath(new URL('../../services/berth/src/main.ts', import.meta.url)), 'edge'],
} as const;

/** One service of Berth as its users run it: plain `node` on its `main.ts`. */
export interface Service extends AsyncDisposable {
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
  /** Lines it logged so far, as objects. */
  readLog(): Promise<readonly Record<string, unknown>[]>;
  /** Ends it with a signal and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  stall(): void;
  resume(): void;
  readonly exitCode: () => number | null;
}

/** Starts a service and waits until `readyUrl` answers 200. Its output goes to `logFile`. */
export async function startService(
  name: keyof typeof COMMANDS,
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly logFile: string;
    readonly readyUrl: string | null;
    readonly cwd: string;
  },
): Promise<Service> {
  const output = createWriteStream(options.logFile, { flags: 'a' });
  await new Promise((resolve) => output.once('open', resolve));
  const child = spawn(process.execPath, COMMANDS[name], { env: options.env, cwd: options.cwd, stdio: ['ignore', output, output] });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  const service: Service = {
    pid: child.pid ?? -1,
    env: options.env,
    readLog: async () => parseLog(await readFile(options.logFile, 'utf8')),
    async kill(signal) {
      if (isRunning(child)) child.kill(signal);
      await exited;
    },
    stall: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    exitCode: () => child.exitCode,
    async [Symbol.asyncDispose]() {
      child.kill('SIGCONT');
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      if (isRunning(child)) child.kill('SIGTERM');
      await exited;
      clearTimeout(killer);
      output.end();
    },
  };
  const { readyUrl } = options;
  if (readyUrl === null) return service;
  await eventually(`${name} to answer at ${readyUrl}`, async () => {
    if (!isRunning(child)) throw new Error(`${name} ended at its start:\n${await readFile(options.logFile, 'utf8')}`);
    const response = await fetch(readyUrl, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await response?.body?.cancel();
    return response?.status === 200;
  });
  return service;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function parseLog(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): Record<string, unknown> => JSON.parse(line));
}
