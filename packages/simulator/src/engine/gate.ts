/** The engine died under a request. The text is vLLM's. */
export class EngineDeadError extends Error {
  constructor() {
    super('EngineCore encountered an issue. See stack trace (above) for the root cause.');
    this.name = 'EngineDeadError';
  }
}

/** The client closed its connection. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client closed its connection');
    this.name = 'ClientGoneError';
  }
}

type Settled = 'elapsed' | 'interrupted';

/**
 * What all waiting inside the engine goes through, so that its end reaches every request in the right way:
 * `dead`: every wait fails; `silent` (SIGTERM with open sockets): no wait ever ends but by its client going away;
 * interrupted (sleep): waits end early and the request finishes with what it has.
 */
export interface Gate {
  readonly state: 'open' | 'dead' | 'silent';
  /** Waits until `arm`'s callback is called; `arm` returns how to disarm. Rejects with `ClientGoneError` or `EngineDeadError`. */
  wait(signal: AbortSignal, arm: (elapsed: () => void) => () => void): Promise<Settled>;
  pause(ms: number, signal: AbortSignal): Promise<Settled>;
  die(): void;
  silence(): void;
  interrupt(): void;
}

export function createGate(): Gate {
  const waits = new Set<{ fail: () => void; interrupt: () => void; disarm: () => void }>();
  let state: Gate['state'] = 'open';
  const wait: Gate['wait'] = async (signal, arm) =>
    await new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new ClientGoneError());
      if (state === 'dead') return reject(new EngineDeadError());
      let disarm: (() => void) | undefined;
      const settle = (finish: () => void) => (): void => {
        waits.delete(entry);
        signal.removeEventListener('abort', abort);
        disarm?.();
        finish();
      };
      const abort = settle(() => reject(new ClientGoneError()));
      const entry = {
        fail: settle(() => reject(new EngineDeadError())),
        interrupt: settle(() => resolve('interrupted')),
        disarm: () => disarm?.(),
      };
      waits.add(entry);
      signal.addEventListener('abort', abort);
      if (state === 'open') disarm = arm(settle(() => resolve('elapsed')));
    });
  return {
    get state() {
      return state;
    },
    wait,
    pause: async (ms, signal) =>
      await wait(signal, (elapsed) => {
        const timer = setTimeout(elapsed, ms);
        return () => clearTimeout(timer);
      }),
    die: () => {
      if (state === 'open') state = 'dead';
      if (state === 'dead') for (const entry of waits) entry.fail();
    },
    silence: () => {
      state = 'silent';
      for (const entry of waits) entry.disarm();
    },
    interrupt: () => {
      for (const entry of waits) entry.interrupt();
    },
  };
}
