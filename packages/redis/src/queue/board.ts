import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { closeQueue } from './close-queue.ts';
import { openQueue } from './placement-queue.ts';

/** The placement queue as Bull Board shows it. */
export interface PlacementBoard extends AsyncDisposable {
  /** For `createBullBoard({ queues: [adapter] })`. Read-only: it can neither remove nor add nor pause. */
  readonly adapter: BullMQAdapter;
}

/** Opens the placement queue for Bull Board. The adapter is Bull Board's own type, so that no BullMQ type leaves this package. */
export function createPlacementBoard(target: RedisTarget): PlacementBoard {
  const connection = openConnection(target, 'board');
  const queue = openQueue(connection, createKeys(target.hostId), { writesSettings: false, log: target.log });
  return {
    adapter: new BullMQAdapter(queue, { readOnlyMode: true }),
    async [Symbol.asyncDispose]() {
      await closeQueue([queue], [connection]);
    },
  };
}
