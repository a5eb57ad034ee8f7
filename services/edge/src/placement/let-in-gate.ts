import type { ModelName } from '@berth/core';

/** The place of one request among those that are let in. Later calls of either do nothing. */
export interface Turn {
  /** The engine has begun to answer it, so the engine can take more than it was given: one more is let in than leaves. */
  answered(): void;
  /** It ended, however it did. */
  leave(): void;
}

/**
 * Lets those who waited for a model in a few at a time when it has become ready, in the order in which they come, instead of all in one herd:
 * first so many, and one more for every one that the engine has begun to answer, so that their number doubles with each round for as long as
 * the engine keeps up, as in TCP's slow start. An answer that comes as a whole begins only at its end, while an engine batches many: so one
 * that the engine has had for `patienceMs` counts as begun. Counted per process and model; it begins anew once nobody is inside or waits.
 */
export class LetInGate {
  readonly #first: number;
  readonly #patienceMs: number;
  readonly #models = new Map<ModelName, { allowed: number; inside: number; readonly queue: (() => void)[] }>();

  constructor({ first, patienceMs }: { readonly first: number; readonly patienceMs: number }) {
    this.#first = first;
    this.#patienceMs = patienceMs;
  }

  /** Resolves when it is this one's turn. Rejects with the signal's reason when it aborts before. */
  async enter(model: ModelName, signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    const gate = this.#models.get(model) ?? { allowed: this.#first, inside: 0, queue: [] };
    this.#models.set(model, gate);
    if (gate.inside < gate.allowed) gate.inside += 1;
    else await this.#turnOf(gate.queue, signal);
    let inside = true;
    const leave = (): void => {
      clearTimeout(patience);
      if (inside) this.#leave(model);
      inside = false;
    };
    const answered = (): void => {
      if (inside) gate.allowed += 1;
      leave();
    };
    const patience = setTimeout(answered, this.#patienceMs);
    return { answered, leave };
  }

  #turnOf(queue: (() => void)[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        queue.splice(queue.indexOf(enter), 1);
        reject(signal.reason);
      };
      queue.push(enter);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #leave(model: ModelName): void {
    const gate = this.#models.get(model);
    if (gate === undefined) return;
    gate.inside -= 1;
    while (gate.inside < gate.allowed) {
      const next = gate.queue.shift();
      if (next === undefined) break;
      gate.inside += 1;
      next();
    }
    if (gate.inside === 0) this.#models.delete(model);
  }
}
