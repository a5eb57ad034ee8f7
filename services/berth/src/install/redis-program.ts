import { OperationalError } from '@berth/core';
import { installSystemPackages, stopPackagedService } from './system-packages.ts';
import type { PackageNames } from './system-packages.ts';
import { findProgram, runProgram } from './run-program.ts';

/** What a private Redis is started from. */
export type RedisProgram =
  | { readonly kind: 'program'; readonly path: string }
  /** An image that is on this machine, started with the `docker` command at `docker`. */
  | { readonly kind: 'container'; readonly docker: string; readonly image: string };

const names = ['valkey-server', 'redis-server'];
const packages: PackageNames = { 'apt-get': ['redis-server'], dnf: ['valkey'], apk: ['valkey'], brew: ['valkey'] };
/** Pinned, so that a start today and a start next year run the same server. */
const image = 'valkey/valkey:8.1.4-alpine';

/**
 * Finds a Redis server: `valkey-server` or `redis-server` of this machine; if there is none, installed by the system's package manager where
 * that is permitted (it says so first); else a pinned container where the Docker engine has or can pull its image. Throws
 * `REDIS_UNAVAILABLE` with the one command to type.
 */
export async function ensureRedisProgram(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}): Promise<RedisProgram> {
  const present = findProgram(names, options.env);
  if (present !== null) return { kind: 'program', path: present };
  const installation = await installSystemPackages(packages, options);
  const installed = findProgram(names, options.env);
  if (installed !== null) {
    if (installation.kind === 'installed') await stopPackagedService('redis-server', options.env);
    return { kind: 'program', path: installed };
  }
  const container = await pullContainer(options);
  if (container !== null) return container;
  const command = 'command' in installation ? installation.command : null;
  throw new OperationalError({
    code: 'REDIS_UNAVAILABLE',
    retryable: false,
    message:
      `Berth needs a Redis or Valkey server, and there is none on this machine` +
      `${installation.kind === 'failed' ? ` (${installation.command} failed: ${installation.output})` : ''}. ` +
      `${command === null ? 'Install valkey or redis' : `Type: ${command}`}, or set BERTH_REDIS_URL to one that runs elsewhere.`,
  });
}

async function pullContainer(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}): Promise<RedisProgram | null> {
  const docker = findProgram(['docker'], options.env);
  if (docker === null) return null;
  const { env } = options;
  const present = await runProgram(docker, ['image', 'inspect', image], { env, timeoutMs: 20_000 });
  if (present.exitCode === 0) return { kind: 'container', docker, image };
  options.say(`pulling ${image} for Redis …`);
  const pulled = await runProgram(docker, ['pull', '--quiet', image], { env, timeoutMs: 5 * 60_000 });
  return pulled.exitCode === 0 ? { kind: 'container', docker, image } : null;
}
