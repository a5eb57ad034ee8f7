import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A Redis of its own for one test: free port, data in a temporary directory, append-only file on, no eviction. */
export class TestRedis implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #directory: string;
  readonly #extraArgs: readonly string[];
  #process: ChildProcess | null = null;

  constructor(port: number, directory: string, extraArgs: readonly string[], password: string | null) {
    this.port = port;
    this.url = password === null ? `redis://127.0.0.1:${port}` : `redis://:${password}@127.0.0.1:${port}`;
    this.#directory = directory;
    this.#extraArgs = extraArgs;
  }

  /** Starts it on the data it left; returns when it accepts connections. */
  async start(): Promise<void> {
    const program = spawn('redis-server', [...this.#args(), ...this.#extraArgs], { stdio: 'ignore' });
    this.#process = program;
    endWithThisProcess(program);
    const failed = once(program, 'error').then(([error]) => Promise.reject(error));
    await Promise.race([untilListening(this.port, 10_000), failed]);
  }

  /** Ends it as a crash would, by SIGKILL. */
  async kill(): Promise<void> {
    const program = this.#process;
    this.#process = null;
    if (program === null || program.exitCode !== null) return;
    const exited = once(program, 'exit');
    program.kill('SIGKILL');
    await exited;
  }

  /** Stops the process where it stands: connections stay open and nothing is answered. */
  hang(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #args(): readonly string[] {
    const settings = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.#directory,
      save: '',
      appendonly: 'yes',
      'maxmemory-policy': 'noeviction',
    };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  }
}

/** Starts a private `redis-server` from the path. `args` are added to its command line. */
export async function startRedis(options: { readonly args?: readonly string[]; readonly password?: string } = {}): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-redis-'));
  const password = options.password ?? null;
  const args = [...(options.args ?? []), ...(password === null ? [] : ['--requirepass', password])];
  const redis = new TestRedis(await freePort(), directory, args, password);
  await redis.start();
  return redis;
}

/** A killed test run cannot dispose of anything: a shell that reads from this process kills the server when that ends. */
function endWithThisProcess(program: ChildProcess): void {
  if (program.pid === undefined) return;
  const guard = spawn('sh', ['-c', `cat; kill -9 ${program.pid}`], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.on('error', () => undefined);
  program.once('exit', () => {
    guard.kill('SIGKILL');
    guard.stdin.destroy();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function untilListening(port: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await accepts(port)) return;
    if (performance.now() > deadline) throw new Error(`redis-server did not listen on port ${port} within ${timeoutMs} ms`);
    await sleep(20);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
