import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ProcessSettings } from './settings.ts';
import type { Tally } from './tally.ts';

/** One process of a fault run, that can be stalled, killed and started again. */
export class Child implements AsyncDisposable {
  readonly #program: string;
  readonly #settings: ProcessSettings;
  readonly #onTally: (part: Partial<Tally> & { readonly note?: string }) => void;
  #process: ChildProcess | null = null;
  #expectsExit = false;
  /** What it wrote to stderr when it ended by itself. */
  crashed: string | null = null;

  constructor(program: string, settings: ProcessSettings, onTally: (part: Partial<Tally> & { readonly note?: string }) => void) {
    this.#program = join(import.meta.dirname, program);
    this.#settings = settings;
    this.#onTally = onTally;
    this.start();
  }

  start(): void {
    const child = fork(this.#program, [JSON.stringify(this.#settings)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)));
    child.on('message', (part) => this.#onTally(part as Partial<Tally> & { readonly note?: string }));
    child.once('exit', () => {
      if (!this.#expectsExit) this.crashed = errors || 'it exited';
    });
    this.#expectsExit = false;
    this.#process = child;
  }

  stall(): void {
    this.#process?.kill('SIGSTOP');
  }

  wake(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    this.#expectsExit = true;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
