import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { edgePort, enginePort, startBenchBerth } from './support/bench-berth.ts';
import { print } from './support/distribution.ts';
import { printMachine } from './support/machine.ts';
import { buildMeasuringKit, isInstalled, KIT_MODELS, type MeasuringKit } from './support/measuring-kit.ts';
import { choosePins, pin } from './support/pins.ts';

/** The edge measured by a kit that is not part of this repository: its own upstream and load generator in C, its own reference proxies. */
const { values: options } = parseArgs({
  options: {
    /** What the kit measures: json, rate, sse, hold, abort, slow. */
    modes: { type: 'string', default: 'json,rate,sse' },
  },
});

printMachine('The request path, by the measuring kit');
const { BENCH_KIT } = process.env;
if (BENCH_KIT === undefined) {
  print('No measuring kit was given (BENCH_KIT=<directory with upstream.c, lg.c and run.mjs>). `request-path.ts` needs none.');
} else {
  await using kit = await buildMeasuringKit(BENCH_KIT);
  if (kit !== null) await measureWith(kit);
}

async function measureWith(kit: MeasuringKit): Promise<void> {
  await using bench = await startBenchBerth({
    [KIT_MODELS[0]]: { command: ['taskset', '-c', '1', kit.upstream, '{port}'], aliases: KIT_MODELS.slice(1) },
  });
  const { berth, key } = bench;
  const port = edgePort(bench);
  // Starts the engine.
  await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: KIT_MODELS[0], messages: [] }),
  });
  const pid = berth.edges[0]?.pid ?? -1;
  pin(pid, choosePins(process.env, availableParallelism())?.proxy);
  print('Upstream and load generator in C on core 1, the proxy on core 0; rounds in turn, medians.');
  for (const missing of ['nginx', 'go'].filter((program) => !isInstalled(program))) print(`${missing} is not installed: no ratio to it.`);
  print('');
  for (const mode of options.modes.split(',')) {
    print(`## ${mode}`);
    await kit.measure(mode, { port, pid, key, upstreamPort: await enginePort(bench, KIT_MODELS[0]) });
  }
}
