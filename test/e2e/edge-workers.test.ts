import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findFreePort, startBerth } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { parseMetrics } from '../support/parse-metrics.ts';
import { helloTo } from '../support/up.ts';

const BERTH = fileURLToPath(new URL('../../services/berth/src/main.ts', import.meta.url));

test('workers share the port, are counted as one edge, outlive each other, and end together', async () => {
  await using berth = await startBerth({ models: { tiny: {} } });
  await using edge = await startWorkers({ ...berth.edges[0]?.env, BERTH_PORT: String(await findFreePort()) }, 2);
  await eventually('workers to listen', () => edge.output().includes(`listening at ${edge.url}`));
  const [first, second] = edge.workers();
  expect(second).toBeDefined();

  const replicas = new Set<string>();
  await eventually('both workers to have answered', async () => {
    expect((await ask(edge.url)).status).toBe(200);
    for (const line of edge.lines()) if (line['msg'] === 'request served') replicas.add(String(line['edgeReplicaId']));
    return replicas.size === 2;
  });
  const asked = edge.asked();
  await eventually('every request to be counted, whichever worker is scraped', async () => (await countedRequests(edge.url)) === asked);

  process.kill(first ?? 0, 'SIGKILL');
  await eventually('another worker in its place', () => edge.workers().length === 2 && !edge.workers().includes(first ?? 0));
  expect(edge.workers()).toContain(second);
  expect((await ask(edge.url)).status).toBe(200);

  edge.kill('SIGTERM');
  expect(await edge.exitCode).toBe(0);
  expect(edge.workers()).toEqual([]);

  function ask(url: string): Promise<Response> {
    edge.count();
    // A connection of its own: connections are what is dealt out to the workers.
    return fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ ...helloTo('tiny'), max_tokens: 1 }),
    });
  }
});

test('workers whose port is taken say so once and end with 1', async () => {
  await using berth = await startBerth({ models: { tiny: {} } });
  const taken = new URL(berth.urls[0] ?? '').port;
  await using edge = await startWorkers({ ...berth.edges[0]?.env, BERTH_PORT: taken }, 2);
  expect(await edge.exitCode).toBe(1);
  expect(edge.output().match(/is in use by another program/gu)).toHaveLength(1);
  expect(edge.workers()).toEqual([]);
});

test.each([
  ['is killed', 'SIGKILL'],
  ['is signalled again and again', 'SIGTERM'],
] as const)('no worker outlives the process that started it when that %s, not even with a stream open', async (_, signal) => {
  await using berth = await startBerth({ models: { slow: { simulated: { tokenDelayMs: 500 } } } });
  await using edge = await startWorkers(
    { ...berth.edges[0]?.env, BERTH_PORT: String(await findFreePort()), BERTH_SHUTDOWN_GRACE_MS: '60000' },
    2,
  );
  await eventually('workers to listen', () => edge.output().includes(`listening at ${edge.url}`));
  const answer = await fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...helloTo('slow'), stream: true, max_tokens: 1000, ignore_eos: true }),
  });
  expect(answer.status).toBe(200);
  const workers = edge.workers();
  expect(workers).toHaveLength(2);
  await eventually('all to end', () => {
    edge.kill(signal);
    return !workers.some(isAlive);
  });
  await answer.body?.cancel().catch(() => undefined);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function startWorkers(env: Readonly<Record<string, string>>, count: number) {
  const child = spawn(process.execPath, [BERTH, 'edge', '--workers', String(count)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exitCode = once(child, 'exit').then(([code]: unknown[]) => code);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()));
  let asked = 0;
  return {
    url: `http://127.0.0.1:${env['BERTH_PORT'] ?? ''}`,
    exitCode,
    output: () => output,
    lines: () => output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : [])),
    workers: () => childrenOf(child.pid ?? -1),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    count: () => (asked += 1),
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exitCode;
    },
  };
}

/** Requests that the scrape of any worker counts for all of them. */
async function countedRequests(url: string): Promise<number | null> {
  const scrape = await fetch(`${url}/metrics`, { headers: { connection: 'close' } });
  return parseMetrics(await scrape.text()).value('berth_edge_requests_total', { model: 'tiny' });
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => Number.isInteger(candidate) && parentOf(candidate) === pid);
}

/** The second field behind the name in `/proc/PID/stat` (proc(5)). */
function parentOf(pid: number): number | null {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return null; // it ended meanwhile
  }
}
