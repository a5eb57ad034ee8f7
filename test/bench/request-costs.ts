import { hash, randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { closeSync, openSync } from 'node:fs';
import { loadCatalog } from '@berth/config';
import type { EdgeSession } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { BlockWriter } from '../../packages/telemetry/src/block-writer.ts';
import { ApiAccess } from '../../services/edge/src/keys/api-access.ts';
import { EdgeMetrics } from '../../services/edge/src/telemetry/edge-metrics.ts';
import { requestEnd } from '../../services/edge/src/telemetry/request-end.ts';
import type { RequestEnd } from '../../services/edge/src/telemetry/request-end.ts';
import { RequestLog } from '../../services/edge/src/telemetry/request-log.ts';
import { requestRecord } from '../../services/edge/src/telemetry/request-record.ts';
import type { RequestRecord } from '../../services/edge/src/telemetry/request-record.ts';
import { UsageReader } from '../../services/edge/src/telemetry/usage-reader.ts';
import { printTable } from './support/distribution.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, calls: { type: 'string', default: '100000' } } });
const [rounds, calls] = [Number(values.rounds), Number(values.calls)];

/** Inputs that are there at a time, as of requests that are in flight. */
const BATCH = 64;

/** ns per call, of the best round: the others were disturbed. Each call gets an input that was made for it just before. */
function measure<Input>(prepare: (at: number) => Input, call: (input: Input) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round += 1) {
    let spentNs = 0n;
    for (let begin = 0; begin < calls; begin += BATCH) {
      const inputs = Array.from({ length: BATCH }, (_, at) => prepare(begin + at));
      const beganAt = process.hrtime.bigint();
      for (const input of inputs) call(input);
      spentNs += process.hrtime.bigint() - beganAt;
    }
    if (round > 0) best = Math.min(best, Number(spentNs) / (Math.ceil(calls / BATCH) * BATCH));
  }
  return best;
}

const KEYS = Array.from({ length: 3 }, () => `sk-${randomBytes(24).toString('base64url')}`);

const session: EdgeSession = {
  begin: () => null,
  acquire: async () => ({ kind: 'not-ready', state: 'none' }),
  join: async () => ({ leave: () => undefined }),
  onLeaseEnding: () => undefined,
  inFlight: () => 0,
  counts: () => ({ leases: [], waiters: new Map(), syncAgeMs: 0 }),
  synced: true,
  failingSinceMs: null,
};
const catalog = loadCatalog({
  path: '/berth.yaml',
  home: '/',
  text: `host: { runtime: process }
models: { llama: { source: a/b }, qwen: { source: a/c } }
keys: [${KEYS.map((key, at) => `{ id: key-${at}, sha256: ${hash('sha256', key)} }`).join(', ')}]
`,
});
const access = new ApiAccess(catalog, () => performance.now());
const metrics = new EdgeMetrics({ catalog, session, nowMs: Date.now });

function record(at: number): RequestRecord {
  const begun = requestRecord({ requestId: randomUUID(), method: 'POST', route: '/v1/chat/completions', startedAtMs: performance.now() });
  begun.keyId = `key-${at % 3}`;
  begun.model = at % 2 === 0 ? 'llama' : 'qwen';
  begun.stream = true;
  begun.attempts = 1;
  begun.generation = '1800000000001';
  begun.outcome = 'answered';
  begun.engineStatus = 200;
  begun.engineFirstByteAtMs = begun.startedAtMs + (at % 977) / 7;
  begun.usage = { promptTokens: 12, completionTokens: at };
  begun.bytesIn = 512;
  return begun;
}

/** A request that has ended. */
function ended(at: number): { readonly record: RequestRecord; readonly end: RequestEnd } {
  const known = record(at);
  return {
    record: known,
    end: requestEnd(known, { status: 200, bytesSent: 9000 + at, firstByteAtMs: known.startedAtMs + (at % 977) / 7 }),
  };
}

const fd = openSync('/dev/null', 'a');
const secrets = ['a-redis-password'];
const logger = createLogger({ service: 'edge', level: 'info', secrets, destination: new BlockWriter(fd) });
const log = new RequestLog(logger, 'edge-2b0f7c9e-9f1d-4a54-9f0b-0e6d5f1f1c11');
const head = { id: 'chatcmpl-2b0f7c9e9f1d4a54', created: 1_800_000_000, model: 'llama' };
const usage = (at: number) => ({ prompt_tokens: 12, total_tokens: 12 + at, completion_tokens: at, prompt_tokens_details: null });
const chunk = (at: number): Buffer =>
  frame({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content: ` word ${at}` }, logprobs: null, finish_reason: null }],
  });
const lastFrame = (at: number): Buffer => frame({ ...head, choices: [], usage: usage(at) });
/** As long as a short answer of vLLM 0.32.0, with the nulls that it writes. */
function completion(at: number): Buffer {
  const message = {
    role: 'assistant',
    content: `Some ${at} words. `.repeat(10),
    refusal: null,
    annotations: null,
    audio: null,
    reasoning: null,
  };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop', stop_reason: null, token_ids: null }];
  return Buffer.from(
    JSON.stringify({ ...head, object: 'chat.completion', choices, service_tier: null, usage: usage(at), kv_transfer_params: null }),
  );
}
function frame(value: object): Buffer {
  return Buffer.from(`data: ${JSON.stringify(value)}\n\n`);
}

function readUsage(piece: Buffer): void {
  const reader = new UsageReader();
  reader.feed(piece);
  if (reader.usage === null) throw new TypeError('the piece has a usage');
}

printTable(
  ['per request', 'ns'],
  [
    ['key checked', measure(authorized, (headers) => access.admit(headers, { keyId: null }).release())],
    ['record begun and filled', measure(Number, (at) => void record(at))],
    ['metrics', measure(ended, ({ record: known, end }) => metrics.observe(known, end))],
    ['log line', measure(ended, ({ record: known, end }) => log.write(known, end))],
    [
      'usage: a frame without one',
      measure(
        (at) => [new UsageReader(), chunk(at)] as const,
        ([reader, piece]) => reader.feed(piece),
      ),
    ],
    ['usage: begun, found in the last frame and read', measure(lastFrame, readUsage)],
    ['usage: begun, found in a whole answer and read', measure(completion, readUsage)],
    ['scrape of all metrics, once', await scrapeNs()],
  ].map(([name, ns]) => [String(name), Math.round(Number(ns)).toLocaleString('en')]),
);
closeSync(fd);

/** Headers as they come from a socket: a string of its own for each request. */
function authorized(at: number): { readonly authorization: string } {
  return { authorization: Buffer.from(`Bearer ${KEYS[at % KEYS.length]}`).toString('latin1') };
}

async function scrapeNs(): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round += 1) {
    const beganAt = process.hrtime.bigint();
    await metrics.set.scrape();
    best = Math.min(best, Number(process.hrtime.bigint() - beganAt));
  }
  return best;
}
