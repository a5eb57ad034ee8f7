import { once } from 'node:events';
import { isOperationalError } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { readEdgeSettings } from './settings.ts';
import { startEdge } from './start-edge.ts';

try {
  const settings = readEdgeSettings(process.env);
  const logger = createLogger({ service: 'edge', level: settings.logLevel, secrets: settings.secrets });
  const stopped = Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
  await using edge = await startEdge(settings, logger);
  await stopped;
  logger.info({ url: edge.url }, 'edge stop asked for');
} catch (error) {
  if (!isOperationalError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
// All is closed. A BullMQ object that never reached Redis goes on connecting for ever (6.7.0, seen) and would keep the process.
process.exit();
