import { isLeaving, isSettled } from './residency.ts';
import type { EndpointSnapshot, Snapshot } from './snapshot.ts';

type Order = (a: EndpointSnapshot, b: EndpointSnapshot) => number;

/**
 * Who is evicted first. This is the one place that says so:
 * 1. stopping: its memory is coming anyway
 * 2. leaving: it drains already, for another reason
 * 3. settled before one that starts or is within its residency
 * 4. idle before busy
 * 5. least recently used
 * 6. the older generation, so that the answer is always the same
 */
export function rankVictims(views: readonly EndpointSnapshot[], snapshot: Snapshot): readonly EndpointSnapshot[] {
  return views.toSorted(
    inOrder(stoppingFirst, leavingFirst, settledFirst(snapshot), idleFirst, leastRecentlyUsedFirst, olderGenerationFirst),
  );
}

const stoppingFirst: Order = first((view) => view.endpoint.state === 'stopping');

const leavingFirst: Order = first((view) => isLeaving(view.endpoint));

const settledFirst = ({ settings, nowMs }: Snapshot): Order => first((view) => isSettled(view, settings, nowMs));

const idleFirst: Order = first((view) => view.inFlight === 0);

const leastRecentlyUsedFirst: Order = (a, b) => a.lastUsedAtMs - b.lastUsedAtMs;

/** Generations are decimal numbers in text: the shorter one is the smaller one. */
const olderGenerationFirst: Order = ({ endpoint: { generation: a } }, { endpoint: { generation: b } }) =>
  a.length - b.length || (a < b ? -1 : Number(a > b));

function first(isFirst: (view: EndpointSnapshot) => boolean): Order {
  return (a, b) => Number(isFirst(b)) - Number(isFirst(a));
}

function inOrder(...orders: readonly Order[]): Order {
  return (a, b) => orders.reduce((difference, order) => difference || order(a, b), 0);
}
