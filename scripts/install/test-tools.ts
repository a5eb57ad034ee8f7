import { ensureRedisProgram } from '../../services/berth/src/install/redis-program.ts';
import { installTools } from './tools.ts';
import type { Tool } from './tools.ts';

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
  await installTools(tools, options);
}
