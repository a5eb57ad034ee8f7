import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';
import { RequestBody } from './request-body.ts';

const LIMITS = { limitBytes: 100, limitSetting: 'bodies.limit', retryLimitBytes: 10, idleTimeoutMs: 60_000 };

/** As much of a request as a body looks at. */
function incomingOf(headers: Readonly<Record<string, string>> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;
}

describe('RequestBody', () => {
  it('sees the end that came with the last piece while it was paused', async () => {
    const incoming = incomingOf();
    const body = new RequestBody(incoming, LIMITS, new ByteBudget(1000));
    incoming.end('a piece of 20 bytes.');
    await body.read(() => true);
    await new Promise(setImmediate);
    await body.read();
    expect(body.ended).toBe(true);
    expect(Buffer.concat(await Array.fromAsync(body.flow())).toString()).toBe('a piece of 20 bytes.');
  });

  it('counts what it holds until an engine has it, and again for a wait', async () => {
    const budget = new ByteBudget(1000);
    const incoming = incomingOf();
    const body = new RequestBody(incoming, LIMITS, budget);
    incoming.end('8 bytes.');
    await body.read();
    expect(budget.heldBytes).toBe(8);
    body.hold();
    expect(budget.heldBytes).toBe(8);
    body.release();
    body.release();
    expect(budget.heldBytes).toBe(0);
    body.hold();
    expect(budget.heldBytes).toBe(8);
    body.release();
  });

  it('is refused when the budget is spent, and holds nothing of it then', async () => {
    const budget = new ByteBudget(30);
    budget.take(25);
    const incoming = incomingOf();
    const body = new RequestBody(incoming, LIMITS, budget);
    incoming.end('8 bytes.');
    await expect(body.read()).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    body.release();
    expect(budget.heldBytes).toBe(25);
  });

  it('shows every later piece to its inspector before an engine gets it', async () => {
    const incoming = incomingOf({ 'content-length': '40' });
    const body = new RequestBody(incoming, LIMITS, new ByteBudget(1000));
    incoming.write('first piece,');
    await body.read(() => true);
    body.inspect((piece) => {
      if (piece.toString() === 'bad') throw new Error('refused');
    });
    const sent: string[] = [];
    const flowing = (async (): Promise<void> => {
      for await (const piece of body.flow()) {
        sent.push(String(piece));
        incoming.write(sent.length === 1 ? 'good' : 'bad');
      }
    })();
    await expect(flowing).rejects.toThrow('refused');
    expect(sent).toEqual(['first piece,', 'good']);
  });
});
