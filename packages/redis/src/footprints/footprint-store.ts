import { footprintRecord } from '@berth/contracts';
import { isOperationalError } from '@berth/core';
import type { Footprint, FootprintKey, FootprintStore, Term } from '@berth/core';
import type { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { withRedis } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { assertCurrent, leadershipLost } from '../registry/fenced.ts';
import { fillFootprints } from '../scripts/fill-footprints.ts';
import { putFootprint } from '../scripts/put-footprint.ts';
import { readFootprintsFile, writeFootprintsFile } from './footprints-file.ts';

export interface FootprintStoreOptions {
  readonly target: RedisTarget;
  /** `memory_footprints.json`, in a directory that may be written. */
  readonly file: string;
}

/** Why the mirror is behind. */
export interface MirrorProblem {
  readonly code: 'FOOTPRINTS_NOT_MIRRORED';
  readonly message: string;
}

/** Learned footprints: Redis holds them, a file mirrors them. Redis found empty is filled from the file, whenever that happens. */
export class RedisFootprintStore implements FootprintStore, AsyncDisposable {
  readonly #target: RedisTarget;
  readonly #file: string;
  readonly #connection: Redis;
  readonly #keys: Keys;
  #problem: MirrorProblem | null = null;
  #mirroring: Promise<void> = Promise.resolve();

  constructor(options: FootprintStoreOptions) {
    this.#target = options.target;
    this.#file = options.file;
    this.#connection = openConnection(options.target, 'registry');
    this.#keys = createKeys(options.target.hostId);
  }

  /** Throws `FOOTPRINTS_UNREADABLE` when Redis is empty and the file is broken, and `REDIS_UNAVAILABLE`. */
  async list(): Promise<readonly Footprint[]> {
    const stored = await this.#read();
    if (stored.length > 0) return stored;
    await this.#fill();
    return this.#read();
  }

  /**
   * Resolves when Redis holds it. A mirror that cannot be written (a full disk, a broken file) loses nothing: it is reported by
   * `mirrorProblem` and written with the next footprint. Throws `LEADERSHIP_LOST` and `REDIS_UNAVAILABLE`.
   */
  async put(term: Term, footprint: Footprint): Promise<void> {
    if (!(await this.#put(term, footprint, false))) {
      await this.#fill().catch((error: unknown) => {
        if (!isOperationalError(error, 'FOOTPRINTS_UNREADABLE')) throw error;
        this.#notMirrored(error);
      });
      await this.#put(term, footprint, true);
    }
    // One write of the mirror at a time, each with all that Redis holds by then.
    this.#mirroring = this.#mirroring.then(() => this.#mirror(footprint));
    await this.#mirroring;
  }

  /** `null` while the mirror holds what Redis holds. */
  mirrorProblem(): MirrorProblem | null {
    return this.#problem;
  }

  async #read(): Promise<readonly Footprint[]> {
    const texts = await withRedis(this.#connection, 'list footprints', () => this.#connection.hvals(this.#keys.footprints));
    return texts.map((text) => footprintRecord.read(text));
  }

  async #fill(): Promise<void> {
    const mirrored = await readFootprintsFile(this.#file);
    if (mirrored.length === 0) return;
    const rows = mirrored.map((footprint) => [footprintId(footprint), footprintRecord.write(footprint)] as const);
    const filled = await withRedis(this.#connection, 'restore footprints', () => fillFootprints(this.#connection, this.#keys, rows));
    if (filled) this.#target.log('footprints were restored from their file', { file: this.#file, footprints: rows.length });
  }

  /** False when nothing is stored at all and `alsoWhenEmpty` is not given. */
  async #put(term: Term, footprint: Footprint, alsoWhenEmpty: boolean): Promise<boolean> {
    assertCurrent(term);
    const record = footprintRecord.write(footprint);
    const answer = await withRedis(this.#connection, 'store a footprint', () =>
      putFootprint(this.#connection, this.#keys, { epoch: term.epoch, id: footprintId(footprint), record, alsoWhenEmpty }),
    );
    if (answer.kind === 'fenced') throw leadershipLost(term.epoch, answer.epoch);
    return answer.kind === 'ok';
  }

  async #mirror(latest: Footprint): Promise<void> {
    try {
      const stored = await this.#read();
      // Emptied since: the mirror is the only copy now.
      if (!stored.some((footprint) => footprintId(footprint) === footprintId(latest))) return;
      await writeFootprintsFile(this.#file, stored);
      this.#problem = null;
    } catch (error) {
      this.#notMirrored(error);
    }
  }

  #notMirrored(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Cannot mirror the learned footprints to ${this.#file}: ${reason} Redis holds them; the file is written again with the next one.`;
    this.#problem = { code: 'FOOTPRINTS_NOT_MIRRORED', message };
    this.#target.log('footprints were not mirrored', { file: this.#file, err: error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeConnection(this.#connection);
  }
}

/** Opens the store. Throws `FOOTPRINTS_UNREADABLE` at once when the file is broken; Redis is not asked yet. */
export async function createFootprintStore(options: FootprintStoreOptions): Promise<RedisFootprintStore> {
  await readFootprintsFile(options.file);
  return new RedisFootprintStore(options);
}

function footprintId({ model, signature, imageId, gpuProduct, gpuCount }: FootprintKey): string {
  const parts = JSON.stringify([model, signature, imageId, gpuProduct, gpuCount]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 32);
}
