import { parseArgs } from 'node:util';
import type { Fault } from './lease-faults/faults.ts';
import { runScenario } from './lease-faults/run-scenario.ts';

/**
 * Repeats the fault runs of the lease protocol and prints how many requests each broke: `node test/soak/lease-faults.ts [--seconds 60]
 * [--only 3]`. Ends with exit code 1 when one was broken.
 */
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' } } });
const durationMs = Number(values.seconds) * 1000;

const everything: readonly Fault[] = [
  'edge stalled',
  'edge killed',
  'redis hung',
  'orchestrator stalled',
  'redis restarted',
  'orchestrator killed',
  'redis emptied',
];
const runs: readonly { readonly name: string; readonly faults: readonly Fault[]; readonly degradedMs: number }[] = [
  { name: 'edges stalled', faults: ['edge stalled'], degradedMs: 0 },
  { name: 'edges and orchestrators killed and stalled', faults: everything.filter((fault) => !fault.startsWith('redis')), degradedMs: 0 },
  { name: 'redis restarted and hung, edges stalled', faults: ['redis restarted', 'edge stalled', 'redis hung'], degradedMs: 0 },
  { name: 'redis emptied, edges stalled', faults: ['redis emptied', 'edge stalled'], degradedMs: 0 },
  { name: 'everything', faults: everything, degradedMs: 0 },
  { name: 'everything, degraded mode 30 s', faults: everything, degradedMs: 30_000 },
];

let broken = 0;
const rows: Record<string, Record<string, string | number>> = {};
for (const [index, run] of runs.entries()) {
  if (values.only !== undefined && Number(values.only) !== index + 1) continue;
  const result = await runScenario({ ...run, durationMs, pauseMs: 1500, leaseTtlMs: 6000 });
  broken += result.cut.length + result.broken + result.crashes.length;
  rows[`${index + 1} ${run.name}`] = {
    faults: Object.values(result.injected).reduce((sum, count) => sum + count, 0),
    drains: result.drains,
    'called off': result.drainsCalledOff,
    stops: result.stops,
    ok: result.ok,
    'retried before the first byte': result.retried,
    unserved: result.unserved,
    'cut at the engine': result.cut.length,
    'broken at the client': result.broken,
  };
  console.log(`${run.name}: ${JSON.stringify(result)}`);
}
console.table(rows);
console.log(`one edge of three hears no hint in every run; broken requests: ${broken}`);
process.exitCode = broken === 0 ? 0 : 1;
