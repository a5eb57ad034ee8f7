import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { findLeaks } from '../../scripts/leaks.ts';
import { describeConformance } from '../conformance/sdk/suite.ts';
import { eventually } from '../support/eventually.ts';
import { isAnswering, isProcessAlive } from '../support/reachability.ts';
import { openStream, type OpenStream } from '../support/requests.ts';
import { helloTo, startUp, temporaryFolder, WORKSPACE_SCRIPT, type StartedUp } from '../support/up.ts';
import { processOf, recordedEngines, runningRequests, sessionOf, type RecordedEngine } from './engine-processes.ts';
import { heartbeatPhases, places, watchModel } from './watch-load.ts';

/** The program of a vLLM that runs on the CPU; see README.md beside this file. */
const program = process.env['BERTH_TEST_VLLM'] ?? null;
const skipped = program === null ? ' (skipped: BERTH_TEST_VLLM names no vllm program; npm run test:vllm installs one)' : '';

/** A start takes one to two minutes on two idle cores, most of it imports (vLLM 0.32.0, measured). */
const LOAD_MS = 5 * 60_000;
const CONTEXT = 65_536;

let folder: ReturnType<typeof temporaryFolder>;
let berth: StartedUp;
/** The engine of the other model; it idles while the first one is crashed and loaded again. */
let embedder: RecordedEngine;
const measured: string[] = [];

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
  }, LOAD_MS);

  afterAll(async () => {
    await berth?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
    for (const line of measured) console.log(`measured: ${line}`);
  }, LOAD_MS);

  test('one cold start is watched to ready, by heartbeats and by GET /v1/models, and answers a stream and a call', async () => {
    const done = new AbortController();
    const watched = watchModel(berth.url, 'tiny', done.signal);
    const body = { ...helloTo('tiny-alias'), max_tokens: 5, stream: true, stream_options: { include_usage: true } };
    const streamed = postJson(`${berth.url}/v1/chat/completions`, body);
    const called = clientOf().chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    const { text, status } = await streamed;
    expect((await called).model).toBe('tiny');
    const states = await watched.finally(() => done.abort());
    expect(engines()).toHaveLength(1);

    const phases = heartbeatPhases(text);
    expect([status, phases.length > 1]).toEqual([200, true]);
    expect(places(phases)).toEqual(places(phases).toSorted((left, right) => left - right));
    expect(places(phases)).not.toContain(-1);
    // Comments first, then the stream of the engine and nothing else.
    const frames = text.slice(text.indexOf('data: '));
    expect(frames).not.toContain(': berth');
    expect(frames).toMatch(/"model":"tiny-alias".*"completion_tokens":\d[^]*data: \[DONE\]\n\n$/u);
    const words = states.map(({ state }) => state);
    expect(words.at(-1)).toBe('ready');
    expect(places(words)).toEqual(places(words).toSorted((left, right) => left - right));
    expect(words).toContain('starting');
    measured.push(
      `cold start ${seconds(states.at(-1)?.afterMs)}: ${states.map(({ state, afterMs }) => `${state} ${seconds(afterMs)}`).join(', ')}`,
    );
    measured.push(`phases in heartbeats: ${phases.join(', ')}`);
    const model = (await (await fetch(`${berth.url}/v1/models/tiny`)).json()) as { readonly berth: object };
    expect(model.berth).toMatchObject({ state: 'ready', maxModelLen: CONTEXT });
  });

  describeConformance({
    baseUrl: () => berth.url,
    models: { chat: 'tiny', chatAlias: 'tiny-alias', embedding: 'embedder', reranker: null, classifier: null, audio: null },
    capabilities: { choosesTools: false, answersWhileItGenerates: false },
  });

  test.each([
    ['/v1/chat/completions', { model: 'tiny' }, 400],
    ['/v1/chat/completions', { ...helloTo('tiny'), max_tokens: -1 }, 400],
    ['/v1/chat/completions', { ...helloTo('tiny-alias'), max_tokens: CONTEXT + 1, stream: true }, 400],
    ['/v1/messages', { ...helloTo('tiny'), max_tokens: -1 }, 400],
    ['/v1/embeddings', { model: 'tiny', input: 'x' }, 404],
  ])('what it says to a wrong POST %s passes through untouched', async (path, body, status) => {
    const [own, ours] = await Promise.all([engineOf('tiny').url, berth.url].map((base) => postJson(base + path, body)));
    expect(ours).toEqual(own);
    expect(own?.status).toBe(status);
  });

  test('two models answer side by side, each under its own name', async () => {
    const asked = Array.from({ length: 6 }, async (_, index) =>
      index % 2 === 0
        ? (await clientOf().chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 })).model
        : (await clientOf().embeddings.create({ model: 'embedder', input: 'A ship' })).model,
    );
    expect(await Promise.all(asked)).toEqual(['tiny', 'embedder', 'tiny', 'embedder', 'tiny', 'embedder']);
    expect(engines()).toHaveLength(2);
    embedder = engineOf('embedder');
  });

  test('a client that leaves ends its generation, streamed or not', async () => {
    const engine = engineOf('tiny');
    const stream = await streamEndlessly();
    expect(await runningRequests(engine)).toBe(1);
    stream.close();
    measured.push(`after a client left a stream the engine ran nothing within ${await idleAfterMs(engine)} ms`);

    const leaving = new AbortController();
    const endless = JSON.stringify({ ...helloTo('tiny'), max_tokens: CONTEXT - 100, ignore_eos: true });
    const headers = { 'content-type': 'application/json' };
    const called = fetch(`${berth.url}/v1/chat/completions`, { method: 'POST', headers, body: endless, signal: leaving.signal });
    await eventually('the call to run', async () => (await runningRequests(engine)) === 1);
    leaving.abort();
    await expect(called).rejects.toThrow();
    measured.push(`after a client left a call the engine ran nothing within ${await idleAfterMs(engine)} ms`);
  });

  test('killed while it streams it says so in its own words, and the next request is answered by a new one', async () => {
    const stream = await streamEndlessly();
    const before = engineOf('tiny');
    process.kill(await processOf(before, 'VLLM::EngineCore'), 'SIGKILL');
    await eventually('the stream to end', () => stream.ended());
    expect(stream.errorFrames()).toEqual([expect.stringContaining('EngineCore encountered an issue')]);
    // For a moment it still answers, with 500, which passes through like any answer of an engine.
    await eventually('its API server to exit', () => !isProcessAlive(before.pid));
    const beganAtMs = performance.now();
    const next = clientOf().chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    const loading = await eventually('another engine', () => enginesOf('tiny').find(({ name }) => name !== before.name), LOAD_MS);

    const { services } = JSON.parse(readFileSync(join(folder.path, '.berth/run/up.json'), 'utf8')) as {
      readonly services: Readonly<Record<string, { readonly pid: number }>>;
    };
    process.kill(services['orchestrator']?.pid ?? 0, 'SIGKILL');
    expect((await next).model).toBe('tiny');
    expect(enginesOf('tiny').map(({ name }) => name)).toEqual([loading.name]);
    measured.push(
      `after the crash, with the orchestrator killed while it loaded, the next answer came after ${seconds(performance.now() - beganAtMs)}`,
    );
  });

  test('idle, it is stopped with all its processes, and its port is free', async () => {
    await eventually('its record to go', () => !isRecorded(embedder), LOAD_MS);
    expect(await leftOf(embedder)).toEqual({ alive: false, processes: [], answers: false });
  });

  test('stopped by an operator it drains first, and leaves no process', async () => {
    const engine = engineOf('tiny');
    const stream = await streamEndlessly();
    await fetch(`${berth.url}/admin/v1/models/tiny/stop`, { method: 'POST' });
    await eventually('the drain', async () => (await stateOf('tiny')) === 'draining', LOAD_MS);
    // vLLM would cut it: it is asked to stop only when nothing is in flight.
    expect([stream.ended(), isProcessAlive(engine.pid), await runningRequests(engine)]).toEqual([false, true, 1]);
    stream.close();
    const beganAtMs = performance.now();
    await eventually('its record to go', () => !isRecorded(engine), LOAD_MS);
    measured.push(`from the end of its last stream to the end of a drained engine ${seconds(performance.now() - beganAtMs)}`);
    expect(stream.errorFrames()).toEqual([]);
    expect(await leftOf(engine)).toEqual({ alive: false, processes: [], answers: false });
  });

  test('Ctrl-C with a stream open ends everything, although a vLLM that is asked to stop waits for its clients', async () => {
    await clientOf().chat.completions.create({ ...helloTo('tiny'), max_tokens: 5 });
    const stream = await streamEndlessly();
    process.kill(-berth.pid, 'SIGINT');
    expect(await berth.exitCode).toBe(0);
    expect(stream.ended()).toBe(true);
    expect(findLeaks(folder.path)).toEqual([]);
  });
});

