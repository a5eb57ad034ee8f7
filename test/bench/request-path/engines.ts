import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../../services/berth/src/install/run-program.ts';
import { enginePort, startBenchBerth, type BenchBerth } from '../support/bench-berth.ts';
import { chatBody, chatHeaders, CHAT_PATH, JSON_MODEL, STREAM_MODEL } from './chat-request.ts';
import { nginxUpstream } from './nginx.ts';
import type { Ports } from './targets.ts';

const PORT_MARK = 'ENGINE_PORT';
/** Arguments: nginx, its folder, the template of its configuration, the port that Berth chose. */
const START_NGINX = `sed "s/${PORT_MARK}/$3/" "$2" > "$2.$3" && exec "$0" -p "$1" -c "$2.$3"`;

/** A Berth whose two models are the upstreams of all that is measured, both loaded; and their ports. */
export async function startBerthWithEngines(directory: string): Promise<BenchBerth & { readonly upstream: Ports }> {
  const template = join(directory, 'upstream.conf');
  await writeFile(template, nginxUpstream(directory, PORT_MARK));
  const program = findProgram(['nginx'], process.env) ?? 'nginx';
  await using opened = new AsyncDisposableStack();
  const berth = opened.use(
    await startBenchBerth({
      [JSON_MODEL]: { command: ['/bin/sh', '-c', START_NGINX, program, directory, template, '{port}'] },
      [STREAM_MODEL]: { command: [process.execPath, fileURLToPath(new URL('upstream.ts', import.meta.url)), '{port}'] },
    }),
  );
  for (const model of [JSON_MODEL, STREAM_MODEL]) await load(berth, model);
  const upstream = { json: await enginePort(berth, JSON_MODEL), streams: await enginePort(berth, STREAM_MODEL) };
  const started = opened.move();
  return { ...berth, upstream, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** The first request of a model starts its engine. */
async function load({ berth, key }: BenchBerth, model: string): Promise<void> {
  const asked = { id: `load ${model}`, firstByteMs: 0, events: 1, paceMs: 1 };
  const response = await fetch(`${berth.urls[0]}${CHAT_PATH}`, {
    method: 'POST',
    headers: chatHeaders(key),
    body: chatBody(model, false, asked),
  });
  if (!response.ok) throw new Error(`${model} was not loaded: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
}
