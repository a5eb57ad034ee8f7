import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '@berth/core';
import type { FailureShape } from '@berth/core';
import type { Logger } from '@berth/telemetry';
import type { RunningService } from '../commands/run-service.ts';
import { isServiceMessage } from '../up/service-messages.ts';
import type { StopMessage } from '../up/service-messages.ts';
import { answerScrapes } from './scrape-workers.ts';

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;
/** For closing connections after the grace is over. */
const KILL_MARGIN_MS = 3000;

export interface EdgeWorkersOptions {
  readonly count: number;
  /** How long requests in flight may go on after the stop. */
  readonly graceMs: number;
  readonly logger: Logger;
}

/**
 * Runs so many edge replicas behind one port, each in a process of its own that executes this process's command line again. This process
 * accepts the connections and deals them out in turn, so that long-lived ones spread evenly; it serves none itself. A worker that ends unasked
 * is started again, with growing pauses. Resolves when all listen; throws what the first one says that cannot start, and ends the others.
 */
export async function startEdgeWorkers(options: EdgeWorkersOptions): Promise<RunningService> {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const scrapes = answerScrapes(options.logger);
  const workers = Array.from({ length: options.count }, () => new EdgeWorker(options));
  const stop = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.stop(options.graceMs)));
    scrapes[Symbol.dispose]();
  };
  try {
    const urls = await Promise.all(workers.map((worker) => worker.ready));
    options.logger.info({ url: urls[0], workers: options.count }, 'edge workers started');
    return { url: urls[0] ?? '', [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One worker process after another in the same place. */
class EdgeWorker {
  /** Where it listens. Rejects with why its first process did not start. */
  readonly ready: Promise<string>;
  readonly #started = Promise.withResolvers<string>();
  readonly #stopping = new AbortController();
  readonly #logger: Logger;
  readonly #running: Promise<void>;
  #worker: Worker | null = null;
  #wasReady = false;
  #backoffMs = FIRST_BACKOFF_MS;

  constructor({ logger }: EdgeWorkersOptions) {
    this.#logger = logger;
    this.ready = this.#started.promise;
    // Somebody waits for it, or the start was given up because of another.
    this.ready.catch(() => undefined);
    this.#running = this.#run();
  }

  /** Asks it to end, and kills it after the grace and a margin. Returns when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const message: StopMessage = { kind: 'stop', endpoints: false, graceMs };
    if (this.#worker?.isConnected() === true) this.#worker.send(message, () => undefined);
    const kill = setTimeout(() => this.#worker?.process.kill('SIGKILL'), graceMs + KILL_MARGIN_MS);
    await this.#running;
    clearTimeout(kill);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { how, failure } = await this.#runOnce();
      if (this.#stopping.signal.aborted) return;
      if (!this.#wasReady) {
        this.#started.reject(new OperationalError(failure ?? unexplained(how)));
        return;
      }
      this.#logger.error({ how, restartMs: this.#backoffMs }, 'edge worker ended unasked');
      await sleep(this.#backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      this.#backoffMs = Math.min(this.#backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }

  async #runOnce(): Promise<{ readonly how: string; readonly failure: FailureShape | null }> {
    const worker = cluster.fork();
    this.#worker = worker;
    let failure: FailureShape | null = null;
    worker.on('message', (message: unknown) => {
      if (!isServiceMessage(message)) return;
      if (message.kind === 'failed') failure = message.failure;
      else {
        this.#wasReady = true;
        this.#backoffMs = FIRST_BACKOFF_MS;
        this.#started.resolve(message.url);
      }
    });
    const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
    return { how: signal === null ? `ended with exit code ${code}` : `ended by ${signal}`, failure };
  }
}

function unexplained(how: string): FailureShape {
  return { code: 'INVALID_SETTINGS', retryable: false, message: `An edge worker ${how} while it started; see its output above.` };
}
