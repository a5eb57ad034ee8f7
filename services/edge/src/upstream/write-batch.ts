let waiting: (() => void)[] = [];

/**
 * Runs `write` once all events of this turn of the event loop have been handled, together with the other writes of the turn. A write wakes
 * the process that reads at the other end, and waking one that has just fallen asleep again costs more than the write itself: back to back,
 * the writes of many requests find it awake. With few requests the turn ends at once, and nothing is held up.
 */
export function writeInBatch(write: () => void): void {
  if (waiting.length === 0) setImmediate(writeAll);
  waiting.push(write);
}

function writeAll(): void {
  const writes = waiting;
  waiting = [];
  for (const write of writes) write();
}
