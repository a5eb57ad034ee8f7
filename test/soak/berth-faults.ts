import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { streamChat, type StreamEnd } from '../support/stream-chat.ts';

/**
 * Runs the whole of Berth under load while things are killed, stalled and emptied, and counts the requests that were broken after their
 * first byte: `node test/soak/berth-faults.ts [--seconds 120] [--clients 10] [--seed 1]`. Exits with 1 if any was.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    clients: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});

/** On a card of 24 GiB any two fit together, and three do not. */
const MODELS: BerthOptions['models'] = Object.fromEntries(
  ['red', 'green', 'blue', 'white'].map((name, index) => [
    name,
    { simulated: { weightsMiB: 8_000 + index * 100, activationMiB: 300, tokenDelayMs: 10 } },
  ]),
);

const random = createRandom(Number(values.seed));
const faults: Record<string, (berth: BerthUnderTest) => Promise<void>> = {
  'edge stalled': async ({ edges }) => {
    const edge = edges[Math.floor(random() * edges.length)];
    edge?.stall();
    await sleep(1_000 + random() * 5_000);
    edge?.resume();
  },
  'orchestrator killed': async (berth) => {
    await berth.orchestrator().kill('SIGKILL');
    await berth.startOrchestrator();
  },
  'orchestrator stalled': async (berth) => {
    const orchestrator = berth.orchestrator();
    orchestrator.stall();
    await sleep(2_000 + random() * 4_000);
    orchestrator.resume();
  },
  'redis restarted': async ({ redis }) => {
    await redis.kill();
    await sleep(500);
    await redis.start();
  },
  'redis emptied': async ({ redis }) => {
    const connection = new Redis(redis.url);
    await connection.flushall();
    connection.disconnect();
  },
};

async function main(): Promise<void> {
  const ends = new Map<StreamEnd['kind'], number>();
  const broken: StreamEnd[] = [];
  const injected = new Map<string, number>();
  await using berth = await startBerth({ models: MODELS, edges: 2, catalog: { coldStart: { wait: '40s' }, drain: { timeout: '8s' } } });
  for (const model of Object.keys(MODELS)) await berth.chat(model);

  const stop = AbortSignal.timeout(Number(values.seconds) * 1000);
  const clients = Array.from({ length: Number(values.clients) }, async (_, index) => {
    while (!stop.aborted) {
      const model = Object.keys(MODELS)[Math.floor(random() * 4)] ?? 'red';
      const end = await streamChat(berth.urls[index % berth.urls.length] ?? '', model, 20 + Math.floor(random() * 300));
      ends.set(end.kind, (ends.get(end.kind) ?? 0) + 1);
      if (end.kind === 'broken') broken.push(end);
      if (end.kind === 'refused') await sleep(300);
    }
  });
  while (!stop.aborted) {
    await sleep(2_000 + random() * 4_000, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    const names = Object.keys(faults);
    const name = names[Math.floor(random() * names.length)] ?? '';
    injected.set(name, (injected.get(name) ?? 0) + 1);
    await faults[name]?.(berth);
  }
  await Promise.all(clients);
  const state = await berth.state();
  process.stdout.write(`faults: ${JSON.stringify(Object.fromEntries(injected))}\n`);
  process.stdout.write(`requests: ${JSON.stringify(Object.fromEntries(ends))}\n`);
  process.stdout.write(
    `left behind: ${state.claims.length} claims, ${state.wishes.filter((wish) => wish.kind !== 'waiter').length} wishes\n`,
  );
  for (const end of broken) process.stdout.write(`broken: ${JSON.stringify(end)}\n`);
  process.stdout.write(`broken requests: ${broken.length}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

/** Mulberry32: the same faults for the same seed, as far as timing allows. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

await main();
