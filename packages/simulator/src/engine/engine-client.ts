import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CoreReply, CoreRequest, CoreSettings, EngineFacts } from './core/messages.ts';
import type { StartPhase } from './model-profile.ts';

/** The API server's end of its EngineCore child. */
export interface EngineClient {
  /** Resolves when the engine is up, to undefined when its process ended instead. */
  readonly ready: Promise<EngineFacts | undefined>;
  /** Resolves when the process has ended, whatever the reason. */
  readonly exited: Promise<void>;
  readonly phase: StartPhase;
  /** Grows the engine's memory for a prefill. Does not settle when the engine dies of it: the gate tells that. */
  prefill(tokens: number): Promise<void>;
  sleep(level: number): Promise<void>;
  /** Resolves to the error text when the memory could not be taken back. */
  wake(): Promise<string | undefined>;
  kill(): void;
}

/** Starts `VLLM::EngineCore` and hands it its settings. */
export function startEngineClient(settings: CoreSettings): EngineClient {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('core/main.ts', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const pending = new Map<number, (failure: string | undefined) => void>();
  const ready = Promise.withResolvers<EngineFacts | undefined>();
  const exited = Promise.withResolvers<void>();
  let phase: StartPhase = 'engine-import';
  let lastId = 0;
  child.on('message', (reply: CoreReply) => {
    if (reply.kind === 'phase') ({ phase } = reply);
    else if (reply.kind === 'ready') ready.resolve(reply.facts);
    else {
      pending.get(reply.id)?.(reply.kind === 'failed' ? reply.message : undefined);
      pending.delete(reply.id);
    }
  });
  child.on('exit', () => {
    ready.resolve(undefined);
    exited.resolve();
  });
  // A request to a child that has just died is lost like the child; its exit says so.
  child.on('error', () => undefined);
  const send = (request: CoreRequest): void => void (child.connected && child.send(request, () => undefined));
  const ask = async (compose: (id: number) => CoreRequest): Promise<string | undefined> =>
    await new Promise((resolve) => {
      const id = (lastId += 1);
      pending.set(id, resolve);
      send(compose(id));
    });
  send({ kind: 'start', settings });
  return {
    ready: ready.promise,
    exited: exited.promise,
    get phase() {
      return phase;
    },
    prefill: async (tokens) => void (await ask((id) => ({ kind: 'prefill', id, tokens }))),
    sleep: async (level) => void (await ask((id) => ({ kind: 'sleep', id, level }))),
    wake: async () => await ask((id) => ({ kind: 'wake', id })),
    kill: () => void child.kill('SIGKILL'),
  };
}
