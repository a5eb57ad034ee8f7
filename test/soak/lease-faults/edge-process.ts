import { asId, isOperationalError } from '@berth/core';
import type { ModelName, RequestSlot } from '@berth/core';
import { createEdgeSession, createPlacementClient } from '@berth/redis';
import { randomUUID } from 'node:crypto';
import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readProcessSettings } from './settings.ts';
import { reportTally } from './tally.ts';

/** An edge of a fault run, with its clients in it: real session and placement client, requests of random length to random models. */
const REQUEST_DEADLINE_MS = 10_000;
const ATTEMPTS = 3;

const settings = readProcessSettings();
const target = { url: settings.redisUrl, hostId: settings.hostId, log: () => undefined };
const session = await createEdgeSession({
  target,
  id: asId(`edge-${randomUUID()}`),
  leaseTtlMs: settings.leaseTtlMs,
  leaseRenewMs: settings.leaseRenewMs,
  degradedMs: settings.degradedMs,
  maxWaitersPerModel: 1000,
  maxWaiters: 1000,
});
const placements = createPlacementClient({ target, pollMs: 1000 });
const tally = reportTally();
const agents = new Map<string, Agent>();
session.onLeaseEnding(async (generation) => {
  agents.get(generation)?.destroy();
  agents.delete(generation);
});

for (let client = 0; client < settings.clientsPerEdge; client += 1) void runClient();

async function runClient(): Promise<never> {
  for (;;) {
    // Mostly the first models, so that the least recently used one differs from the rest.
    const index = Math.floor(Math.random() ** 2 * settings.models.length);
    const served = await request(asId(settings.models[index] ?? '')).catch((error: unknown) => {
      if (!isOperationalError(error) && !(error instanceof DOMException)) throw error;
      return false;
    });
    if (!served) {
      tally.unserved += 1;
      await sleep(100);
    }
  }
}

/** True when it was answered, or broken; false when it was never begun. */
async function request(model: ModelName): Promise<boolean> {
  const signal = AbortSignal.timeout(REQUEST_DEADLINE_MS);
  for (let attempt = 0; attempt < ATTEMPTS;) {
    const slot = await takeSlot(model, signal);
    try {
      const end = await send(slot, 20 + Math.random() ** 3 * settings.longestMs);
      if (end !== 'unreached') {
        tally[end] += 1;
        return true;
      }
    } finally {
      slot.end();
    }
    session.suspect(slot.endpoint.generation);
    tally.retried += 1;
    attempt += 1;
  }
  return false;
}

async function takeSlot(model: ModelName, signal: AbortSignal): Promise<RequestSlot> {
  for (;;) {
    signal.throwIfAborted();
    const slot = session.begin(model);
    if (slot !== null) return slot;
    if ((await session.acquire(model)).kind === 'ready') continue;
    const now = performance.timeOrigin + performance.now();
    const ticket = await session.join({ model, right: 'displace', arrivedAtMs: now, deadlineAtMs: now + REQUEST_DEADLINE_MS });
    try {
      await placements.place(model, { signal });
    } finally {
      ticket.leave();
    }
  }
}

/** Sends one request. `unreached`: nobody was there before the first byte; `broken`: it had begun and did not end well. */
function send(slot: RequestSlot, lastsMs: number): Promise<'ok' | 'broken' | 'unreached'> {
  const { generation, urls } = slot.endpoint;
  const agent = agents.get(generation) ?? new Agent({ keepAlive: true });
  agents.set(generation, agent);
  const begunAt = performance.now();
  return new Promise((resolve) => {
    let text = '';
    let ended = false;
    const finish = (how: string): void => {
      if (ended) return;
      ended = true;
      const end = text.endsWith('last\n') ? 'ok' : text === '' ? 'unreached' : 'broken';
      if (end === 'broken') {
        const ranMs = Math.round(performance.now() - begunAt);
        process.send?.({ note: `${how} after ${ranMs} of ${Math.round(lastsMs)} ms on ${generation}, gone: ${slot.gone.aborted}` });
      }
      resolve(end);
    };
    const sent = get(`${urls.loopback}/?ms=${Math.round(lastsMs)}`, { agent }, (response: IncomingMessage) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('error', (error) => finish(`answer failed (${error.message})`));
      response.once('close', () => finish('answer closed'));
    });
    sent.once('error', (error) => finish(`request failed (${error.message})`));
    const onGone = (): void => {
      sent.destroy();
      finish('endpoint gone');
    };
    slot.gone.addEventListener('abort', onGone, { once: true });
    sent.once('close', () => slot.gone.removeEventListener('abort', onGone));
  });
}
