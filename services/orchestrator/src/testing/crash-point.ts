import { OperationalError } from '@berth/core';

/** Before which write of a term's process it is killed, or right after which. */
export interface CrashPoint {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/**
 * Counts what one process changes in the world, and kills it at the given change: that change and all later calls of the process fail, as if
 * it were not there any more. What it had done before stays done.
 */
export class CrashSwitch {
  readonly actions: string[] = [];
  readonly #point: CrashPoint | null;
  #dead = false;

  constructor(point: CrashPoint | null) {
    this.#point = point;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** `part` with every method guarded; those that `changes` names are counted. */
  guard<Part extends object>(part: Part, changes: readonly (keyof Part & string)[]): Part {
    const guarded = new Map<string | symbol, unknown>();
    return new Proxy(part, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        if (!guarded.has(key)) {
          const counted = changes.some((name) => name === key);
          guarded.set(key, async (...args: unknown[]) => this.#call(String(key), counted, async () => Reflect.apply(value, target, args)));
        }
        return guarded.get(key);
      },
    });
  }

  async #call(name: string, counted: boolean, call: () => Promise<unknown>): Promise<unknown> {
    this.#throwIfDead();
    if (!counted) return call();
    this.actions.push(name);
    const isHere = this.#point?.at === this.actions.length;
    if (isHere && this.#point?.when === 'before') this.#dead = true;
    this.#throwIfDead();
    const result = await call();
    if (isHere) this.#dead = true;
    this.#throwIfDead();
    return result;
  }

  #throwIfDead(): void {
    if (this.#dead) throw new OperationalError({ code: 'LEADERSHIP_LOST', message: 'This process was killed.', retryable: true });
  }
}
