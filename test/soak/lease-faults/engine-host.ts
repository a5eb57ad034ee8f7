import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** An engine as the engine host lists it. */
export interface ListedEngine {
  readonly generation: string;
  readonly model: string;
  readonly url: string;
}

interface Engine extends ListedEngine {
  readonly server: Server;
  running: number;
}

const LOAD_MS = 150;

/**
 * Stands in for the container engine and the engines in it: it outlives every orchestrator, starts one HTTP server per generation, and
 * counts the requests that were running on an engine when it was stopped. Commands come by HTTP and may be repeated.
 */
export class EngineHost implements AsyncDisposable {
  readonly #engines = new Map<string, Engine>();
  /** By generation, until it is stopped: a start that is repeated while it runs starts nothing more. */
  readonly #starts = new Map<string, Promise<Engine>>();
  readonly #control = createServer((request, response) => void this.#command(request, response));
  /** Requests that were cut while running, by model and generation. */
  readonly cut: string[] = [];
  stops = 0;

  async listen(): Promise<string> {
    return urlOf(this.#control);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    end(this.#control);
    for (const starting of this.#starts.values()) end((await starting).server);
  }

  async #command(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engines');
    const generation = searchParams.get('generation') ?? '';
    const answers: Record<string, () => Promise<unknown>> = {
      '/start': () => this.#start(generation, searchParams.get('model') ?? ''),
      '/stop': async () => this.#stop(generation),
      '/load': async () => ({ running: this.#engines.get(generation)?.running ?? null }),
      '/list': async () => [...this.#engines.values()].map(({ model, url, ...engine }) => ({ generation: engine.generation, model, url })),
    };
    const answer = await answers[pathname]?.();
    response.end(JSON.stringify(answer ?? {}));
  }

  async #start(generation: string, model: string): Promise<{ readonly url: string }> {
    const starting = this.#starts.get(generation) ?? this.#load(generation, model);
    this.#starts.set(generation, starting);
    return { url: (await starting).url };
  }

  async #load(generation: string, model: string): Promise<Engine> {
    await sleep(LOAD_MS);
    const server = createServer((request, response) => void this.#serve(generation, request, response));
    const engine = { generation, model, url: await urlOf(server), server, running: 0 };
    this.#engines.set(generation, engine);
    return engine;
  }

  #stop(generation: string): void {
    const engine = this.#engines.get(generation);
    if (engine === undefined) return;
    this.#engines.delete(generation);
    this.#starts.delete(generation);
    this.stops += 1;
    for (let request = 0; request < engine.running; request += 1) this.cut.push(`${engine.model} ${generation}`);
    end(engine.server);
  }

  /** Streams for as long as the request says: a first byte after a third of it, a last one at its end. */
  async #serve(generation: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const engine = this.#engines.get(generation);
    if (engine === undefined) return void response.destroy();
    const lastsMs = Number(new URL(request.url ?? '/', 'http://engine').searchParams.get('ms'));
    let counted = true;
    const leave = (): void => {
      if (counted) engine.running -= 1;
      counted = false;
    };
    engine.running += 1;
    response.once('close', leave);
    await sleep(lastsMs / 3);
    response.write('first\n');
    await sleep((lastsMs * 2) / 3);
    leave();
    response.end('last\n');
  }
}

async function urlOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}