/** The same tiny model twice: as it is, and turned into one that embeds. */
function catalogOf(source: string): object {
  const shared = {
    source,
    command: [program, 'serve'],
    env: { HF_HUB_OFFLINE: 1, VLLM_NO_USAGE_STATS: 1, VLLM_ENABLE_RESPONSES_API_STORE: 1 },
    kvCache: '1GiB',
    gpus: 0,
    loadTimeout: `${LOAD_MS / 60_000}m`,
  };
  const args = ['--max-num-seqs', 4, '--dtype', 'float32', '--enforce-eager', '--max-model-len'];
  return {
    host: { runtime: 'process' },
    coldStart: { heartbeatAfter: '1s', heartbeatEvery: '1s' },
    drain: { timeout: `${LOAD_MS / 60_000}m` },
    models: {
      tiny: {
        ...shared,
        aliases: ['tiny-alias'],
        args: [...args, CONTEXT, '--enable-auto-tool-choice', '--tool-call-parser', 'hermes'],
        idleTimeout: '30m',
      },
      embedder: { ...shared, args: [...args, 2048, '--runner', 'pooling'], idleTimeout: '90s' },
    },
  };
}

function clientOf() {
  return berth.client.withOptions({ timeout: LOAD_MS });
}

/** A stream that has begun; it ends with the test at the latest, so that what a test leaves keeps no engine busy. */
async function streamEndlessly(): Promise<OpenStream> {
  const stream = await openStream(berth.url, 'tiny');
  onTestFinished(() => stream.close());
  await stream.firstEvent;
  return stream;
}

