import { setTimeout as sleep } from 'node:timers/promises';
import { KeptConnection } from './kept-connection.ts';

/**
 * Sends so many requests a second whatever the answers do, each on a connection that is free; ms of each, from its first byte written to the
 * last of its answer. Timers are as fine as 1 ms, so a request may go out that much late; its time counts from when it does.
 */
export async function runOpenLoop(
  port: number,
  request: Buffer,
  { requestsPerSecond, durationMs }: { readonly requestsPerSecond: number; readonly durationMs: number },
): Promise<readonly number[]> {
  const connections: KeptConnection[] = [];
  const free: KeptConnection[] = [];
  const latenciesMs: number[] = [];
  const open = (): KeptConnection => {
    const connection = new KeptConnection(port);
    connections.push(connection);
    return connection;
  };
  const send = async (): Promise<void> => {
    const connection = free.pop() ?? open();
    const sentAtMs = performance.now();
    await connection.ask(request);
    latenciesMs.push(performance.now() - sentAtMs);
    free.push(connection);
  };

  try {
    // A connection's first request also opens it, so it is not counted.
    await send();
    latenciesMs.length = 0;
    const everyMs = 1000 / requestsPerSecond;
    const startedAtMs = performance.now();
    const answers: Promise<void>[] = [];
    for (let dueMs = 0; dueMs < durationMs; dueMs += everyMs) {
      const early = startedAtMs + dueMs - performance.now();
      if (early > 0) await sleep(early);
      const answer = send();
      // Told by Promise.all, which comes later.
      answer.catch(() => undefined);
      answers.push(answer);
    }
    await Promise.all(answers);
    return latenciesMs;
  } finally {
    for (const connection of connections) connection.close();
  }
}
