import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '@berth/core';
import type { FailureShape } from '@berth/core';
import { endProcess } from '../end-process.ts';
import { readProcessIdentity } from '../process-identity.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import { isServiceMessage } from './service-messages.ts';
import type { StopMessage } from './service-messages.ts';

/** A service in a process of its own. */
export interface SupervisedService {
  readonly name: string;
  /** Where it listens, once it does. Rejects with what it said when its first start fails. */
  readonly ready: Promise<string>;
  /** Of the process that runs now. */
  identity(): ProcessIdentity | null;
  /** Ends it for good: asks, and kills it after `graceMs` plus a margin. Returns when it is gone. */
  stop(options: { readonly endpoints: boolean; readonly graceMs: number }): Promise<void>;
}

export interface ServiceProcess {
  readonly name: string;
  /** Arguments of this Node. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  readonly onStarted: (identity: ProcessIdentity | null) => void;
  /** It ended although nobody asked it to, and is started again after so long. */
  readonly onRestart: (how: string, afterMs: number) => void;
}

const firstBackoffMs = 500;
const longestBackoffMs = 30_000;
/** For closing connections and files after the grace is over. */
const killMarginMs = 3000;

/**
 * Runs a service and starts it again when it ends unasked, with growing pauses. It gets a session of its own: a terminal's Ctrl-C reaches this process
 * alone, which then ends the service in the right order. When this process is killed, the service notices by its IPC channel.
 */
export function superviseService(service: ServiceProcess): SupervisedService {
  const ready = Promise.withResolvers<string>();
  // Somebody else waits for it too, or nobody does because the start was given up.
  ready.promise.catch(() => {});
  const stopping = new AbortController();
  let child: ChildProcess | null = null;
  let identity: ProcessIdentity | null = null;
  let backoffMs = firstBackoffMs;
  let wasReady = false;

  /** Returns how it ended. */
  const runOnce = async (): Promise<{ readonly how: string; readonly failure: FailureShape | null }> => {
    const log = openSync(service.logFile, 'a');
    child = spawn(process.execPath, service.args, { env: service.env, detached: true, stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    identity = child.pid === undefined ? null : readProcessIdentity(child.pid);
    service.onStarted(identity);
    let failure: FailureShape | null = null;
    child.on('message', (message) => {
      if (!isServiceMessage(message)) return;
      if (message.kind === 'failed') failure = message.failure;
      else {
        wasReady = true;
        backoffMs = firstBackoffMs;
        ready.resolve(message.url);
      }
    });
    return { how: await endOf(child), failure };
  };

  const keepRunning = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { how, failure } = await runOnce();
      if (stopping.signal.aborted) return;
      if (!wasReady) {
        ready.reject(new OperationalError(failure ?? unexplained(service, how)));
        return;
      }
      service.onRestart(how, backoffMs);
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, longestBackoffMs);
    }
  };
  const running = keepRunning();

  return {
    name: service.name,
    ready: ready.promise,
    identity: () => identity,
    stop: async ({ endpoints, graceMs }) => {
      stopping.abort();
      const message: StopMessage = { kind: 'stop', endpoints, graceMs };
      if (child?.connected === true) child.send(message, () => {});
      const deadline = new AbortController();
      const killer = sleep(graceMs + killMarginMs, undefined, { signal: deadline.signal })
        .then(async () => (identity === null ? undefined : endProcess(identity, { graceMs: 0 })))
        .catch(() => {});
      await running;
      deadline.abort();
      await killer;
    },
  };
}

/** It ended at its first start without a word over the channel: its log is all there is. */
function unexplained({ name, logFile }: ServiceProcess, how: string): FailureShape {
  const words = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n');
  return {
    code: 'ORCHESTRATOR_UNAVAILABLE',
    retryable: false,
    message: `The ${name} ${how} while it started. Its last words in ${logFile}:\n${words}`,
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`ended at once (${error.message})`));
    child.on('exit', (code, signal) => resolve(signal === null ? `ended with exit code ${code}` : `ended by ${signal}`));
  });
}
