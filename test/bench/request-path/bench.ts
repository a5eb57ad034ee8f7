import { median } from '../support/distribution.ts';
import type { Pins } from '../support/pins.ts';
import type { Wrk } from '../support/wrk.ts';
import type { BenchBerth } from '../support/bench-berth.ts';
import type { Ports, StartTarget, Target, TargetName } from './targets.ts';

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** Of one load on one target. */
  readonly seconds: number;
  /** Open at once where memory is measured. */
  readonly openStreams: number;
}

/** What every measurement gets. */
export interface Bench {
  readonly effort: Effort;
  readonly berth: BenchBerth;
  readonly upstream: Ports;
  readonly wrk: Wrk;
  readonly pins: Pins | null;
  /** That this machine lets this program use, before it was pinned. */
  readonly cores: number;
  /** In the order in which they are measured; `direct` is the first. */
  readonly targets: ReadonlyMap<TargetName, Target>;
  /** Starts a fresh one of each. */
  readonly start: ReadonlyMap<TargetName, StartTarget>;
  /** Aborted when the benchmark is to end. */
  readonly signal: AbortSignal;
}

/** A line of the last table. */
export interface Verdict {
  readonly measure: string;
  readonly nginx: string;
  readonly berth: string;
  readonly value: string;
  readonly must: string;
  readonly aim: string;
}

/** Results of several targets, measured in turn: whatever else the machine does meets them all, so they compare within a round. */
export class Rounds<Name extends string, Result> {
  readonly #results: ReadonlyMap<Name, readonly Result[]>;

  private constructor(results: ReadonlyMap<Name, readonly Result[]>) {
    this.#results = results;
  }

  static async run<Name extends string, Subject, Result>(
    subjects: ReadonlyMap<Name, Subject>,
    { effort, signal }: Pick<Bench, 'effort' | 'signal'>,
    measure: (subject: Subject) => Promise<Result>,
  ): Promise<Rounds<Name, Result>> {
    const results = new Map<Name, Result[]>([...subjects.keys()].map((name) => [name, []]));
    for (let round = 0; round < effort.rounds; round += 1) {
      for (const [name, subject] of subjects) {
        signal.throwIfAborted();
        results.get(name)?.push(await measure(subject));
      }
    }
    return new Rounds(results);
  }

  get names(): readonly Name[] {
    return [...this.#results.keys()];
  }

  of(name: Name): readonly Result[] {
    return this.#results.get(name) ?? [];
  }

  median(name: Name, pick: (result: Result) => number): number {
    return median(this.of(name).map(pick));
  }

  /** Median over the rounds of what `combine` makes of both results of a round; `NaN` where one was not measured. */
  paired(name: Name, base: Name, pick: (result: Result) => number, combine: (value: number, base: number) => number): number {
    const bases = this.of(base).map(pick);
    return median(
      this.of(name).flatMap((result, round) => (round < bases.length ? [combine(pick(result), bases[round] ?? Number.NaN)] : [])),
    );
  }
}

export const ratio = (value: number, base: number): number => value / base;
export const difference = (value: number, base: number): number => value - base;

/** A figure for a table; `-` where there is none. */
export function figure(value: number, digits = 0): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits);
}
