import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { OperationalError } from '@berth/core';
import { isFileError } from './run-directory.ts';

/** A client may still hold an old address; nobody else's engine may answer there. */
const REST_MS = 10 * 60_000;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Hands out ports of 127.0.0.1. What was handed out stands in a file each, so it holds across restarts and between processes. */
export interface PortPool {
  /** A port that nobody listens on and that no engine had within 10 minutes. Throws `ENGINE_START_FAILED` when there is none. */
  take(owner: string): Promise<number>;
  /** From now on it rests for 10 minutes. */
  release(port: number): Promise<void>;
}

/**
 * `isOwnerAlive` tells whether an engine of that name still has a record. `startAt` says where in the range the search begins: two
 * installations on one machine do not see each other's files, and a port that an engine bound but does not listen on yet looks free.
 */
export async function openPortPool(options: {
  readonly directory: string;
  readonly range: PortRange;
  readonly nowMs: () => number;
  readonly startAt: string;
  readonly isOwnerAlive: (owner: string) => Promise<boolean>;
}): Promise<PortPool> {
  const { directory, range, nowMs } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });

  async function forgetRested(): Promise<Set<number>> {
    const resting = new Set<number>();
    for (const name of await readdir(directory)) {
      const file = join(directory, name);
      try {
        const rested = nowMs() - (await stat(file)).mtimeMs > REST_MS;
        if (rested && !(await options.isOwnerAlive(await readFile(file, 'utf8')))) await unlink(file);
        else resting.add(Number(name));
      } catch (error) {
        if (!isFileError(error, 'ENOENT')) throw error;
      }
    }
    return resting;
  }

  return {
    async take(owner) {
      const resting = await forgetRested();
      for (const port of portsOf(range, options.startAt)) {
        if (resting.has(port) || !(await isPortFree(port))) continue;
        try {
          await writeFile(join(directory, String(port)), owner, { flag: 'wx', mode: 0o600 });
          return port;
        } catch (error) {
          if (!isFileError(error, 'EEXIST')) throw error; // somebody was faster
        }
      }
      throw new OperationalError({
        code: 'ENGINE_START_FAILED',
        message:
          `No port is free between ${range.first} and ${range.last}: ${resting.size} belong to engines or rest for 10 minutes after one. ` +
          'Stop what listens there, or wait.',
        retryable: true,
        details: { first: range.first, last: range.last, resting: resting.size },
      });
    },
    async release(port) {
      const now = new Date(nowMs());
      try {
        await utimes(join(directory, String(port)), now, now);
      } catch (error) {
        if (!isFileError(error, 'ENOENT')) throw error;
      }
    },
  };
}

/** Every port of the range once, from the one that the text stands for. */
function portsOf({ first, last }: PortRange, startAt: string): readonly number[] {
  const count = last - first + 1;
  const offset = createHash('sha256').update(startAt).digest().readUInt32BE() % count;
  return Array.from({ length: count }, (_, index) => first + ((offset + index) % count));
}

/** Whether an engine could listen there, on the loopback address and on all addresses. */
export async function isPortFree(port: number): Promise<boolean> {
  for (const host of ['127.0.0.1', '0.0.0.0']) if (!(await canListen(host, port))) return false;
  return true;
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
