import { internalError } from '../http/api-error.ts';
import { sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';

/** `POST /sleep?level=1`: what runs ends with `finish_reason: abort` and what it has; new requests pend until the engine wakes. */
export async function sleep(exchange: Exchange): Promise<void> {
  const { serving, url } = exchange;
  const level = Number(url.searchParams.get('level') ?? '1');
  if (serving.sleep === undefined) {
    const awake = Promise.withResolvers<void>();
    serving.sleep = { level, awake: awake.promise, wake: awake.resolve };
    serving.gate.interrupt();
    await serving.client.sleep(level);
  }
  sendJson(exchange, 200, { status: 'sleeping', level });
}

/** `POST /wake_up`: 500 when the memory is not there any more; the engine then sleeps on. */
export async function wakeUp(exchange: Exchange): Promise<void> {
  const { serving, url } = exchange;
  if (serving.sleep !== undefined) {
    const failure = await serving.client.wake();
    if (failure !== undefined) throw internalError(failure);
    const { wake } = serving.sleep;
    serving.sleep = undefined;
    wake();
  }
  sendJson(exchange, 200, { status: 'awake', tags: url.searchParams.has('tags') ? url.searchParams.getAll('tags') : null });
}

export function isSleeping(exchange: Exchange): void {
  sendJson(exchange, 200, { is_sleeping: exchange.serving.sleep !== undefined });
}
