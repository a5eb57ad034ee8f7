import { parseArgs } from 'node:util';
import { closeSync, openSync } from 'node:fs';
import { loadCatalog } from '@berth/config';
import type { EdgeSession } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { BlockWriter } from '../../packages/telemetry/src/block-writer.ts';
import { EdgeMetrics } from '../../services/edge/src/telemetry/edge-metrics.ts';
import { requestEnd } from '../../services/edge/src/telemetry/request-end.ts';
import { RequestLog } from '../../services/edge/src/telemetry/request-log.ts';
import { requestRecord } from '../../services/edge/src/telemetry/request-record.ts';
import type { RequestRecord } from '../../services/edge/src/telemetry/request-record.ts';
import { UsageReader } from '../../services/edge/src/telemetry/usage-reader.ts';
import { printTable } from './support/distribution.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' }, calls: { type: 'string', default: '100000' } } });
const [rounds, calls] = [Number(values.rounds), Number(values.calls)];

/** ns per call, of the best round: the others were disturbed. */
function measure(call: (at: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round += 1) {
    const beganAt = process.hrtime.bigint();
    for (let at = 0; at < calls; at += 1) call(at);
    if (round > 0) best = Math.min(best, Number(process.hrtime.bigint() - beganAt) / calls);
  }
  return best;
}

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
  text: 'host: { runtime: process }\nmodels: { llama: { source: a/b }, qwen: { source: a/c } }\n',
});
const metrics = new EdgeMetrics({ catalog, session, nowMs: Date.now });
const answer = { status: 200, bytesSent: 9000, firstByteAtMs: 0 };

function record(at: number): RequestRecord {
  const begun = requestRecord({
    requestId: '2b0f7c9e-9f1d-4a54-9f0b-0e6d5f1f1c11',
    method: 'POST',
    route: '/v1/chat/completions',
    startedAtMs: performance.now(),
  });
  begun.model = at % 2 === 0 ? 'llama' : 'qwen';
  begun.stream = true;
  begun.attempts = 1;
  begun.generation = '1800000000001';
  begun.outcome = 'answered';
  begun.engineStatus = 200;
  begun.engineFirstByteAtMs = begun.startedAtMs;
  begun.usage = { promptTokens: 12, completionTokens: at };
  begun.bytesIn = 512;
  return begun;
}

const fd = openSync('/dev/null', 'a');
const secrets = ['a-redis-password'];
const logger = createLogger({ service: 'edge', level: 'info', secrets, destination: new BlockWriter(fd) });
const log = new RequestLog(logger, 'edge-2b0f7c9e-9f1d-4a54-9f0b-0e6d5f1f1c11');
const known = record(1);
const end = requestEnd(known, answer);
const chunk = Buffer.from(
  `data: ${JSON.stringify({ id: 'chatcmpl-2b0f7c9e9f1d4a54', object: 'chat.completion.chunk', created: 1_800_000_000, model: 'llama', choices: [{ index: 0, delta: { content: ' word' }, logprobs: null, finish_reason: null }] })}\n\n`,
);
const last = Buffer.from(
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 12, total_tokens: 76, completion_tokens: 64 } })}\n\ndata: [DONE]\n\n`,
);

printTable(
  ['per request', 'ns'],
  [
    ['record begun and filled', measure((at) => void record(at))],
    ['metrics', measure(() => metrics.observe(known, requestEnd(known, answer)))],
    ['log line', measure(() => log.write(known, end))],
    [
      'usage: a frame without one',
      measure(
        (
          (reader) => () =>
            reader.feed(chunk)
        )(new UsageReader()),
      ),
    ],
    [
      'usage: begun, found in the last frame and read',
      measure(() => {
        const reader = new UsageReader();
        reader.feed(last);
        return void reader.usage;
      }),
    ],
    ['scrape of all metrics, once', await scrapeNs()],
  ].map(([name, ns]) => [String(name), Math.round(Number(ns)).toLocaleString('en')]),
);
closeSync(fd);

async function scrapeNs(): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round += 1) {
    const beganAt = process.hrtime.bigint();
    await metrics.set.scrape();
    best = Math.min(best, Number(process.hrtime.bigint() - beganAt));
  }
  return best;
}
