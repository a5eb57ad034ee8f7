import { createBullBoard } from '@bull-board/api';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Hono } from 'hono';

/** The path that Bull Board is mounted under. */
export const BOARD_PATH = '/admin/queues';

type BoardQueue = Parameters<typeof createBullBoard>[0]['queues'][number];

/** Bull Board on the live placement queue. It only looks: its queue adapter refuses every change, and Redis' own figures stay hidden. */
export function adminQueues(queue: BoardQueue): Hono {
  const server = new HonoAdapter(serveStatic);
  createBullBoard({
    queues: [queue],
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Berth placements', hideRedisDetails: true } },
  });
  // Before registerPlugin, which reads it.
  server.setBasePath(BOARD_PATH);
  return server.registerPlugin();
}
