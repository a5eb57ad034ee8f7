let writes: (() => void)[] = [];
let reads: PromiseWithResolvers<void> | null = null;

/**
 * Runs `write` once all events of this turn of the event loop have been handled, together with the other writes of the turn. A write wakes
 * the process that reads at the other end, and waking one that has just fallen asleep again costs more than the write itself: back to back,
 * the writes of many requests find it awake. With few requests the turn ends at once, and nothing is held up.
 */
export function writeInBatch(write: () => void): void {
  if (writes.length === 0) setImmediate(writeAll);
  writes.push(write);
}

/**
 * Resolves when everything that this turn brought has been read: a small body comes in one piece with its head, but Node tells of the head
 * before it takes the body in. What is written then still goes out with the writes of this turn.
 */
export function readsOfTurn(): Promise<void> {
  if (reads === null) {
    reads = Promise.withResolvers<void>();
    setImmediate(endReads);
    setImmediate(writeAll);
  }
  return reads.promise;
}

function endReads(): void {
  const ended = reads;
  reads = null;
  ended?.resolve();
}

function writeAll(): void {
  if (writes.length === 0) return;
  const batch = writes;
  writes = [];
  for (const write of batch) write();
}
