import type { Catalog, KeySettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import type { ModelName, PlacementRight } from '@berth/core';
import { KeyLimits } from './key-limits.ts';
import { KeyRing } from './key-ring.ts';
import { presentedKey } from './presented-key.ts';
import type { KeyHeaders } from './presented-key.ts';
import { OPEN_ACCESS } from './request-access.ts';
import type { RequestAccess } from './request-access.ts';

/** A key with what this process counts for it. */
interface Holder {
  readonly key: KeySettings;
  readonly models: ReadonlySet<ModelName>;
  readonly limits: KeyLimits;
}

/** Who may use the models' routes. Open to everybody where the catalog has no keys. Synchronous: it stands in front of every request. */
export class ApiAccess {
  readonly #ring: KeyRing<Holder> | null;
  readonly #nowMs: () => number;

  /** `nowMs` never goes back. */
  constructor({ keys }: Pick<Catalog, 'keys'>, nowMs: () => number) {
    const holders = keys.map((key): Holder => ({ key, models: new Set(key.models), limits: new KeyLimits(key) }));
    this.#ring = holders.length === 0 ? null : new KeyRing(holders, ({ key }) => key.sha256);
    this.#nowMs = nowMs;
  }

  /**
   * Counts a request in; the caller releases what it gets, however the request ends. Notes whose it is, also where a limit refuses it. Throws
   * `INVALID_KEY`, `KEY_LIMIT_REACHED`.
   */
  admit(headers: KeyHeaders, note: { keyId: string | null }): RequestAccess {
    if (this.#ring === null) return OPEN_ACCESS;
    const holder = holderOf(this.#ring, headers);
    note.keyId = holder.key.id;
    holder.limits.enter(this.#nowMs);
    return new KeyAccess(holder, true);
  }

  /** The same for a request that Berth answers by itself, which no limit counts. Throws `INVALID_KEY`. */
  identify(headers: KeyHeaders): RequestAccess {
    return this.#ring === null ? OPEN_ACCESS : new KeyAccess(holderOf(this.#ring, headers), false);
  }
}

class KeyAccess implements RequestAccess {
  readonly #holder: Holder;
  #counted: boolean;

  constructor(holder: Holder, counted: boolean) {
    this.#holder = holder;
    this.#counted = counted;
  }

  get right(): PlacementRight {
    return this.#holder.key.right;
  }

  mayUse(model: ModelName): boolean {
    return this.#holder.models.has(model);
  }

  release(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#holder.limits.leave();
  }
}

function holderOf(ring: KeyRing<Holder>, headers: KeyHeaders): Holder {
  const presented = presentedKey(headers);
  const holder = presented === null ? null : ring.find(presented);
  if (holder !== null) return holder;
  const what = presented === null ? 'This API needs a key' : 'The key that was sent is none of this API';
  throw new OperationalError({
    code: 'INVALID_KEY',
    message: `${what}. Send one as \`Authorization: Bearer KEY\` or \`x-api-key: KEY\`.`,
    retryable: false,
  });
}
