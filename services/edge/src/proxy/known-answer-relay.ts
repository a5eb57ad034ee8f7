import type { AnswerHead } from '../upstream/answer-head.ts';
import { AnswerRelay } from './answer-relay.ts';

/** What an engine answers that does not know an id, and one that has no such route at all. */
const NOT_HERE: ReadonlySet<number> = new Set([404, 405]);

/** Carries an engine's answer to the client if the engine knows what it was asked for, and drops it otherwise, so that another can be asked. */
export class KnownAnswerRelay extends AnswerRelay {
  #declined: 'not-here' | 'failing' | null = null;

  /** Why the answer was dropped: the engine does not know the id, or it fails. `null`: the client has it. */
  get declined(): 'not-here' | 'failing' | null {
    return this.#declined;
  }

  override begin(head: AnswerHead): void {
    if (NOT_HERE.has(head.status)) this.#declined = 'not-here';
    else if (head.status >= 500) this.#declined = 'failing';
    else super.begin(head);
  }

  override write(piece: Buffer): boolean {
    return this.#declined !== null || super.write(piece);
  }

  override end(piece: Buffer | null = null): void {
    if (this.#declined === null) super.end(piece);
  }
}
