import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { injectedCompileCache } from '../card/attach-card.ts';
import { SimulatorError } from '../errors.ts';
import type { EngineApi } from './engine-api.ts';
import { copyInto, copyProgram } from './shared-libraries.ts';

/** Images made of this machine's own files, so that no registry is needed. The engine's tag is the version it behaves like. */
export const images = { base: 'berth-sim/base:latest', engine: 'berth-sim/engine:v0.32.0', redis: 'berth-sim/redis:latest' } as const;
export type ImageName = keyof typeof images;

interface Recipe {
  /** Changes whenever what goes into the image does. */
  inputs: string[];
  dockerfile: string;
  stage: (root: string) => void;
}

const packageDirectory = fileURLToPath(new URL('../..', import.meta.url));
const digestLabel = 'berth.simulator.digest';

/**
 * Builds the images that are missing or out of date and returns their names. `base` carries Node at `/usr/bin/node` and a shell, `engine`
 * the simulated `vllm serve` as its entrypoint, `redis` a Redis without persistence. Throws `TOOL_MISSING` for a program that this machine
 * lacks and `DOCKER_ENGINE_FAILED` for a build that fails.
 */
export async function buildImages(
  api: EngineApi,
  path: string,
  names: readonly ImageName[] = ['base', 'engine', 'redis'],
): Promise<typeof images> {
  // The others start from the base.
  for (const name of new Set<ImageName>(['base', ...names])) await buildImage(api, images[name], recipeOf(name, path));
  return images;
}

function recipeOf(name: ImageName, path: string): Recipe {
  if (name === 'base') return baseRecipe(path);
  return name === 'engine' ? engineRecipe() : redisRecipe(path);
}

function baseRecipe(path: string): Recipe {
  const node = realpathSync(process.execPath);
  const shell = findProgram('sh', path);
  return {
    inputs: [fingerprint(node), fingerprint(shell)],
    dockerfile: 'FROM scratch\nCOPY root/ /\nENV PATH=/usr/local/bin:/usr/bin:/bin HOME=/root\nCMD ["node"]',
    stage: (root) => {
      copyProgram(root, node, '/usr/bin/node');
      copyProgram(root, shell, '/bin/sh');
      for (const directory of ['root', 'run', 'etc']) mkdirSync(join(root, directory), { recursive: true });
      mkdirSync(join(root, 'tmp'));
      chmodSync(join(root, 'tmp'), 0o1777);
      writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n');
      writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
      const certificates = '/etc/ssl/certs/ca-certificates.crt';
      if (existsSync(certificates)) copyInto(root, realpathSync(certificates), certificates);
    },
  };
}

function engineRecipe(): Recipe {
  const source = join(packageDirectory, 'src');
  return {
    inputs: [images.base, ...sourceFiles(source).map((file) => readFileSync(file, 'utf8'))],
    // As in the official image, `serve` belongs to the entrypoint.
    dockerfile: `FROM ${images.base}\nCOPY root/ /\nENTRYPOINT ["vllm","serve"]\nCMD []\nEXPOSE 8000\nENV NODE_COMPILE_CACHE=${injectedCompileCache}`,
    stage: (root) => {
      cpSync(source, join(root, 'opt/berth-simulator/src'), { recursive: true, filter: (file) => !file.includes('.test.') });
      copyInto(root, join(packageDirectory, 'package.json'), '/opt/berth-simulator/package.json');
      const launcher = join(root, 'usr/bin/vllm');
      mkdirSync(join(root, 'usr/bin'), { recursive: true });
      writeFileSync(launcher, "#!/usr/bin/node\nimport('/opt/berth-simulator/src/engine/main.ts');\n");
      chmodSync(launcher, 0o755);
    },
  };
}

function redisRecipe(path: string): Recipe {
  const server = findProgram('redis-server', path);
  return {
    inputs: [images.base, fingerprint(server)],
    dockerfile: `FROM ${images.base}\nCOPY root/ /\nENTRYPOINT ["redis-server","--bind","0.0.0.0","--protected-mode","no","--save",""]\nEXPOSE 6379`,
    stage: (root) => copyProgram(root, server, '/usr/bin/redis-server'),
  };
}

async function buildImage(api: EngineApi, image: string, recipe: Recipe): Promise<void> {
  const digest = createHash('sha256')
    .update([recipe.dockerfile, ...recipe.inputs].join('\0'))
    .digest('hex');
  const filters = encodeURIComponent(JSON.stringify({ reference: [image], label: [`${digestLabel}=${digest}`] }));
  if ((await api.read<unknown[]>(`/images/json?filters=${filters}`)).length > 0) return;
  const context = mkdtempSync(join(tmpdir(), 'berth-image-'));
  try {
    recipe.stage(join(context, 'root'));
    writeFileSync(join(context, 'Dockerfile'), `${recipe.dockerfile}\nLABEL ${digestLabel}=${digest}\n`);
    const tar = spawn('tar', ['-C', context, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const output = await api.call('POST', `/build?t=${encodeURIComponent(image)}&forcerm=1`, tar.stdout, 'application/x-tar');
    // A build that fails still answers 200.
    const failure = /\{"errorDetail".*\}/.exec(output)?.[0];
    if (failure !== undefined) throw new SimulatorError('DOCKER_ENGINE_FAILED', `building ${image} failed: ${failure}`);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

function findProgram(name: string, path: string): string {
  const found = path.split(delimiter).find((part) => existsSync(join(part, name)));
  if (found === undefined) throw new SimulatorError('TOOL_MISSING', `${name} is not on the path`);
  return realpathSync(join(found, name));
}

function fingerprint(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${file} ${size} ${mtimeMs}`;
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
