import { ensureRedisProgram } from '../../services/berth/src/install/redis-program.ts';
import { installTools } from './tools.ts';
import type { Tool } from './tools.ts';

const tools: readonly Tool[] = [
  {
    name: 'nginx',
    programs: ['nginx'],
    packages: { 'apt-get': ['nginx-light'], dnf: ['nginx-core'], apk: ['nginx'], brew: ['nginx'] },
    service: 'nginx',
  },
  { name: 'wrk', programs: ['wrk'], packages: { 'apt-get': ['wrk'], apk: ['wrk'], brew: ['wrk'] } },
];

/**
 * Installs what the benchmark of the request path needs and this machine lacks: Redis, nginx, wrk. Returns the names of those that are still
 * missing, after saying the command to type. Throws `REDIS_UNAVAILABLE`.
 */
export async function installBenchTools(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}): Promise<readonly string[]> {
  await ensureRedisProgram(options);
  return installTools(tools, options);
}
