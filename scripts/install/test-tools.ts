import { ensureRedisProgram } from '../../services/berth/src/install/redis-program.ts';
import { findProgram } from '../../services/berth/src/install/run-program.ts';
import { installSystemPackages } from '../../services/berth/src/install/system-packages.ts';
import type { PackageNames } from '../../services/berth/src/install/system-packages.ts';

interface Tool {
  readonly name: string;
  /** Any of these programs will do. */
  readonly programs: readonly string[];
  readonly packages: PackageNames;
}

const tools: readonly Tool[] = [
  {
    name: 'a Docker engine',
    programs: ['dockerd'],
    // iptables is only recommended by the package, and dockerd does not start without it.
    packages: { 'apt-get': ['docker.io', 'iptables'], dnf: ['moby-engine', 'iptables'], apk: ['docker', 'iptables'] },
  },
  {
    name: 'docker-compose',
    programs: ['docker-compose'],
    packages: { 'apt-get': ['docker-compose'], dnf: ['docker-compose'], apk: ['docker-cli-compose'], brew: ['docker-compose'] },
  },
  {
    name: 'HAProxy',
    programs: ['haproxy'],
    packages: { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], brew: ['haproxy'] },
  },
  {
    name: 'a browser',
    programs: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    packages: { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'], brew: ['chromium'] },
  },
];

/**
 * Installs what the tests need and this machine lacks: Redis, a Docker engine, docker-compose, HAProxy, a browser. What cannot be installed is said, with the
 * command to type, and its tests then fail for themselves.
 */
export async function installTestTools(options: { readonly env: NodeJS.ProcessEnv; readonly say: (line: string) => void }): Promise<void> {
  await ensureRedisProgram(options).catch((error: unknown) => {
    options.say(error instanceof Error ? error.message : String(error));
  });
  for (const tool of tools) {
    if (findProgram(tool.programs, options.env) !== null) continue;
    const installation = await installSystemPackages(tool.packages, options);
    if (installation.kind === 'installed') continue;
    const why = installation.kind === 'failed' ? `failed: ${installation.output}` : 'is yours to type';
    options.say(`${tool.name} is missing; ${installation.command ?? `installing ${tool.programs.join(' or ')}`} ${why}`);
  }
}
