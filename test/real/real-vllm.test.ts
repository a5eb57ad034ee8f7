import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findLeaks } from '../../scripts/leaks.ts';
import { eventually } from '../support/eventually.ts';
import { isAnswering, isProcessAlive } from '../support/reachability.ts';
import { openStream } from '../support/requests.ts';
import { helloTo, startUp, temporaryFolder, WORKSPACE_SCRIPT, type StartedUp } from '../support/up.ts';

/** The program of a vLLM that runs on the CPU; see README.md beside this file. */
const program = process.env['BERTH_TEST_VLLM'] ?? null;
const skipped = program === null ? ' (skipped: BERTH_TEST_VLLM names no vllm program; test/real/README.md says how to get one)' : '';

/** A start takes one to two minutes on two idle cores, most of it imports (vLLM 0.32.0, measured). */
const LOAD_MS = 5 * 60_000;
const CONTEXT = 65_536;

let folder: ReturnType<typeof temporaryFolder>;
let berth: StartedUp;
let client: OpenAI;

/** In this order, on one Berth: a start is too dear for one each. */
describe.skipIf(program === null)(`a real vLLM on the CPU${skipped}`, { timeout: 3 * LOAD_MS }, () => {
  beforeAll(async () => {
    folder = temporaryFolder();
    execFileSync(process.execPath, [WORKSPACE_SCRIPT, 'install']);
    const model = join(folder.path, 'tiny');
    const script = fileURLToPath(new URL('./make-model.py', import.meta.url));
    execFileSync(join(dirname(program ?? ''), 'python'), [script, model, String(CONTEXT)], { stdio: 'ignore' });
    const catalogPath = join(folder.path, 'berth.yaml');
    writeFileSync(catalogPath, stringify(catalogOf(model)));
    berth = await startUp(folder.path, { BERTH_CONFIG: catalogPath });
    client = berth.client.withOptions({ timeout: LOAD_MS });
  }, LOAD_MS);

  afterAll(async () => {
    await berth?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  }, LOAD_MS);

  test('one start answers a stream and a call that came cold, each under the name that it asked for', async () => {
    const streamed = client.chat.completions.create({
      ...helloTo('tiny-alias'),
      max_tokens: 5,
      stream: true,
      stream_options: { include_usage: true },
    });
    const called = client.chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    const chunks = await Array.fromAsync(await streamed);
    expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set(['tiny-alias']));
    expect(chunks.at(-1)?.usage?.completion_tokens).toBeGreaterThan(0);
    expect((await called).model).toBe('tiny');
    expect(engines()).toHaveLength(1);
    const model = (await (await fetch(`${berth.url}/v1/models/tiny`)).json()) as { readonly berth: object };
    expect(model.berth).toMatchObject({ state: 'ready', maxModelLen: CONTEXT });
  });

  test.each([
    ['/v1/chat/completions', { model: 'tiny' }, 400],
    ['/v1/chat/completions', { ...helloTo('tiny'), max_tokens: -1 }, 400],
    ['/v1/chat/completions', { ...helloTo('tiny-alias'), max_tokens: CONTEXT + 1, stream: true }, 400],
    ['/v1/messages', { ...helloTo('tiny'), max_tokens: -1 }, 400],
    ['/v1/embeddings', { model: 'tiny', input: 'x' }, 404],
  ])('what it says to a wrong POST %s passes through untouched', async (path, body, status) => {
    const [own, ours] = await Promise.all([engineUrl(), berth.url].map((base) => postJson(base + path, body)));
    expect(ours).toEqual(own);
    expect(own?.status).toBe(status);
  });

  test('a client that leaves a stream ends its generation', async () => {
    const stream = await openStream(berth.url, 'tiny');
    await stream.firstEvent;
    expect(await runningRequests()).toBe(1);
    stream.close();
    await eventually('the engine to run nothing', async () => (await runningRequests()) === 0);
  });

  test('killed while it streams it says so in its own words, and the next request is answered by a new one', async () => {
    const stream = await openStream(berth.url, 'tiny');
    await stream.firstEvent;
    const [before] = engines();
    process.kill(await pidOf('VLLM::EngineCore'), 'SIGKILL');
    await eventually('the stream to end', () => stream.ended());
    expect(stream.errorFrames()).toEqual([expect.stringContaining('EngineCore encountered an issue')]);
    // For a moment it still answers, with 500, which passes through like any answer of an engine.
    await eventually('its API server to exit', () => !isProcessAlive(before?.pid ?? 0));
    const next = client.chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    await eventually('another engine', () => engines().some(({ name }) => name !== before?.name), LOAD_MS);
    const loading = engines().find(({ name }) => name !== before?.name);

    const { services } = JSON.parse(readFileSync(join(folder.path, '.berth/run/up.json'), 'utf8')) as {
      readonly services: Readonly<Record<string, { readonly pid: number }>>;
    };
    process.kill(services['orchestrator']?.pid ?? 0, 'SIGKILL');
    expect((await next).model).toBe('tiny');
    expect(engines()).toEqual([loading]);
  });

  test('idle, it is stopped with all its processes, and its port is free', async () => {
    const [engine] = engines();
    const url = engineUrl();
    await eventually('its record to go', () => engines().length === 0, LOAD_MS);
    expect(isProcessAlive(engine?.pid ?? 0)).toBe(false);
    expect(sessionOf(engine?.pid ?? 0)).toEqual([]);
    expect(await isAnswering(`${url}/health`)).toBe(false);
  });

  test('Ctrl-C with a stream open ends everything, although a vLLM that is asked to stop waits for its clients', async () => {
    await client.chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    const stream = await openStream(berth.url, 'tiny');
    await stream.firstEvent;
    process.kill(-berth.pid, 'SIGINT');
    expect(await berth.exitCode).toBe(0);
    expect(stream.ended()).toBe(true);
    expect(findLeaks(folder.path)).toEqual([]);
  });
});