function engines(): readonly RecordedEngine[] {
  return recordedEngines(folder.path);
}

function enginesOf(model: string): readonly RecordedEngine[] {
  return engines().filter((engine) => engine.model === model);
}

/** By name: the command line of an engine that is ending tells no model any more. */
function isRecorded(engine: RecordedEngine): boolean {
  return engines().some(({ name }) => name === engine.name);
}

function engineOf(model: string): RecordedEngine {
  const [engine] = enginesOf(model);
  if (engine === undefined) throw new Error(`no engine of ${model} has a record`);
  return engine;
}

async function stateOf(model: string): Promise<string> {
  const { berth: told } = (await (await fetch(`${berth.url}/v1/models/${model}`)).json()) as { readonly berth: { readonly state: string } };
  return told.state;
}

/** Milliseconds until the engine's own gauge says that nothing runs, polled all the time. */
async function idleAfterMs(engine: RecordedEngine): Promise<number> {
  const beganAtMs = performance.now();
  await eventually('the engine to run nothing', async () => (await runningRequests(engine)) === 0);
  return Math.round(performance.now() - beganAtMs);
}

async function leftOf(engine: RecordedEngine) {
  return { alive: isProcessAlive(engine.pid), processes: sessionOf(engine.pid), answers: await isAnswering(`${engine.url}/health`) };
}

function seconds(ms: number | undefined): string {
  return `${((ms ?? Number.NaN) / 1000).toFixed(1)} s`;
}

async function postJson(url: string, body: object) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { status: response.status, contentType: response.headers.get('content-type'), text: await response.text() };
}
