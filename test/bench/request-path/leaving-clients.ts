import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { print, printTable } from '../support/distribution.ts';
import { figure, type Bench, type Verdict } from './bench.ts';
import type { AskedAnswer } from './chat-request.ts';
import { StreamGroup, type NamedStream } from './stream-groups.ts';
import type { Target, TargetName } from './targets.ts';
import { awaitActive, readUpstream } from './upstream-report.ts';

const CLIENTS = 50;
const WITHIN_MS = 100;
/** Upstreams that go on for longer are not waited for. */
const PATIENCE_MS = 2000;
const ASK_EVERY_MS = 20;
const LONG_MS = 20_000;

interface Phase {
  readonly name: string;
  readonly stream: boolean;
  readonly answer: Omit<AskedAnswer, 'id'>;
  /** Events that each client has had when it leaves. */
  readonly eventsBefore: number;
}

const PHASES: readonly Phase[] = [
  { name: 'after some events', stream: true, answer: { firstByteMs: 0, events: 100_000, paceMs: 20 }, eventsBefore: 5 },
  { name: 'in a silent stream', stream: true, answer: { firstByteMs: 0, events: 10, paceMs: LONG_MS }, eventsBefore: 1 },
  { name: 'before a JSON answer', stream: false, answer: { firstByteMs: LONG_MS, events: 1, paceMs: 0 }, eventsBefore: 0 },
  { name: "before a stream's head", stream: true, answer: { firstByteMs: LONG_MS, events: 1, paceMs: 1 }, eventsBefore: 0 },
];

interface Result {
  /** ms from a client's leaving to the end of the upstream's connection; of those whose upstream stopped. */
  readonly delaysMs: readonly number[];
}

/** How soon the upstream's connection ends after its client has left. */
export async function measureLeavingClients(bench: Bench): Promise<readonly Verdict[]> {
  const results = new Map<TargetName, Result[]>();
  for (const [name, target] of bench.targets) {
    const ofTarget: Result[] = [];
    for (const phase of PHASES) {
      bench.signal.throwIfAborted();
      ofTarget.push(await leave(target, phase, bench));
    }
    results.set(name, ofTarget);
  }

  print(`## Clients that leave: ${CLIENTS} at once in each phase\n`);
  print(`How many upstreams stopped within ${WITHIN_MS} ms, and after how many ms the last one did.\n`);
  printTable(
    ['', ...PHASES.map(({ name }) => name)],
    [...results].map(([name, ofTarget]) => [name, ...ofTarget.map((result) => `${soon(result)} of ${CLIENTS}, ${last(result)} ms`)]),
  );
  const all = PHASES.length * CLIENTS;
  const stopped = (name: TargetName): string => `${(results.get(name) ?? []).reduce((sum, result) => sum + soon(result), 0)} of ${all}`;
  return [
    {
      measure: `clients that leave, ${PHASES.length} phases: upstream stopped within ${WITHIN_MS} ms`,
      nginx: stopped('nginx'),
      berth: stopped('berth'),
      value: stopped('berth'),
      must: 'all',
      aim: 'all',
    },
  ];
}

async function leave({ ports }: Target, phase: Phase, { berth, upstream }: Bench): Promise<Result> {
  using group = new StreamGroup();
  const { stream, answer } = phase;
  // Of an earlier phase, if they go on without a client.
  const { active } = await readUpstream(upstream.streams);
  await group.open({ count: CLIENTS, key: berth.key, port: ports.streams, answer, stream, everyMs: 1 });
  await awaitActive(upstream.streams, active + CLIENTS);
  await eventually(`${CLIENTS} clients in the phase ${phase.name}`, () =>
    group.streams.every(({ client }) => client.events >= phase.eventsBefore),
  );
  const left = group.streams.map(({ id, client }) => ({ id, leftAtNs: client.leave() }));
  const delaysMs = await eventuallyStopped(upstream.streams, left);
  return { delaysMs };
}

/** Gives up those that go on, which end with the benchmark. */
async function eventuallyStopped(
  port: number,
  left: readonly { readonly id: NamedStream['id']; readonly leftAtNs: number }[],
): Promise<readonly number[]> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { cutAtNs } = await readUpstream(port);
    const delaysMs = left.flatMap(({ id, leftAtNs }) => (cutAtNs[id] === undefined ? [] : [(cutAtNs[id] - leftAtNs) / 1e6]));
    if (delaysMs.length === left.length || performance.now() > untilMs) return delaysMs;
    await sleep(ASK_EVERY_MS);
  }
}

function soon({ delaysMs }: Result): number {
  return delaysMs.filter((delayMs) => delayMs <= WITHIN_MS).length;
}

function last({ delaysMs }: Result): string {
  return delaysMs.length < CLIENTS ? `> ${PATIENCE_MS}` : figure(Math.max(...delaysMs), 1);
}