function catalogOf(source: string): object {
  return {
    host: { runtime: 'process' },
    models: {
      tiny: {
        source,
        aliases: ['tiny-alias'],
        command: [program, 'serve'],
        args: ['--max-model-len', CONTEXT, '--max-num-seqs', 4, '--dtype', 'float32', '--enforce-eager'],
        env: { HF_HUB_OFFLINE: 1, VLLM_NO_USAGE_STATS: 1 },
        kvCache: '1GiB',
        gpus: 0,
        loadTimeout: `${LOAD_MS / 60_000}m`,
        idleTimeout: '30s',
      },
    },
  };
}

/** Engines that have a record, by the process that leads each one's session. */
function engines(): readonly { readonly name: string; readonly pid: number }[] {
  const directory = join(folder.path, '.berth/run');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.started'))
    .map((name) => ({ name, pid: Number(readFileSync(join(directory, name), 'utf8').split('\n')[0]) }));
}

/** Where the one engine listens: its own command line says it. */
function engineUrl(): string {
  const words = readFileSync(`/proc/${engines()[0]?.pid ?? 0}/cmdline`, 'utf8').split('\0');
  return `http://127.0.0.1:${words[words.indexOf('--port') + 1] ?? ''}`;
}

function sessionOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((member) => Number.isInteger(member) && isProcessAlive(member))
    .filter((member) => statFields(member)[3] === String(pid));
}

/** What follows the name in `/proc/PID/stat`; the session is the fourth (proc(5)). */
function statFields(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return []; // it ended meanwhile
  }
}

async function pidOf(title: string): Promise<number> {
  const [engine] = engines();
  return eventually(title, () => sessionOf(engine?.pid ?? 0).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(title)));
}

async function runningRequests(): Promise<number> {
  const text = await (await fetch(`${engineUrl()}/metrics`)).text();
  return Number(/^vllm:num_requests_running\{.*\} (\S+)$/mu.exec(text)?.[1]);
}

async function postJson(url: string, body: object) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { status: response.status, contentType: response.headers.get('content-type'), text: await response.text() };
}
