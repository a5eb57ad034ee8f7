/** What happened to requests and drains. */
export interface Tally {
  /** Answered to the last byte. */
  ok: number;
  /** Ended by us after they had begun: must stay 0. */
  broken: number;
  /** Sent again, because nobody was there before the first byte. */
  retried: number;
  /** Not begun before their deadline, or while Redis was away. */
  unserved: number;
  drains: number;
  drainsCalledOff: number;
}

export function emptyTally(): Tally {
  return { ok: 0, broken: 0, retried: 0, unserved: 0, drains: 0, drainsCalledOff: 0 };
}

export function addTally(sum: Tally, part: Partial<Tally>): void {
  for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += part[key] ?? 0;
}

/** Counts in a child process and reports to its parent every 100 ms, so that a killed process loses little. */
export function reportTally(): Tally {
  // A killed parent cannot end its children.
  process.once('disconnect', () => process.exit());
  let counted = emptyTally();
  const tally = new Proxy(counted, {
    get: (_target, key) => counted[key as keyof Tally],
    set: (_target, key, value: number) => {
      counted[key as keyof Tally] = value;
      return true;
    },
  });
  setInterval(() => {
    const part = counted;
    counted = emptyTally();
    process.send?.(part);
  }, 100).unref();
  return tally;
}
