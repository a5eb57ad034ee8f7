import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildImages, copyProgram, createSimulatedHost, images, startDockerEngine } from '@berth/simulator';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { findFreePort } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const composeFile = join(root, 'docker-compose.yml');

test('the compose file has no obsolete keys and gives networks and volumes explicit names', () => {
  const file = parse(readFileSync(composeFile, 'utf8')) as ComposeFile;
  expect(Object.keys(file).toSorted()).toEqual(['networks', 'services', 'volumes']);
  for (const { name } of [...Object.values(file.networks), ...Object.values(file.volumes)])
    expect(name).toMatch(/^\$\{BERTH_INSTALLATION:-berth\}-/);
  expect(file.services['edge']).not.toHaveProperty('ports');
  expect(file.services['edge']).not.toHaveProperty('container_name');
  const withSocket = Object.entries(file.services).filter(([, service]) => JSON.stringify(service).includes('docker.sock'));
  expect(withSocket.map(([name]) => name)).toEqual(['orchestrator']);
});

test('every base image is a build argument', () => {
  const file = parse(readFileSync(composeFile, 'utf8')) as ComposeFile;
  for (const { build } of Object.values(file.services)) {
    const dockerfile = readFileSync(join(root, build.context, build.dockerfile), 'utf8');
    for (const [name, value] of Object.entries(build.args)) {
      expect(dockerfile).toContain(`ARG ${name}=${/:-(.*)\}$/.exec(value)?.[1]}`);
      expect(dockerfile).toContain(`FROM \${${name}}`);
    }
    expect(dockerfile.match(/^FROM .*/gm)).toHaveLength(Object.keys(build.args).length);
  }
});

test(
  'the stack comes up from its own Dockerfiles on a real engine, with two edges, and answers a chat through the proxy',
  { timeout: 300_000 },
  async () => {
    await using opened = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), 'compose-'));
    opened.defer(() => rmSync(directory, { recursive: true, force: true }));
    const path = process.env['PATH'] ?? '';
    const host = createSimulatedHost(join(directory, 'host'), [{ memoryTotalMiB: 24_576 }]);
    const engine = await startDockerEngine({ directory: join(directory, 'engine'), stateDirectory: host.stateDirectory, path });
    opened.defer(async () => engine.stop({ removeData: true }));
    await buildImages(engine.api, path);

    const environment = await stackEnvironment({ directory, socketPath: engine.socketPath });
    buildProxyBase(directory, environment);
    const compose = (...args: string[]): string => runProgram('docker-compose', ['-f', composeFile, ...args], environment);
    compose('config', '-q');
    compose('up', '--no-start', '--build', '--scale', 'edge=2');
    const networks = await engine.api.read<readonly DockerNetwork[]>('/networks');
    const own = networks.filter(({ Name }) => Name.startsWith(environment.BERTH_INSTALLATION));
    expect(new Set(own.map(({ Name }) => Name))).toEqual(
      new Set([`${environment.BERTH_INSTALLATION}-control`, `${environment.BERTH_INSTALLATION}-engines`]),
    );
    opened.use(allowTrafficInside(own));
    compose('up', '-d', '--scale', 'edge=2');

    const url = `http://127.0.0.1:${environment.BERTH_PORT}`;
    const placement = async (): Promise<boolean> => (await fetch(`${url}/health/placement`).catch(() => null))?.status === 200;
    await eventually('an orchestrator that leads', placement, 60_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${compose('ps')}\n${compose('logs', '--no-color', '--tail', '40')}`);
    });
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: 'Hello!' }];
    const answer = await client.chat.completions.create({ model: 'chat', messages, max_tokens: 4 });
    expect(answer.choices[0]?.message.content).toBeTruthy();
    const stream = await client.chat.completions.create({ model: 'chat', messages, max_tokens: 4, stream: true });
    let chunks = 0;
    for await (const chunk of stream) chunks += chunk.choices.length;
    expect(chunks).toBeGreaterThan(1);

    await eventually('both edges to be known', async () => {
      const state = (await (await fetch(`${url}/admin/v1/state`)).json()) as { readonly edges: readonly unknown[] };
      return state.edges.length === 2;
    });

    // The orchestrator leaves endpoints running for the next one, and the network stays as long as an endpoint is on it.
    expect(compose('exec', '-T', 'edge', 'berth', 'stop', '--all')).toContain('stopped');
    expect(await engine.api.read('/containers/json?all=1&filters={"label":["berth.installation"]}')).toEqual([]);
    compose('down', '--volumes', '--timeout', '10');
  },
);

interface DockerNetwork {
  readonly Name: string;
  readonly Id: string;
}

/**
 * The private engine writes no packet filter rules, and where another engine has set the machine's default to drop what is forwarded, that holds for
 * containers of one bridge as well.
 */
function allowTrafficInside(networks: readonly DockerNetwork[]): Disposable {
  const bridges = networks.map(({ Id }) => `br-${Id.slice(0, 12)}`);
  const change = (action: string): void => {
    for (const bridge of bridges)
      runProgram('iptables', ['-w', action, 'FORWARD', '-i', bridge, '-o', bridge, '-j', 'ACCEPT'], process.env);
  };
  change('-I');
  return { [Symbol.dispose]: () => change('-D') };
}

interface ComposeFile {
  readonly services: Readonly<
    Record<
      string,
      { readonly build: { readonly context: string; readonly dockerfile: string; readonly args: Readonly<Record<string, string>> } }
    >
  >;
  readonly networks: Readonly<Record<string, { readonly name: string }>>;
  readonly volumes: Readonly<Record<string, { readonly name: string }>>;
}

async function stackEnvironment({ directory, socketPath }: { readonly directory: string; readonly socketPath: string }) {
  const catalog = join(directory, 'berth.yaml');
  const model = { source: 'Qwen/Qwen2.5-1.5B-Instruct', image: images.engine, kvCache: '1GiB' };
  writeFileSync(catalog, JSON.stringify({ host: { probeImage: images.base }, models: { chat: model } }));
  const name = `berth-compose-${process.pid}`;
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    DOCKER_HOST: `unix://${socketPath}`,
    DOCKER_BUILDKIT: '0',
    COMPOSE_DOCKER_CLI_BUILD: '0',
    COMPOSE_PROJECT_NAME: name,
    BERTH_INSTALLATION: name,
    BERTH_PORT: String(await findFreePort()),
    BERTH_CONFIG: catalog,
    BERTH_DOCKER_SOCKET: socketPath,
    BERTH_ENGINE_SUBNET: '10.199.16.0/20',
    BERTH_ENGINE_RANGE: '10.199.16.0/24',
    NODE_IMAGE: images.base,
    REDIS_IMAGE: images.redis,
    PROXY_IMAGE: 'berth-sim/haproxy:latest',
  };
}

/** A base image with HAProxy, of this machine's own files. */
function buildProxyBase(directory: string, environment: NodeJS.ProcessEnv): void {
  const context = join(directory, 'haproxy');
  mkdirSync(context);
  copyProgram(join(context, 'root'), '/usr/sbin/haproxy', '/usr/bin/haproxy');
  writeFileSync(join(context, 'Dockerfile'), `FROM ${images.base}\nCOPY root/ /\n`);
  runProgram('docker', ['build', '--quiet', '--tag', 'berth-sim/haproxy:latest', context], environment);
}

function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed (${error?.message ?? status}):\n${stdout}${stderr}`);
  return stdout;
}
