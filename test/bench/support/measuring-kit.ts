import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print } from './distribution.ts';

/** The measuring kit, built in a temporary directory: an upstream and a load generator in C, and the reference proxies that are installed. */
export interface MeasuringKit extends AsyncDisposable {
  readonly upstream: string;
  /** Proxies to compare with. */
  readonly references: readonly string[];
  /** Runs the kit's script on targets of its own and on `edge`; its tables go to stdout. */
  measure(
    mode: string,
    edge: { readonly port: number; readonly pid: number; readonly key: string; readonly upstreamPort: number },
  ): Promise<void>;
}

/** Names that the kit's upstream acts upon, as its script asks for them. */
export const KIT_MODELS = [
  'sim',
  'sim-d10',
  'sim-d3000',
  'sim-sse-n10-p10-d3000',
  'sim-sse-n128-s200-p0',
  'sim-sse-n128-s200-p10',
  'sim-sse-n1000-s200-p20',
  'sim-sse-n1000-s200-p1000',
  'sim-sse-n999999-s200-p200',
  'sim-sse-n4000000-s1000-p0',
] as const;

/** Copies the kit's sources out of `directory` and builds them. `null`, with the reason printed, when something it needs is missing. */
export async function buildMeasuringKit(directory: string): Promise<MeasuringKit | null> {
  const missing = ['cc', 'wrk', 'taskset'].filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    print(`The measuring kit needs ${missing.join(', ')} (apt-get install gcc wrk util-linux). Its part is left out.\n`);
    return null;
  }
  const build = await mkdtemp(join(tmpdir(), 'berth-bench-kit-'));
  await cp(directory, build, { recursive: true });
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: build, stdio: ['ignore', 'ignore', 'pipe'] });
  run('chmod', '-R', 'u+w', '.');
  run('cc', '-O2', '-o', 'upstream', 'upstream.c');
  run('cc', '-O2', '-o', 'lg', 'lg.c', '-lm');
  if (isInstalled('go')) {
    run('go', 'mod', 'init', 'goproxy');
    run('go', 'build', '-o', 'goproxy', 'goproxy.go');
  }
  const references = ['nginx', 'haproxy', 'go'].filter(isInstalled);
  return {
    upstream: join(build, 'upstream'),
    references,
    measure: (mode, { port, pid, key, upstreamPort }) =>
      runScript(build, [mode, '-s', ['direct', ...references, `ext:berth:${port}:${pid}:Authorization=Bearer_${key}`].join(' ')], {
        EXT_UP: String(upstreamPort),
      }),
    [Symbol.asyncDispose]: () => rm(build, { recursive: true, force: true }),
  };
}

function runScript(build: string, args: readonly string[], env: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = spawn(process.execPath, [join(build, 'run.mjs'), ...args], {
      cwd: build,
      env: { ...process.env, TOOLS: build, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    script.once('error', reject);
    script.once('exit', (code) => {
      print('');
      if (code === 0) resolve();
      else reject(new Error(`the measuring kit ended with ${code}`));
    });
  });
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
