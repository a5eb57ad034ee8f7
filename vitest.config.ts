import { defineConfig } from 'vitest/config';

/**
 * `unit` needs nothing but Node. `integration` needs what `npm test` installs: Redis, a Docker engine, Chromium. Its files share
 * one machine with two cores and real processes, so they run one after the other. `node-server` runs the tests of the edge's request path
 * once more on connections that Node's own HTTP server reads (`services/edge/src/downstream`).
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts', 'services/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.integration.test.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: ['packages/**/*.integration.test.ts', 'services/**/*.integration.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'test/bench/**', 'test/soak/**'],
          globalSetup: ['test/support/stop-docker-engine.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'node-server',
          include: ['services/edge/src/proxy/**/*.integration.test.ts'],
          env: { BERTH_TEST_PLAIN: 'off' },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
