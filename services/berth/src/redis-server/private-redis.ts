import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '@berth/core';
import { endProcess } from '../end-process.ts';
import { findFreePort } from '../free-port.ts';
import { runProgram } from '../install/run-program.ts';
import type { RedisProgram } from '../install/redis-program.ts';
import { isAlive, readProcessIdentity } from '../process-identity.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import { redisAnswers } from './redis-answers.ts';

/** A Redis that belongs to one Berth. Closing it stops it and keeps its data. */
export interface PrivateRedis extends AsyncDisposable {
  /** With its password. */
  readonly url: string;
  /** Resolves when the server has ended without being asked to. */
  readonly ended: Promise<void>;
}

interface RunningServer {
  readonly process: ProcessIdentity | null;
  readonly container: { readonly docker: string; readonly name: string } | null;
}

const startTimeoutMs = 20_000;
/** Time to write out the append-only file at SIGTERM. */
const stopGraceMs = 10_000;

/**
 * Starts a Redis with its data under `directory`: append-only, noeviction, on 127.0.0.1, on a free port, with a random password. It has a
 * session of its own, so a terminal's Ctrl-C does not reach it before Berth is done with it. One that a killed Berth left behind is stopped first.
 * Throws `REDIS_UNAVAILABLE` with what the server wrote.
 */
export async function startPrivateRedis(options: {
  readonly directory: string;
  readonly program: RedisProgram;
  readonly env: NodeJS.ProcessEnv;
}): Promise<PrivateRedis> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  await stopLeftover(directory, options.env);
  const password = randomBytes(18).toString('base64url');
  const port = await findFreePort();
  const launch = { directory, password, port, env: options.env };
  const started =
    options.program.kind === 'program' ? startProgram(options.program.path, launch) : await startContainer(options.program, launch);
  writeRecord(directory, started);
  const close = async (): Promise<void> => {
    await stopRecorded(started, options.env);
    rmSync(recordPath(directory), { force: true });
  };
  try {
    await untilAnswering(launch, started);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `redis://:${password}@127.0.0.1:${port}`, ended: started.ended, [Symbol.asyncDispose]: close };
}

interface Launch {
  readonly directory: string;
  readonly password: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
}

type Started = RunningServer & { readonly ended: Promise<void> };

function startProgram(path: string, launch: Launch): Started {
  const log = openSync(join(launch.directory, 'redis.log'), 'a');
  const config = writeConfig(launch, { bind: '127.0.0.1', port: launch.port, dir: launch.directory });
  const child = spawn(path, [config], { detached: true, stdio: ['ignore', log, log], env: launch.env, cwd: launch.directory });
  closeSync(log);
  const ended = new Promise<void>((settle) => {
    child.on('error', () => settle());
    child.on('exit', () => settle());
  });
  const identity = child.pid === undefined ? null : readProcessIdentity(child.pid);
  return { process: identity, container: null, ended };
}

async function startContainer(program: RedisProgram & { kind: 'container' }, launch: Launch): Promise<Started> {
  const name = `berth-redis-${randomBytes(6).toString('hex')}`;
  writeConfig(launch, { bind: '0.0.0.0', port: 6379, dir: '/data' });
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const args = ['run', '--detach', '--rm', '--name', name, '--label', 'berth.private-redis=true', '--user', user];
  args.push(
    '--publish',
    `127.0.0.1:${launch.port}:6379`,
    '--volume',
    `${launch.directory}:/data`,
    program.image,
    'valkey-server',
    '/data/redis.conf',
  );
  const { exitCode, output } = await runProgram(program.docker, args, { env: launch.env, timeoutMs: 60_000 });
  if (exitCode !== 0) throw unavailable(`docker run ${program.image} failed: ${output.trim()}`);
  return { process: null, container: { docker: program.docker, name }, ended: new Promise(() => {}) };
}

/** In a file, so that the password stands in no process list. */
function writeConfig(launch: Launch, place: { readonly bind: string; readonly port: number; readonly dir: string }): string {
  const path = join(launch.directory, 'redis.conf');
  const lines = [
    `bind ${place.bind}`,
    `port ${place.port}`,
    `dir ${JSON.stringify(place.dir)}`,
    `requirepass ${launch.password}`,
    'daemonize no',
    'appendonly yes',
    'save ""',
    'maxmemory-policy noeviction',
  ];
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
  return path;
}

async function untilAnswering(launch: Launch, started: Started): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  while (!(await redisAnswers(launch))) {
    const gone = started.container === null && (started.process === null || !isAlive(started.process));
    if (gone || Date.now() > deadlineMs) {
      throw unavailable(`Berth's own Redis did not start in ${launch.directory}: ${lastLines(join(launch.directory, 'redis.log'))}`);
    }
    await sleep(20);
  }
}

async function stopLeftover(directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const record = readRecord(directory);
  if (record === null) return;
  await stopRecorded(record, env);
  rmSync(recordPath(directory), { force: true });
}

async function stopRecorded(record: RunningServer, env: NodeJS.ProcessEnv): Promise<void> {
  if (record.process !== null) await endProcess(record.process, { graceMs: stopGraceMs });
  if (record.container === null) return;
  const { docker, name } = record.container;
  await runProgram(docker, ['stop', '--time', String(stopGraceMs / 1000), name], { env, timeoutMs: 60_000 });
}

function recordPath(directory: string): string {
  return join(directory, 'running.json');
}

function writeRecord(directory: string, record: RunningServer): void {
  writeFileSync(recordPath(directory), `${JSON.stringify({ process: record.process, container: record.container })}\n`);
}

function readRecord(directory: string): RunningServer | null {
  try {
    return JSON.parse(readFileSync(recordPath(directory), 'utf8')) as RunningServer;
  } catch {
    return null;
  }
}

function lastLines(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').slice(-5).join(' | ');
  } catch {
    return 'it wrote nothing';
  }
}

function unavailable(message: string): OperationalError {
  return new OperationalError({
    code: 'REDIS_UNAVAILABLE',
    retryable: false,
    message: `${message}. Or set BERTH_REDIS_URL to a Redis of your own.`,
  });
}
